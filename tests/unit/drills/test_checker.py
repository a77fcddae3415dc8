"""The checker, on servers that stand as a bug would have left them: every count is provoked, each by itself."""

import copy
import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange.drills.checker import COUNTS, Case, Count, check
from careplan_exchange.drills.clinician import Edit

SYSTEM = "urn:careplan-exchange:identity"
BASE = "https://hospital.example.org/fhir"
PLAN, GOAL, OTHER = "CarePlan/p", "Goal/a", "Goal/b"

Json = dict[str, Any]


def version(reference: str, number: int, second: int = 0, **elements: Any) -> Json:
    kind, _, identity = reference.partition("/")
    return {
        "resourceType": kind,
        "id": identity,
        "meta": {"versionId": str(number), "lastUpdated": f"2026-11-24T10:00:{second:02}.000Z"},
        "identifier": [{"system": SYSTEM, "value": reference}],
        "subject": {"reference": "Patient/1"},
        **elements,
    }


def plan(number: int, second: int = 0, *, goals: tuple[str, ...] = (GOAL, OTHER), **elements: Any) -> Json:
    rests = {"supportingInfo": [{"reference": "Observation/o"}]}
    return version(PLAN, number, second, goal=[{"reference": goal} for goal in goals], **{**rests, **elements})


class Hospital:
    """A server as JSON: versions by reference, oldest first, and the ledger beside it."""

    def __init__(self, folder: Path) -> None:
        self.versions: dict[str, list[Json]] = {
            PLAN: [plan(1)],
            GOAL: [version(GOAL, 1)],
            OTHER: [version(OTHER, 1)],
        }
        self.deleted: set[str] = set()
        self.file = folder / "careplan.db"
        self.recorded = [(reference, "1") for reference in self.versions]
        self.edits: list[Edit] = []
        self.clinical: set[tuple[str, str]] = set()
        self.batches = True

    def edited(self, body: Json, path: tuple[str | int, ...], holds: Any, value: Any = None) -> None:
        """A clinician's version, and what it says."""
        reference = f"{body['resourceType']}/{body['id']}"
        number = body["meta"]["versionId"]
        self.versions[reference].append(body)
        self.clinical.add((reference, number))
        self.edits.append(Edit(reference, number, path, holds, value))

    def ours(self, body: Json) -> None:
        reference = f"{body['resourceType']}/{body['id']}"
        self.versions.setdefault(reference, []).append(body)
        self.recorded.append((reference, body["meta"]["versionId"]))

    async def count(self, **changes: Any) -> Count:
        with sqlite3.connect(self.file) as database:
            database.execute("CREATE TABLE careplan_ledger (seq INTEGER, exchange TEXT, entry TEXT)")
            resources = [
                {"reference": reference, "versionId": number, "action": "create"}
                for reference, number in self.recorded
            ]
            entry = json.dumps({"event": "exchange.finished", "data": {"resources": resources}})
            database.execute("INSERT INTO careplan_ledger VALUES (1, 'x', ?)", (entry,))
        database.close()
        case: dict[str, Any] = {
            "base": BASE,
            "credentials": {},
            "patient": "1",
            "edits": self.edits,
            "clinical": self.clinical,
            "store": f"sqlite:///{self.file}",
            "password": None,
            "exchanges": ["x"],
        }
        async with httpx.AsyncClient(transport=httpx.MockTransport(self._answer)) as http:
            return await check(Case(**{**case, **changes}), http)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            if not self.batches:
                return httpx.Response(405)
            asked = json.loads(request.content)["entry"]
            entries = [{"resource": self._found(entry["request"]["url"])} for entry in asked]
            return httpx.Response(
                200, json={"resourceType": "Bundle", "type": "batch-response", "entry": entries}
            )
        return httpx.Response(200, json=self._found(str(request.url).removeprefix(f"{BASE}/")))

    def _found(self, path: str) -> Json:
        place = path.partition("?")[0]
        if place.endswith("/_history"):
            found = self.versions.get(place.removesuffix("/_history"), [])
        elif place == "Observation":
            found = [{"resourceType": "Observation", "id": "o", "effectiveDateTime": "2026-11-01"}]
        else:
            found = [
                versions[-1]
                for reference, versions in self.versions.items()
                if reference.startswith(f"{place}/") and reference not in self.deleted
            ]
        entries = [{"resource": copy.deepcopy(one)} for one in found]
        return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def only(count: Count, **expected: int) -> bool:
    return {name: getattr(count, name) for name in COUNTS} == {name: expected.get(name, 0) for name in COUNTS}


