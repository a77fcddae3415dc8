"""Searches are read strictly and answered from what is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.sandbox.parameters import TYPES, parameters
from careplan_exchange.sandbox.values import span_of

LOINC = "http://loinc.org"


async def post(http, body):
    answer = await http.post(f"/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
async def record(http):
    subject = await post(
        http,
        {
            "resourceType": "Patient",
            "name": [{"family": "Example", "given": ["Ann"]}],
            "birthDate": "1970-05",
            "identifier": [{"system": "urn:a", "value": "1|2,3"}, {"value": "bare"}],
            "meta": {"tag": [{"system": "urn:tag", "code": "demo"}]},
        },
    )
    reference = {"reference": f"Patient/{subject['id']}"}
    for moment, code in (("2026-01-01T23:30:00-02:00", "4548-4"), ("2026-02", "8480-6")):
        await post(
            http,
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "subject": reference,
                "effectiveDateTime": moment,
            },
        )
    await post(
        http,
        {"resourceType": "Observation", "status": "final", "code": {"text": "no code"}, "subject": reference,
         "effectivePeriod": {"start": "2026-03-01"}},
    )  # fmt: skip
    return subject


async def total(http, query):
    answer = await http.get(f"/{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["total"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (r"Patient?identifier=urn:a|1\|2\,3", 1),
        (r"Patient?identifier=1\|2\,3", 1),
        ("Patient?identifier=urn:a|", 1),
        ("Patient?identifier=|bare", 1),
        (r"Patient?identifier=|1\|2\,3", 0),
        ("Patient?identifier=urn:b|", 0),
        ("Patient?identifier=nothing,bare", 1),
        ("Patient?_id=1x", 1),
        ("Patient?_id=2x", 0),
        ("Patient?_tag=urn:tag|demo", 1),
        ("Patient?family=exa", 1),
        ("Patient?name=ann", 1),
        ("Patient?family=xample", 0),
        ("Patient?birthdate=1970", 1),
        ("Patient?birthdate=ge1970-05-01", 1),
        ("Patient?birthdate=gt1970-06", 0),
        ("Observation?code=http://loinc.org|4548-4", 1),
        ("Observation?code=4548-4,8480-6", 2),
        ("Observation?code=|4548-4", 0),
        ("Observation?code:not=4548-4", 2),
        ("Observation?patient=1x&code=4548-4", 1),
        ("Observation?patient=Patient/1x&status=final", 3),
        ("Observation?subject:Patient=1x", 3),
        ("Observation?subject=1x", 3),
        ("Observation?patient=http://sandbox.test/fhir/Patient/1x", 3),
        ("Observation?patient=other", 0),
        ("Observation?date=2026-01-02", 1),
        ("Observation?date=2026-01-01", 0),
        ("Observation?date=lt2026-02", 1),
        ("Observation?date=ge2026-02&date=le2026-02", 1),
        ("Observation?date=sa2026-02-20", 1),
        ("Observation?date=eb2026-02", 1),
        ("Observation?date=ne2026-02", 2),
        ("Observation?_lastUpdated=ge2026-01-01T00:00:02Z", 2),
        ("Observation?_sort=-_lastUpdated&_count=1", 3),
    ],
)
async def test_a_query_finds_what_it_names(http, record, query, found):
    assert await total(http, query) == found


async def test_a_search_by_post_finds_the_same(http, record):
    answer = await http.post(
        "/Observation/_search",
        content="code=4548-4&patient=1x",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.json()["total"] == 1


async def test_the_newest_come_first_when_asked(http, record):
    bundle = (await http.get("/Observation?_sort=-_lastUpdated")).json()
    moments = [entry["resource"]["meta"]["lastUpdated"] for entry in bundle["entry"]]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        "Patient?shoe-size=43",
        "Patient?family:exact=Example",
        "Patient?organization.name=x",
        "Patient?identifier=a|b|c",
        "Patient?identifier=",
        "Patient?identifier=a,,b",
        "Patient?birthdate=yesterday",
        "Patient?birthdate=ap1970",
        "Patient?birthdate=1970-13",
        "Patient?_count=many",
        "Patient?_sort=name",
        "Patient?_summary=text",
        "Patient?_include=Patient:shoe-size",
        "Patient?_include=Patient:identifier",
        "Patient?_include=Observation:subject",
        "Patient?_include=Patient:organization:Shoe",
        "Patient?_include:iterate=Patient:organization",
        "Patient?_include=*",
        "Patient?_revinclude=Observation:subject",
        "Patient?_elements=shoeSize",
        "Patient?_elements=id,,meta",
        "Patient?_count:not=3",
        "Patient/1x/_history?_since=2026",
        "Patient/1x/$everything?start=2026",
        "Patient/1x/$everything?_since=soon",
        "Patient/1x/$everything?_type=Shoe",
        "Patient/1x/$everything?_count=0",
    ],
)
async def test_what_is_not_understood_is_refused_and_not_ignored(http, record, query):
    answer = await http.get(f"/{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_lenient_client_is_told_which_parameter_was_passed_over(http, record):
    answer = await http.get("/Patient?shoe-size=43&identifier=bare", headers={"Prefer": "handling=lenient"})
    found, said = answer.json()["entry"]
    assert found["search"]["mode"] == "match"
    assert said["search"]["mode"] == "outcome"
    assert "shoe-size" in said["resource"]["issue"][0]["diagnostics"]


async def test_a_lenient_client_is_still_refused_a_value_that_is_none(http):
    answer = await http.get("/Patient?birthdate=soon", headers={"Prefer": "handling=lenient"})
    assert answer.status_code == 400


async def test_pages_show_what_the_search_found_though_something_was_written_meanwhile(http, record):
    first = (await http.get("/Observation?patient=1x&_count=2")).json()
    await post(http, {"resourceType": "Observation", "status": "final", "code": {"text": "later"},
                      "subject": {"reference": "Patient/1x"}})  # fmt: skip
    following = next(one["url"] for one in first["link"] if one["relation"] == "next")
    second = (await http.get(following)).json()
    assert second["total"] == 3
    assert len(second["entry"]) == 1
    assert await total(http, "Observation?patient=1x") == 4


async def test_only_so_many_searches_are_remembered_and_the_pages_of_older_ones_have_expired(
    http, record, monkeypatch
):
    monkeypatch.setattr("careplan_exchange.sandbox.pages._KEPT", 2)
    pages = [(await http.get("/Observation?_count=1")).json() for _ in range(3)]
    following = [next(one["url"] for one in page["link"] if one["relation"] == "next") for page in pages]
    assert [(await http.get(url)).status_code for url in following] == [410, 200, 200]


@pytest.mark.parametrize("offset", ["9", "-1", "x", ""])
async def test_a_page_that_was_never_linked_is_refused(http, record, offset):
    first = (await http.get("/Observation?_count=2")).json()
    following = next(one["url"] for one in first["link"] if one["relation"] == "next")
    answer = await http.get(following.replace("_offset=2", f"_offset={offset}"))
    assert answer.status_code == 400


async def test_a_logical_reference_is_found_under_no_id(http, record):
    await post(http, {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"},
                      "subject": {"reference": "Patient/1x"}, "addresses": [{"identifier": {"value": "c"}}]})  # fmt: skip
    assert await total(http, "Goal?addresses=c") == 0


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_its_table_of_parameters(name):
    found = parameters(name)
    assert {"_id", "_lastUpdated", "identifier"} <= set(found)
    assert all(parameter.paths for parameter in found.values())


@given(st.dates())
def test_a_day_lies_in_its_month_and_its_year(day):
    if day.year == 9999:
        return  # its end has no date
    text = day.isoformat()
    own, month, year = span_of(text), span_of(text[:7]), span_of(text[:4])
    assert year.low <= month.low <= own.low < own.high <= month.high <= year.high


@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_a_moment_is_the_same_in_every_zone(moment, minutes):
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    if not 2 <= moment.year <= 9998:
        return
    text = moment.replace(microsecond=0).isoformat()
    local, utc = span_of(f"{text}{sign}{hours:02}:{rest:02}"), span_of(f"{text}Z")
    assert (utc.low - local.low).total_seconds() == minutes * 60
    assert (local.high - local.low).total_seconds() == 1
