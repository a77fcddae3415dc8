"""The life of a plan put together: in order, each thing once, with what others did on the server."""

from datetime import UTC, datetime

import msgspec

from careplan_exchange.errors import EndpointUnreachableError
from careplan_exchange.model.codec import encode
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.record import Resource
from careplan_exchange.operations import History
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from tests.support.hospital import URL, Hospital


class Versions:
    """The server's memory of one hospital, seen as a client sees it."""

    def __init__(self, hospital):
        self._seen = {}
        self.hospital = hospital
        self.gone = set()
        self.broken = False

    def look(self, at):
        for reference, body in self.hospital.everything().items():
            versions = self._seen.setdefault(reference, {})
            versions.setdefault(body["meta"]["versionId"], (at, body))

    async def history(self, resource_type, resource_id):
        if self.broken:
            raise EndpointUnreachableError("Away.", mend="Wait.")
        found = self._seen.get(f"{resource_type}/{resource_id}", {})
        resources = [
            Resource(
                type=resource_type, id=resource_id, version_id=version, last_updated=at, content=encode(body)
            )
            for version, (at, body) in found.items()
        ]
        return tuple(reversed(resources))

    async def find(self, resource_type, resource_id, *, no_cache=False):
        found = await self.history(resource_type, resource_id)
        return None if f"{resource_type}/{resource_id}" in self.gone else found[0]


class World:
    def __init__(self):
        self.hospital = Hospital()
        self.server = Versions(self.hospital)

    async def sync(self):
        receipt = await self.hospital.sync()
        self.pass_time()
        return receipt

    def pass_time(self):
        self.server.look(self.hospital.clock.now().isoformat())
        self.hospital.clock.pass_time(minutes=10)

    async def tell(self, *, server=True):
        teller = History(self.hospital.plans, self.hospital.ledger)
        patient = f"Patient/{self.hospital.source.patient}"
        return await teller.tell(URL, patient, self.server if server else None)


async def test_a_plan_and_a_clinicians_edit_are_told_in_order_with_the_version():
    world = World()
    receipt = await world.sync()
    world.hospital.edit(world.hospital.plan(), status="active")
    world.pass_time()
    told = await world.tell()
    assert [each.kind for each in told.happenings] == ["written", "proposed", "edited"]
    assert told.happenings[0].exchange == receipt.exchange
    assert told.happenings[0].evidence
    assert told.happenings[2].parts[0].reference == f"CarePlan/{world.hospital.plan()['id']}/_history/2"
    assert told.happenings[2].parts[0].what == ("status: draft → active",)
    assert (told.server_asked, told.server_error) == (True, None)


async def test_what_we_wrote_ourselves_is_nobody_elses_edit():
    world = World()
    await world.sync()
    await world.sync()
    assert [each.kind for each in (await world.tell()).happenings] == ["written", "proposed"]


async def test_what_somebody_deleted_is_told():
    world = World()
    await world.sync()
    reference = f"Goal/{world.hospital.goals()[0]['id']}"
    world.server.gone.add(reference)
    (_, _, deleted) = (await world.tell()).happenings
    assert deleted.kind == "deleted"
    assert deleted.parts[0].reference == reference


async def test_a_server_that_is_away_is_said_to_be_and_the_rest_is_told():
    world = World()
    await world.sync()
    world.server.broken = True
    told = await world.tell()
    assert [each.kind for each in told.happenings] == ["written", "proposed"]
    assert (told.server_asked, told.server_error) == (False, "unavailable.endpoint")
    assert (await world.tell(server=False)).server_error is None


async def test_evidence_is_told_where_it_was_new():
    world = World()
    await world.sync()
    kidneys = next(
        one for one in world.hospital.source.resources("Observation") if "62238-1" in encode(one).decode()
    )
    world.hospital.edit(world.hospital.plan(), status="active")
    world.pass_time()
    kidneys["valueQuantity"]["value"] = 25
    kidneys["meta"] = {"versionId": "2"}
    await world.sync()
    asked = [each for each in (await world.tell()).happenings if each.kind in {"proposed", "conflict"}]
    proposed = asked[-1]
    assert proposed.evidence == (f"Observation/{_id(world, kidneys)}/_history/2",)