async def test_a_plan_that_is_as_it_should_be_counts_nothing(hospital: Hospital) -> None:
    hospital.edited(plan(2, title="Agreed"), ("title",), "equals", "Agreed")
    hospital.ours(plan(3, title="Agreed", status="draft"))
    count = await hospital.count()
    assert only(count), count.notes


async def test_it_counts_the_same_where_the_server_takes_no_batch(hospital: Hospital) -> None:
    hospital.batches = False
    hospital.ours(plan(2, goals=(GOAL,)))
    assert only(await hospital.count(), lost=1, orphaned=1)


async def test_an_edit_that_our_version_took_out_is_overwritten_and_lost(hospital: Hospital) -> None:
    hospital.edited(plan(2, note=[{"text": "mine"}]), ("note",), "contains", {"text": "mine"})
    hospital.ours(plan(3))
    assert only(await hospital.count(), overwritten=1, lost=1)


async def test_an_edit_that_came_back_was_overwritten_all_the_same(hospital: Hospital) -> None:
    hospital.edited(plan(2, title="mine"), ("title",), "equals", "mine")
    hospital.ours(plan(3, title="ours"))
    hospital.ours(plan(4, title="mine"))
    assert only(await hospital.count(), overwritten=1)


async def test_where_the_server_ignores_if_match_one_that_is_put_back_at_once_is_told_apart(
    hospital: Hospital,
) -> None:
    hospital.edited(plan(2, title="mine"), ("title",), "equals", "mine")
    hospital.ours(plan(3, title="ours"))
    hospital.ours(plan(4, title="mine"))
    count = await hospital.count(unguarded=True)
    assert only(count), count.notes
    assert count.put_back == 1


async def test_a_version_that_replaced_an_edit_and_the_one_that_put_it_back_are_both_in_the_ledger(
    hospital: Hospital,
) -> None:
    hospital.edited(plan(2, title="mine"), ("title",), "equals", "mine")
    hospital.versions[PLAN] += [plan(3, title="ours"), plan(4, title="mine")]
    count = await hospital.count(unguarded=True)
    assert only(count, unrecorded=2)
    assert count.put_back == 1


async def test_what_was_taken_back_may_be_in_the_ledger_though_no_search_finds_it(hospital: Hospital) -> None:
    hospital.ours(version("Goal/c", 1))
    hospital.deleted.add("Goal/c")
    hospital.ours(version("Goal/d", 1))
    hospital.ours({**version("Goal/d", 2), "identifier": []})
    assert only(await hospital.count())


async def test_what_only_the_ledger_has_never_was_on_the_server(hospital: Hospital) -> None:
    hospital.recorded.append(("Goal/never", "1"))
    count = await hospital.count()
    assert only(count, unrecorded=1)
    assert "never was" in count.notes[0]


async def test_a_later_edit_of_the_same_element_takes_the_place_of_the_earlier(hospital: Hospital) -> None:
    hospital.edited(plan(2, title="first"), ("title",), "equals", "first")
    hospital.edited(plan(3, title="second"), ("title",), "equals", "second")
    assert only(await hospital.count())


async def test_a_clinicians_version_that_the_server_no_longer_has_is_lost(hospital: Hospital) -> None:
    hospital.edits.append(Edit(PLAN, "9", ("title",), "equals", "mine"))
    assert only(await hospital.count(), lost=1)


async def test_a_goal_that_a_clinician_took_out_and_we_put_in_again_is_overwritten(hospital: Hospital) -> None:
    hospital.edited(plan(2, goals=(GOAL,)), ("goal", OTHER), "absent")
    hospital.ours(plan(3))
    assert only(await hospital.count(), overwritten=1, lost=1)


async def test_a_goal_that_a_clinician_deleted_and_we_made_again_is_overwritten(hospital: Hospital) -> None:
    hospital.edited(plan(2, goals=(GOAL,)), ("goal", OTHER), "absent")
    hospital.edits.append(Edit(OTHER, "", (), "deleted"))
    hospital.deleted.add(OTHER)
    again = version("Goal/c", 1)
    again["identifier"] = version(OTHER, 1)["identifier"]
    hospital.ours(again)
    hospital.ours(plan(3, 1, goals=(GOAL, "Goal/c")))
    assert only(await hospital.count(), overwritten=1)


