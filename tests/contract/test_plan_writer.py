"""Every plan writer keeps the promises of `ports.PlanWriter`: in memory, against our sandbox, against real HAPI.

Where HAPI differs from the sandbox, nothing here says so: both must hold what the port states.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal

import httpx
import pytest

from careplan_exchange.errors import DuplicateError, OutcomeUnknownError, VersionConflictError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.model.changes import Intent, Json, ResourceChange, WrittenResource
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.identity import EXCHANGE_TAG, INSTALLATION_TAG
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.ports import PlanWriter
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import FhirPlanWriter, MemoryPlanWriter
from tests.support.product import Server
from tests.support.writing import CountedIds, a_record, an_intent, an_update, companions_of, creates

Lost = Literal["answer", "request"]


class LosingTransport(httpx.AsyncHTTPTransport):
    """The network, which loses the next transaction on its way there or its answer on the way back."""

    lost: Lost | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread() if request.method == "POST" else b""
        if self.lost is None or b'"transaction"' not in body:
            return await super().handle_async_request(request)
        lost, self.lost = self.lost, None
        if lost == "answer":
            response = await super().handle_async_request(request)
            await response.aread()
            await response.aclose()
        raise httpx.ReadTimeout("lost", request=request)


class MemoryWorld:
    """One patient on one server, and what other people do to it."""

    def __init__(self, release: FhirRelease) -> None:
        self.release = release
        self._memory = MemoryPlanWriter(release=release)
        self.writer: PlanWriter = self._memory
        self.names = {"patient": "Patient/p1"}

    def edit(self, resource: WrittenResource, **elements: Any) -> None:
        self._memory.put({**self._memory.history(resource.type, resource.id)[-1], **elements})

    def create(self, body: Json) -> None:
        self._memory.put(body)

    def read(self, resource: WrittenResource) -> Json:
        return self._memory.history(resource.type, resource.id)[-1]

    def companions(self, kind: str, about: WrittenResource) -> list[Json]:
        reference = f"{about.type}/{about.id}"
        return [body for body in self._memory.resources(kind) if reference in str(body)]

    def lose(self, what: Lost) -> None:
        self._memory.fault = "lose-answer" if what == "answer" else "lose-request"


class HttpWorld:
    """The same over HTTP; the record is made anew for each test, so that tests share a server."""

    def __init__(self, url: str, writer: PlanWriter, transport: LosingTransport, release: FhirRelease) -> None:
        self.writer = writer
        self.release = release
        self._server = Server(url)
        self._transport = transport
        patient = self._new({"resourceType": "Patient", "gender": "female"})
        subject = {"reference": patient}
        self.names = {
            "patient": patient,
            "hba1c": self._new(
                {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": subject}
            ),
            "diabetes": self._new(
                {
                    "resourceType": "Condition",
                    "subject": subject,
                    "clinicalStatus": {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                                "code": "active",
                            }
                        ]
                    },
                }
            ),
            "allergy": self._new(
                {
                    "resourceType": "AllergyIntolerance",
                    "patient": subject,
                    "clinicalStatus": {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                                "code": "active",
                            }
                        ]
                    },
                }
            ),
            "version": "1",
        }

    def close(self) -> None:
        self._server.http.close()

    def _new(self, body: Json) -> str:
        return f"{body['resourceType']}/{self._server.post(body['resourceType'], body)['id']}"

    def edit(self, resource: WrittenResource, **elements: Any) -> None:
        answer = self._server.put({**self.read(resource), **elements})
        assert answer.status_code == 200, answer.text

    def create(self, body: Json) -> None:
        self._server.post(body["resourceType"], body)

    def read(self, resource: WrittenResource) -> Json:
        return self._server.get(f"{resource.type}/{resource.id}")

    def companions(self, kind: str, about: WrittenResource) -> list[Json]:
        parameter = "target" if kind == "Provenance" else "entity"
        return self._server.search(f"{kind}?{parameter}={about.type}/{about.id}&_count=100")

    def lose(self, what: Lost) -> None:
        self._transport.lost = what

    def validator_errors(self, body: Json, profile: str | None) -> list[str]:
        query = f"?profile={profile}" if profile else ""
        outcome = self._server.http.post(
            f"{self._server.url}/{body['resourceType']}/$validate{query}",
            content=encode(body),
            headers={"Content-Type": "application/fhir+json"},
        )
        return [
            f"{body['resourceType']}: {issue.get('diagnostics')}"
            for issue in decode(outcome.content)["issue"]
            if issue["severity"] in {"error", "fatal"}
        ]


World = MemoryWorld | HttpWorld

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
HAPI = [
    pytest.param("hapi_r4", id="HAPI R4", marks=pytest.mark.hapi),
    pytest.param("hapi_r5", id="HAPI R5", marks=pytest.mark.hapi),
]
WORLDS = [
    pytest.param("memory", id="memory"),
    pytest.param("memory R5", id="memory R5"),
    pytest.param("sandbox", id="sandbox"),
    pytest.param("sandbox_r5", id="sandbox R5"),
    *HAPI,
]


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    release: FhirRelease = "R5" if request.param.lower().endswith("r5") else "R4"
    async with contextlib.AsyncExitStack() as stack:
        if request.param.startswith("memory"):
            yield MemoryWorld(release)
            return
        url = request.getfixturevalue(request.param).url
        transport = LosingTransport()
        ids = CountedIds()
        client = await stack.enter_async_context(connect(Connection(base_url=url), ids=ids, transport=transport))
        http = HttpWorld(url, FhirPlanWriter(client, ids=ids, habits=MemoryPlanStore()), transport, release)
        stack.callback(http.close)
        yield http


def a_plan(world: World) -> tuple[ResourceChange, ...]:
    return creates(world.release, "references", **world.names)


def intent_for(world: World, changes: tuple[ResourceChange, ...] | list[ResourceChange]) -> Intent:
    return an_intent(changes, world.writer.target)


async def written_plan(world: World) -> tuple[WrittenResource, ...]:
    return await world.writer.write(intent_for(world, a_plan(world)), ())


def the_plan(written: tuple[WrittenResource, ...]) -> WrittenResource:
    return next(each for each in written if each.type == "CarePlan")


async def test_it_says_which_release_it_takes(world):
    assert (await world.writer.form()).release == world.release


async def test_the_patient_of_the_same_server_is_the_one_that_was_read(world):
    record = a_record(world.writer.target, {"resourceType": "Patient", "id": "p1"})
    assert await world.writer.subject(record) == "Patient/p1"


async def test_nothing_is_held_before_anything_was_written(world):
    changes = a_plan(world)
    assert await world.writer.current({c.type: {c.identity} for c in changes}) == ()


async def test_what_was_written_is_returned_in_the_order_of_the_changes_and_held_from_then_on(world):
    changes = a_plan(world)
    written = await world.writer.write(intent_for(world, changes), ())
    assert [each.identity for each in written] == [change.identity for change in changes]
    assert {each.action for each in written} == {"create"}
    wanted: dict[str, set[str]] = {}
    for change in changes:
        wanted.setdefault(change.type, set()).add(change.identity)
    held = await world.writer.current(wanted)
    assert {(h.identity, h.id, h.version_id) for h in held} == {(w.identity, w.id, w.version_id) for w in written}


async def test_a_server_that_keeps_everything_has_lost_nothing(world):
    written = await written_plan(world)
    assert [issue for each in written for issue in each.issues] == []
    (after,) = await world.writer.write(intent_for(world, [an_update(the_plan(written), title="Other")]), ())
    assert after.issues == ()


async def test_the_plan_points_at_the_goals_by_the_ids_that_the_server_gave_them(world):
    written = await written_plan(world)
    goals = [each.id for each in written if each.type == "Goal"]
    assert [ref["reference"] for ref in world.read(the_plan(written))["goal"]] == [
        f"Goal/{goal}" for goal in goals
    ]


async def test_companions_are_written_with_the_plan(world):
    intent = intent_for(world, a_plan(world))
    written = await world.writer.write(intent, companions_of(intent, world.release, **world.names))
    for each in written:
        assert len(world.companions("Provenance", each)) == 1
        assert len(world.companions("AuditEvent", each)) == 1


def tagged(bodies: Iterable[Json], exchange: str, installation: str) -> list[Json]:
    tags = [
        {"system": EXCHANGE_TAG, "code": exchange},
        {"system": INSTALLATION_TAG, "code": installation},
    ]
    return [
        {**body, "meta": {**body.get("meta", {}), "tag": tags}} if body["resourceType"] == "Provenance" else body
        for body in bodies
    ]


async def test_it_finds_out_who_of_us_wrote_what_stands_there_the_newest_first(world):
    plan_and_goals = await written_plan(world)
    plan, goal = the_plan(plan_and_goals), next(each for each in plan_and_goals if each.type == "Goal")
    references = {f"{each.type}/{each.id}" for each in (plan, goal)}
    assert await world.writer.writings(references) == ()
    for number in (1, 2):
        intent = intent_for(world, [an_update(plan, title=f"Title {number}")])
        companions = [
            {**body, "recorded": f"2026-03-0{number}T00:00:00Z"} if body["resourceType"] == "Provenance" else body
            for body in companions_of(intent, world.release, **world.names)
        ]
        (plan,) = await world.writer.write(intent, tagged(companions, f"exchange-{number}", "store-1"))
    found = await world.writer.writings(references)
    assert [(each.reference, each.exchange, each.installation) for each in found] == [
        (f"CarePlan/{plan.id}", "exchange-2", "store-1"),
        (f"CarePlan/{plan.id}", "exchange-1", "store-1"),
    ]
    assert found[0].at.startswith("2026-03-02T00:00:00")
    assert await world.writer.writings({f"Goal/{goal.id}"}) == ()


async def test_companions_are_not_written_where_the_plan_is_refused(world):
    written = await written_plan(world)
    plan = the_plan(written)
    world.edit(plan, title="A clinician's title")
    intent = intent_for(world, [an_update(plan, title="Ours")])
    with pytest.raises(VersionConflictError):
        await world.writer.write(intent, companions_of(intent, world.release, **world.names))
    assert world.companions("Provenance", plan) == []


async def test_an_update_makes_the_next_version(world):
    plan = the_plan(await written_plan(world))
    intent = intent_for(world, [an_update(plan, title="Another title")])
    (after,) = await world.writer.write(intent, companions_of(intent, world.release, **world.names))
    assert len(world.companions("Provenance", plan)) == 1
    assert (after.action, after.id) == ("update", plan.id)
    assert after.version_id != plan.version_id
    assert after.stored["title"] == world.read(plan)["title"] == "Another title"


async def test_an_edit_in_between_is_a_conflict_and_nothing_of_the_write_stands(world):
    written = await written_plan(world)
    plan = the_plan(written)
    goal = written[0]
    world.edit(plan, title="A clinician's title")
    stale = [an_update(goal, description={"text": "Ours"}), an_update(plan, title="Ours")]
    with pytest.raises(VersionConflictError):
        await world.writer.write(intent_for(world, stale), ())
    assert world.read(plan)["title"] == "A clinician's title"
    assert world.read(goal)["description"] == goal.stored["description"]


async def test_a_plan_that_is_there_already_is_a_conflict_and_not_made_again(world):
    changes = a_plan(world)
    await world.writer.write(intent_for(world, changes), ())
    with pytest.raises(VersionConflictError):
        await world.writer.write(intent_for(world, changes), ())
    (held,) = await world.writer.current({"CarePlan": {changes[-1].identity}})
    assert held.version_id == "1"


async def test_an_identity_that_stands_twice_is_an_error(world):
    changes = a_plan(world)
    goal = next(change for change in changes if change.type == "Goal")
    world.create(goal.body)
    world.create(goal.body)
    with pytest.raises(DuplicateError):
        await world.writer.current({"Goal": {goal.identity}})


async def test_a_lost_answer_is_settled_as_committed_with_what_was_stored(world):
    intent = intent_for(world, a_plan(world))
    world.lose("answer")
    with pytest.raises(OutcomeUnknownError):
        await world.writer.write(intent, ())
    settled = await world.writer.settle(intent, {})
    assert settled.outcome == "committed"
    assert [each.identity for each in settled.written] == [change.identity for change in intent.changes]
    assert {each.version_id for each in settled.written} == {"1"}


async def test_a_lost_request_is_settled_as_absent_and_may_be_sent_then(world):
    intent = intent_for(world, a_plan(world))
    world.lose("request")
    with pytest.raises(OutcomeUnknownError):
        await world.writer.write(intent, ())
    assert (await world.writer.settle(intent, {})).outcome == "absent"
    assert len(await world.writer.write(intent, ())) == len(intent.changes)


async def test_an_update_whose_answer_was_lost_is_found_below_a_clinicians_later_edit(world):
    plan = the_plan(await written_plan(world))
    intent = intent_for(world, [an_update(plan, title="Ours")])
    world.lose("answer")
    with pytest.raises(OutcomeUnknownError):
        await world.writer.write(intent, ())
    world.edit(plan, title="A clinician's title")
    settled = await world.writer.settle(intent, {})
    assert settled.outcome == "committed"
    assert [(each.version_id, each.stored["title"]) for each in settled.written] == [("2", "Ours")]


async def test_an_update_that_never_arrived_is_absent_below_a_clinicians_edit(world):
    plan = the_plan(await written_plan(world))
    intent = intent_for(world, [an_update(plan, title="Ours")])
    world.lose("request")
    with pytest.raises(OutcomeUnknownError):
        await world.writer.write(intent, ())
    world.edit(plan, title="A clinician's title")
    assert (await world.writer.settle(intent, {})).outcome == "absent"


async def test_something_else_under_our_identity_is_unclear(world):
    changes = [change for change in a_plan(world) if change.type == "Goal"][:1]
    world.create({**changes[0].body, "description": {"text": "Somebody else's"}})
    assert (await world.writer.settle(intent_for(world, changes), {})).outcome == "unclear"


@pytest.mark.parametrize("world", HAPI, indirect=True)
async def test_the_hl7_validator_finds_no_error_in_anything_that_was_written(world):
    first = intent_for(world, a_plan(world))
    written = await world.writer.write(first, companions_of(first, world.release, **world.names))
    second = intent_for(world, [an_update(the_plan(written), title="Another title")])
    await world.writer.write(second, companions_of(second, world.release, **world.names))
    stored = [world.read(each) for each in written]
    stored += [
        body for kind in ("Provenance", "AuditEvent") for e in written for body in world.companions(kind, e)
    ]
    profiled = {"CarePlan", "Goal", "Provenance"} if world.release == "R4" else set()
    for body in stored:
        kind = body["resourceType"]
        assert world.validator_errors(body, None) == []
        if kind in profiled:
            assert world.validator_errors(body, US_CORE + kind.lower()) == []