def _id(world, resource):
    entry = next(each for each in world.hospital.source.bundle["entry"] if each["resource"] is resource)
    return resource.get("id") or entry["fullUrl"].removeprefix("urn:uuid:")


async def test_a_failure_that_a_dead_letter_tells_is_told_once():
    plans, ledger = MemoryPlanStore(), MemoryLedger()
    hospital = Hospital()
    hospital.plans, hospital.ledger = plans, ledger
    letter = DeadLetter(
        id="x1",
        request=ExchangeRequest(endpoint="main", patient="p1"),
        target=URL,
        patient="Patient/p1",
        error="refused",
        detail="No.",
        mend="Ask.",
        created_at="2026-03-04T05:06:07+00:00",
    )
    await plans.put_letter(letter)
    from careplan_exchange.model.ledger import Entry

    failed = Entry(exchange="x1", event="exchange.failed", at=letter.created_at, data={"error": "refused"})
    refused = msgspec.structs.replace(
        failed, event="exchange.refused", data={"status": 403, "asked": ["read Goal"]}
    )
    await ledger.append([refused, failed])
    told = await History(plans, ledger).tell(URL, "Patient/p1", None)
    assert sorted(each.kind for each in told.happenings) == ["failed", "refused"]


async def test_of_a_patient_that_nobody_knows_nothing_is_told():
    told = await History(MemoryPlanStore(), MemoryLedger()).tell(URL, "Patient/p1", None)
    assert told.happenings == ()


async def test_whoever_approves_with_the_command_that_writes_is_told_once():
    world = World()
    await world.hospital.sync(approve=True)
    world.pass_time()
    history = await world.tell()
    approved = [(one.who, one.text) for one in history.happenings if one.kind == "approved"]
    assert approved == [("Dr Who", "Approved by Dr Who, with the command that wrote it.")]


async def test_an_approval_of_a_review_is_told_once_and_not_again_from_the_ledger():
    world = World()
    await world.sync()
    (pending,) = await world.hospital.plans.pendings()
    await world.hospital.sync(accepting=pending)
    world.pass_time()
    history = await world.tell()
    assert [one.who for one in history.happenings if one.kind == "approved"] == ["Dr Who"]


async def test_a_plan_that_stands_as_a_document_is_told_as_a_plan():
    world = World()
    world.hospital.writer.rung = "document"
    await world.sync()
    await world.hospital.sync(approve=True)
    world.pass_time()
    written = [one.text for one in (await world.tell()).happenings if one.kind == "written"]
    assert [text.split(":")[0] for text in written] == ["Written as preliminary", "Written as final"]


async def test_where_something_was_known_last_is_asked_of_writes_questions_and_failures():
    world = World()
    plans = world.hospital.plans
    teller, patient = History(plans, world.hospital.ledger), f"Patient/{world.hospital.source.patient}"
    assert await teller.last_known(URL, patient) is None
    await world.sync()
    (commit,) = await plans.commits()
    (asked,) = await plans.pendings()
    newest = max(datetime.fromisoformat(one) for one in (commit.committed_at, asked.created_at))
    assert await teller.last_known(URL, patient) == newest
    letter = DeadLetter(
        id="x9",
        request=ExchangeRequest(endpoint="main", patient="1"),
        target=URL,
        patient=patient,
        error="refused",
        detail="No.",
        mend="Ask.",
        created_at="2030-01-01T00:00:00Z",
    )
    await plans.put_letter(letter)
    assert await teller.last_known(URL, patient) == datetime(2030, 1, 1, tzinfo=UTC)
    other = msgspec.structs.replace(asked, id="x8", patient="Patient/other", created_at="2031-01-01T00:00:00Z")
    await plans.put_pending(other)
    assert await teller.last_known(URL, "Patient/other") == datetime(2031, 1, 1, tzinfo=UTC)