async def test_no_plan_at_all_is_lost(hospital: Hospital) -> None:
    hospital.deleted.add(PLAN)
    assert (await hospital.count()).lost == 1


async def test_a_goal_that_was_retired_though_its_reason_holds_is_lost(hospital: Hospital) -> None:
    hospital.ours(version(GOAL, 2, lifecycleStatus="cancelled"))
    assert only(await hospital.count(), lost=1)


async def test_a_plan_that_does_not_know_the_newest_reading_is_lost(hospital: Hospital) -> None:
    hospital.ours(plan(2, supportingInfo=[]))
    assert only(await hospital.count(), lost=1)
    assert not hospital.edits


async def test_a_question_to_a_person_though_nobody_has_edited_is_lost(hospital: Hospital) -> None:
    assert only(await hospital.count(waits=True), lost=1)


async def test_one_identity_in_two_resources_is_doubled(hospital: Hospital) -> None:
    second = version("Goal/c", 1)
    second["identifier"] = version(GOAL, 1)["identifier"]
    hospital.ours(second)
    hospital.ours(plan(2, 1, goals=(GOAL, OTHER, "Goal/c")))
    assert only(await hospital.count(), doubled=1)


async def test_a_second_plan_of_another_identity_is_doubled(hospital: Hospital) -> None:
    hospital.ours({**plan(1), "id": "q", "identifier": [{"system": SYSTEM, "value": "another"}]})
    assert only(await hospital.count(), doubled=1)


async def test_a_goal_that_no_plan_names_is_orphaned(hospital: Hospital) -> None:
    hospital.ours(version("Goal/c", 1))
    assert only(await hospital.count(), orphaned=1)


async def test_what_a_person_is_asked_about_is_no_orphan_if_the_ledger_says_so(hospital: Hospital) -> None:
    hospital.ours(version("Goal/c", 1))
    count = await hospital.count(asked=True)
    assert only(count, unrecorded=1)
    assert "the ledger does not say so" in count.notes[0]


async def test_a_plan_that_names_a_request_that_is_not_there_is_orphaned(hospital: Hospital) -> None:
    hospital.ours(plan(2, activity=[{"reference": {"reference": "ServiceRequest/none"}}]))
    assert only(await hospital.count(), orphaned=1)


async def test_a_version_of_ours_that_the_ledger_does_not_have_is_unrecorded(hospital: Hospital) -> None:
    hospital.versions[GOAL].append(version(GOAL, 2))
    assert only(await hospital.count(), unrecorded=1)


async def test_a_version_that_only_the_ledger_has_is_unrecorded(hospital: Hospital) -> None:
    hospital.recorded.append((GOAL, "2"))
    assert only(await hospital.count(), unrecorded=1)


async def test_a_plan_that_came_before_its_goal_was_half_written(hospital: Hospital) -> None:
    hospital.versions[GOAL] = [version(GOAL, 1, second=5)]
    assert only(await hospital.count(), half_written=1)


async def test_a_plan_whose_goal_was_never_made_is_half_written_and_orphaned(hospital: Hospital) -> None:
    hospital.ours(plan(2, goals=(GOAL, OTHER, "Goal/never")))
    assert only(await hospital.count(), half_written=1, orphaned=1)


async def test_a_goal_that_rests_on_another_patients_reading_is_misplaced(hospital: Hospital) -> None:
    hospital.ours(version(GOAL, 2, addresses=[{"reference": "Observation/theirs"}]))
    assert only(await hospital.count(), misplaced=1)


async def test_a_version_that_a_history_leaves_out_is_asked_for(hospital: Hospital) -> None:
    hospital.edited(plan(2, title="mine"), ("title",), "equals", "mine")
    hospital.ours(plan(3, title="mine"))
    whole = hospital._found

    def with_a_gap(path: str) -> Json:
        if path == f"{PLAN}/_history/2":
            return hospital.versions[PLAN][1]
        found = whole(path)
        if path.startswith(f"{PLAN}/_history?"):
            del found["entry"][1]
        return found

    hospital._found = with_a_gap  # type: ignore[method-assign]
    assert only(await hospital.count())
