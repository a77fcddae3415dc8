"""What comes along with a search: of the types that were asked for, counted apart from the matches."""

import json

import pytest

from careplan_exchange.errors import AuthenticationRefusedError, IncompleteRecordError, NotFhirError, RefusedError
from careplan_exchange.fhir import Query
from tests.unit.fhir.wire import BASE, Server, batch_response, client_of, fhir, goal, outcome, searchset

ASKED = Query("Goal", (("patient", "1"), ("_include", "Goal:x")), included=frozenset({"Medication"}))
MEDICATION = {"resourceType": "Medication", "id": "m1"}


def page(*matches, included=(), total=None, next_link=None):
    bundle = searchset(*matches, total=total, next_link=next_link)
    bundle["entry"] += [{"resource": each, "search": {"mode": "include"}} for each in included]
    return fhir(bundle)


async def found(*pages, query=ASKED):
    async with client_of(Server(list(pages))) as client:
        return [resource.reference for resource in await client.search(query)]


async def test_what_was_asked_for_comes_along():
    assert await found(page(goal(), included=[MEDICATION])) == ["Goal/g1", "Medication/m1"]


async def test_what_comes_along_without_a_mode_is_known_by_its_type():
    bundle = searchset(goal(), MEDICATION)
    for entry in bundle["entry"]:
        del entry["search"]
    assert await found(fhir(bundle)) == ["Goal/g1", "Medication/m1"]


async def test_what_nobody_asked_for_is_left_out():
    other = {"resourceType": "Practitioner", "id": "p1"}
    assert await found(page(goal(), included=[other, MEDICATION])) == ["Goal/g1", "Medication/m1"]
    assert await found(page(goal(), included=[MEDICATION]), query=Query("Goal", (("patient", "1"),))) == [
        "Goal/g1"
    ]


async def test_a_match_of_an_included_type_is_no_match_of_this_search():
    with pytest.raises(NotFhirError):
        await found(page(goal(), MEDICATION))


async def test_a_match_that_is_missing_is_not_made_up_for_by_what_comes_along():
    with pytest.raises(IncompleteRecordError, match="2 matches"):
        await found(page(goal(), included=[MEDICATION], total=2))


async def test_a_total_that_is_an_estimate_counts_on_the_last_page_only():
    pages = (
        page(goal(1), total=9, next_link=f"{BASE}/Goal?page=2"),
        page(goal(2), total=4, next_link=f"{BASE}/Goal?page=3"),
    )
    query = Query("Goal", (("patient", "1"),), estimates_total=True)
    assert len(await found(*pages, page(goal(3), total=3), query=query)) == 3
    with pytest.raises(IncompleteRecordError):
        await found(*pages, page(goal(3), total=4), query=query)


QUERIES = [Query("Goal", (("patient", "1"),)), Query("Coverage", (("patient", "1"),))]


async def each(status, *, batch, may=frozenset({"Coverage"})):
    def answer(request):
        if request.method == "POST":
            entries = json.loads(request.content)["entry"]
            bodies = [one(entry["request"]["url"]) for entry in entries]
            return fhir(
                batch_response(
                    *(
                        {"resource": json.loads(b.content), "response": {"status": str(b.status_code)}}
                        for b in bodies
                    )
                )
            )
        return one(str(request.url))

    def one(url):
        return fhir(outcome(), status) if "Coverage" in url else page(goal())

    async with client_of(Server(answer)) as client:
        return await client.search_each(QUERIES, batch=batch, may_be_withheld=may)


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("status", [403, 404, 405, 501])
async def test_a_search_that_is_not_offered_does_not_end_the_others(status, batch):
    goals, coverage = await each(status, batch=batch)
    assert [resource.reference for resource in goals.resources] == ["Goal/g1"]
    assert coverage.resources == ()
    assert coverage.withheld.status == status


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationRefusedError), (400, RefusedError)])
async def test_any_other_error_ends_them(status, error):
    with pytest.raises(error):
        await each(status, batch=False)


async def test_a_search_that_must_not_be_withheld_ends_them():
    with pytest.raises(AuthenticationRefusedError):
        await each(403, batch=False, may=frozenset())
