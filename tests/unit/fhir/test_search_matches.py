"""What counts as a match of a search: totals, what stands among the matches, and values as they are sent."""

import pytest

from careplan_exchange.errors import IncompleteRecordError, NotFhirError, RefusedError
from careplan_exchange.fhir import Query, literal

from .wire import BASE, fhir, goal, ids, outcome, search, searchset

# --- totals ---------------------------------------------------------------------------------------------------


async def test_fewer_matches_than_the_server_counted_are_an_error():
    with pytest.raises(IncompleteRecordError, match="3 matches"):
        await search(fhir(searchset(goal(1), goal(2), total=3)))


async def test_a_repeated_id_does_not_fill_the_place_of_a_missing_one():
    with pytest.raises(IncompleteRecordError):
        await search(fhir(searchset(goal(1), goal(1), total=2)))


async def test_a_total_that_is_reached_or_absent_or_grows_is_fine():
    assert len((await search(fhir(searchset(goal(1), goal(2), total=2))))[0]) == 2
    found, _ = await search(
        fhir(searchset(goal(1), next_link="?page=2")),
        fhir(searchset(goal(2), next_link="?page=3", total=2)),
        fhir(searchset(goal(3), total=3)),
    )
    assert len(found) == 3


async def test_a_total_that_shrinks_begins_the_search_again():
    found, server = await search(
        fhir(searchset(goal(1), goal(2), next_link="?page=2", total=4)),
        fhir(searchset(goal(4), total=3)),
        fhir(searchset(goal(2), goal(3), goal(4), total=3)),
    )
    assert ids(found) == ["g2", "g3", "g4"]
    assert len(server.requests) == 3


@pytest.mark.parametrize("parameter", [("_summary", "count"), ("_count", "0")])
async def test_a_count_needs_no_matches(parameter):
    assert (await search(fhir(searchset(total=7)), query=Query("Goal", (parameter,))))[0] == ()


# --- what stands among the matches ----------------------------------------------------------------------------


async def test_included_resources_are_no_matches():
    included = {"resource": goal(9), "search": {"mode": "include"}}
    patient = {"resource": {"resourceType": "Patient", "id": "p1"}, "search": {"mode": "include"}}
    bundle = searchset(goal(1), total=1)
    bundle["entry"] += [included, patient]
    assert ids((await search(fhir(bundle)))[0]) == ["g1"]


@pytest.mark.parametrize(
    "said",
    [outcome("error"), outcome("fatal"), outcome("warning", coding="4119"), outcome("warning", "incomplete")],
)
@pytest.mark.parametrize("mode", ["outcome", "match", None])
async def test_an_outcome_among_the_matches_that_says_some_are_missing_stops_the_search(said, mode):
    bundle = searchset(goal(1))
    bundle["entry"].append({"resource": said, **({"search": {"mode": mode}} if mode else {})})
    with pytest.raises(IncompleteRecordError) as caught:
        await search(fhir(bundle))
    assert caught.value.issues[0].code == said["issue"][0]["code"]


async def test_a_harmless_outcome_among_the_matches_is_no_match():
    bundle = searchset(goal(1), total=1)
    bundle["entry"].append({"resource": outcome("information", "informational"), "search": {"mode": "outcome"}})
    assert ids((await search(fhir(bundle)))[0]) == ["g1"]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({"fullUrl": f"{BASE}/Goal/g1"}, IncompleteRecordError),
        ({"resource": {"resourceType": "Patient", "id": "p1"}}, NotFhirError),
        ({"resource": {"resourceType": "Goal"}}, NotFhirError),
        ({"resource": {"id": "g1"}}, NotFhirError),
        ({"resource": None}, NotFhirError),
    ],
)
async def test_an_entry_that_is_no_match_is_an_error(entry, error):
    with pytest.raises(error):
        await search(fhir({"resourceType": "Bundle", "type": "searchset", "entry": [entry]}))


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"resourceType":"Goal","id":"g1"}', b"null", b"{"])
async def test_an_answer_that_is_no_bundle_is_not_fhir(body):
    with pytest.raises(NotFhirError, match="search for Goal"):
        await search(fhir(body))


async def test_an_error_names_the_search_and_none_of_its_values():
    query = Query("Patient", (("identifier", "urn:mrn|4711"), ("_count", "5")))
    with pytest.raises(RefusedError) as caught:
        await search(fhir(outcome(diagnostics="identifier 4711 is invalid"), 400), query=query)
    assert "The search for Patient (identifier)" in caught.value.detail
    assert "4711" not in caught.value.detail + repr(caught.value.issues)


def test_values_are_encoded_and_those_that_stand_for_themselves_escaped():
    assert Query("Goal").url == "Goal"
    assert (
        Query("Patient", (("identifier", "urn:x|a b&c=d#é"),)).url
        == "Patient?identifier=urn:x%7Ca%20b%26c%3Dd%23%C3%A9"
    )
    assert literal(r"a,b|c$d\e") == r"a\,b\|c\$d\\e"
