"""Intents as the exchange makes them, for the tests of every plan writer."""

import itertools
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from careplan_exchange.audit import CompanionContext, companions
from careplan_exchange.errors import OutcomeUnknownError
from careplan_exchange.model.changes import Base, Intent, Json, Rendered, ResourceChange, WrittenResource
from careplan_exchange.model.codec import encode
from careplan_exchange.model.record import FhirRelease, PatientRecord, Resource
from careplan_exchange.model.target import Rung, TargetForm
from careplan_exchange.ports import PlanWriter
from careplan_exchange.writer import render
from tests.support.plans import a_context, a_proposal
from tests.support.weak_server import WeakServer


class CountedIds:
    """The same ids in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return str(uuid.UUID(int=next(self._numbers)))


def a_create(rendered: Rendered) -> ResourceChange:
    return ResourceChange(
        identity=rendered.identity,
        type=rendered.type,
        action="create",
        full_url=rendered.full_url,
        body=rendered.body,
        ours=rendered.body,
    )


def creates(release: FhirRelease = "R4", rung: Rung = "detail", **names: Any) -> tuple[ResourceChange, ...]:
    """A whole plan that is not on the server yet. `names` are the arguments of `a_proposal`."""
    patient = names.get("patient", "Patient/p1")
    context = a_context(source_patient=patient, subject=patient)
    form = TargetForm(release=release, rung=rung)
    return tuple(a_create(each) for each in render(a_proposal(**names), context, form))


def as_written(change: ResourceChange) -> WrittenResource:
    """What a server that keeps everything makes of a create."""
    stored = {**change.body, "id": "7", "meta": {"versionId": "1"}}
    return WrittenResource(
        identity=change.identity, type=change.type, id="7", version_id="1", action="create", stored=stored
    )


def an_update(written: WrittenResource, **elements: Any) -> ResourceChange:
    """Our own change of what was written, over the version that was written."""
    body = {**written.stored, **elements}
    return ResourceChange(
        identity=written.identity,
        type=written.type,
        action="update",
        full_url=f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, written.identity)}",
        body=body,
        ours=body,
        theirs=written.stored,
        base=Base(
            identity=written.identity,
            type=written.type,
            id=written.id,
            version_id=written.version_id,
            ours=written.stored,
            stored=written.stored,
        ),
        id=written.id,
        version_id=written.version_id,
    )


def an_intent(changes: Iterable[ResourceChange], target: str = "https://weak.example.org/fhir") -> Intent:
    return Intent(
        id=str(uuid.uuid4()),
        exchange="exchange-1",
        target=target,
        patient="Patient/p1",
        changes=tuple(changes),
        created_at="2026-03-04T05:06:07+00:00",
    )


def companions_of(intent: Intent, release: FhirRelease = "R4", **names: Any) -> tuple[Json, ...]:
    context = CompanionContext(
        exchange=intent.exchange,
        request_id=intent.id,
        recorded=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        subject=names.get("patient", "Patient/p1"),
        target=intent.target,
        version="0.1.0",
        same_server=True,
        source_endpoint=intent.target,
    )
    return companions(intent.changes, a_proposal(**names), context, release)


def a_record(endpoint: str, patient: Json) -> PatientRecord:
    return PatientRecord(
        endpoint=endpoint,
        identity=endpoint,
        release="R4",
        patient=Resource(
            type="Patient", id=patient["id"], version_id="1", last_updated=None, content=encode(patient)
        ),
        resources=(),
        categories=frozenset(),
    )


async def lost_update(server: WeakServer, writer: PlanWriter, meanwhile: Callable[[str], object]) -> Intent:
    """An update of a goal whose answer is lost: it was carried out over what somebody did `meanwhile`, who is
    given the goal's reference."""
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    meanwhile(f"Goal/{goal.id}")
    intent = an_intent([an_update(goal, description={"text": "ours"})])
    server.lost = "answer"
    with pytest.raises(OutcomeUnknownError):
        await writer.write(intent, ())
    return intent


async def written_plan(writer: PlanWriter) -> tuple[WrittenResource, ...]:
    return await writer.write(an_intent(creates()), ())
