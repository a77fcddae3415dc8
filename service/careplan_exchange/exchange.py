"""The data path for one patient: pull, map, plan, compare, decide, write, record.

Read `propose` for the dry run and `sync` for the whole. Both are the same code; the dry run stops before
anything is compared.
"""

from collections.abc import Sequence
from datetime import date
from functools import cache

import msgspec

from careplan_exchange import logs
from careplan_exchange.audit import CompanionContext, Notes, companions, receipt_of
from careplan_exchange.errors import (
    CareplanError,
    OutcomeUnknownError,
    PlanElsewhereError,
    UnavailableError,
    UnsettledWriteError,
    VersionConflictError,
)
from careplan_exchange.mapping import Mappings, assumed, map_record
from careplan_exchange.model.changes import Base, ChangeSet, Intent, Rendered, ResourceChange, WrittenResource
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.explanation import Explanation
from careplan_exchange.model.identity import PLAN_KEY, identity_of
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.review import Decision, Pending, ReviewPolicy
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import Policies, Protocol, plan, trace
from careplan_exchange.ports import Clock, Ids, Ledger, PlanStore, PlanWriter, Source
from careplan_exchange.reconcile import accept, compare, held_in, next_base, same_decision
from careplan_exchange.review import decide
from careplan_exchange.writer import RenderContext, render

_LIVING = frozenset({"draft", "active", "on-hold", "unknown"})

MERGE_ATTEMPTS = 4
"""How often a plan is read, merged and sent before we give up: somebody else keeps changing it, or the server
keeps failing without carrying it out."""


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """Everything clinical, loaded and checked once."""

    vocabulary: Vocabulary
    mappings: Mappings
    protocols: tuple[Protocol, ...]
    policies: Policies


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that an exchange runs on, and what it was told. `version` is this software's."""

    source: Source
    writer: PlanWriter
    plans: PlanStore
    ledger: Ledger
    clock: Clock
    ids: Ids
    knowledge: Knowledge
    policy: ReviewPolicy
    version: str

    @property
    def same_server(self) -> bool:
        """Whether the record is read where the plan is written: then the record holds the plan too."""
        return self.source.endpoint == self.writer.target


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One run for one patient. `asked.patient` is an id on the source; `accepting` a reviewed change to write."""

    exchange: str
    asked: ExchangeRequest
    today: date
    accepting: Pending | None = None

    @property
    def subject(self) -> str:
        return f"Patient/{self.asked.patient}"


async def read(source: Source, knowledge: Knowledge, patient: str, today: date) -> tuple[PatientRecord, Snapshot]:
    """Pull and map: what `careplan map` shows. Nothing is written, here or on any server."""
    record = await source.pull(patient)
    return record, map_record(record, knowledge.mappings, knowledge.vocabulary, today=today)


async def propose(
    source: Source, knowledge: Knowledge, patient: str, today: date
) -> tuple[PatientRecord, Proposal]:
    """Pull, map, plan: what `careplan plan` shows. Nothing is written, here or on any server.

    `Proposal.issues` are those of all three steps.
    """
    record, snapshot = await read(source, knowledge, patient, today)
    proposal = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies, record)
    return record, msgspec.structs.replace(proposal, issues=(*snapshot.issues, *proposal.issues))


async def explain(
    source: Source, knowledge: Knowledge, patient: str, today: date
) -> tuple[PatientRecord, Explanation]:
    """Of everything that could be in the plan why it is or is not, and what would change it."""
    record, snapshot = await read(source, knowledge, patient, today)
    proposal = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)
    return record, trace(proposal, snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)


async def suppose(
    source: Source, knowledge: Knowledge, patient: str, today: date, given: Sequence[str]
) -> tuple[Proposal, Proposal]:
    """The plan as it is, and as it would be if what is `given` held (`egfr=28`). The second is hypothetical: it
    names its assumptions, and no renderer takes it. Raises UsageError for an assumption that is none."""
    wanted = assumed(given, knowledge.vocabulary, today=today)
    record, proposal = await propose(source, knowledge, patient, today)
    snapshot = map_record(record, knowledge.mappings, knowledge.vocabulary, today=today, given=wanted)
    other = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)
    issues = (*snapshot.issues, *other.issues)
    return proposal, msgspec.structs.replace(other, issues=issues, assumed=wanted.texts)


async def sync(steps: Steps, request: Request) -> Receipt:
    """The whole path, safe to repeat and to run many times at once.

    Raises CareplanError and its kind. Whatever it raises, nothing was sent without an intent in the store, and
    the next run for this patient settles that intent before it does anything else.
    """
    notes = Notes(
        steps.ledger,
        steps.clock,
        exchange=request.exchange,
        patient=request.subject,
        target=steps.writer.target,
    )
    try:
        async with steps.plans.patient_lock(steps.writer.target, _whose(steps, request)):
            await _settle_what_is_open(steps, request, notes)
            failure: CareplanError
            for _ in range(MERGE_ATTEMPTS):
                record, proposal = await propose(
                    steps.source, steps.knowledge, request.asked.patient, request.today
                )
                notes.planned(record, proposal)
                changes, approve = await _compare(steps, request, record, proposal)
                notes.compared(changes)
                decision = decide(changes, steps.policy, approve=approve)
                await _keep_what_waits(steps, request, decision, notes)
                try:
                    written = await _write(
                        steps, request, record=record, proposal=proposal, changes=decision.write, notes=notes
                    )
                except VersionConflictError as error:
                    notes.add(logs.WRITE_CONFLICT)  # somebody was quicker: read and merge again, never resend
                    failure = error
                    continue
                except _NotCarriedOutError as error:
                    failure = error
                    continue
                receipt = receipt_of(request.exchange, proposal, decision, written)
                await notes.finished(receipt)
                return receipt
            raise _given_up(failure)
    except CareplanError as error:
        await notes.failed(error)
        raise


class _NotCarriedOutError(UnavailableError):
    """A write came to nothing, and a look at the server has shown that nothing of it stands there."""


def _given_up(failure: CareplanError) -> CareplanError:
    if isinstance(failure, _NotCarriedOutError):
        return UnavailableError(
            f"{MERGE_ATTEMPTS} tries, and a look at the server shows that nothing was written. {failure.detail}",
            mend="Look at the server's log and at any proxy between, then run the same command again.",
            issues=failure.issues,
        )
    return VersionConflictError(
        f"The plan was changed by somebody else {MERGE_ATTEMPTS} times while it was being merged.",
        mend="Run the same command again when nobody is editing the plan.",
        issues=failure.issues,
    )


def _whose(steps: Steps, request: Request) -> str:
    """Whose plan it is, for the store: the patient's reference, and where another server holds the record with
    that server's identity before it. Two hospitals may each have a `Patient/1`."""
    return request.subject if steps.same_server else f"{steps.source.identity}/{request.subject}"


async def _settle_what_is_open(steps: Steps, request: Request, notes: Notes) -> None:
    """An earlier run may have ended between sending and hearing back: find out what became of it."""
    for intent in await steps.plans.open_intents(steps.writer.target, _whose(steps, request)):
        await _settle(steps, intent, notes)


async def _settle(steps: Steps, intent: Intent, notes: Notes) -> tuple[WrittenResource, ...] | None:
    """The resources of a write that did happen, or None where nothing of it stands on the server."""
    settlement = await steps.writer.settle(intent)
    notes.add(logs.EXCHANGE_SETTLED, intent=intent.id, state=settlement.outcome, of=intent.exchange)
    if settlement.outcome == "unclear":
        raise UnsettledWriteError(
            "An earlier write left resources on the server that differ from what was sent.",
            mend=f"Look at them (`careplan audit show {intent.exchange}`), then mend or delete them there.",
            issues=settlement.issues,
        )
    if settlement.outcome == "absent":
        await steps.plans.close_intent(intent, ())
        return None
    await steps.plans.close_intent(intent, _bases(intent.changes, settlement.written))
    return settlement.written


async def _compare(
    steps: Steps, request: Request, record: PatientRecord, proposal: Proposal
) -> tuple[ChangeSet, bool]:
    """What would change, and whether it is approved: by request, by policy, or by a review that still fits.

    A review lets through what it showed and nothing else. It makes a plan active only where it showed a new one:
    whoever answers a question about a draft has not adopted the draft.
    """
    subject = await steps.writer.subject(record)
    bases = await steps.plans.bases(steps.writer.target, _whose(steps, request))
    release = await steps.writer.release()

    @cache
    def rendered(*, active: bool) -> tuple[Rendered, ...]:
        context = RenderContext(
            endpoint_identity=record.identity,
            source_endpoint=record.endpoint,
            source_patient=record.patient.reference,
            subject=subject,
            same_server=steps.same_server,
            now=steps.clock.now(),
            status="active" if active else "draft",
            version=steps.version,
        )
        return render(proposal, context, release)

    wanted: dict[str, set[str]] = {}
    known: tuple[Rendered | Base, ...] = (*rendered(active=False), *bases.values())
    for one in known:
        wanted.setdefault(one.type, set()).add(one.identity)
    held = held_in(record.resources, wanted) if steps.same_server else await steps.writer.current(wanted)
    if steps.same_server:
        _refuse_a_second_plan(record)

    def compared(*, approve: bool) -> ChangeSet:
        return compare(rendered(active=approve), held, bases, approve=approve, patient=subject)

    stands = any(resource.type == "CarePlan" for resource in held)
    approve = request.asked.approve or (steps.policy.new_plans == "active" and not stands)
    changes = compared(approve=approve)
    if request.accepting is None or not same_decision(request.accepting.change_set, changes):
        return changes, approve
    is_new = not stands and all(base.type != "CarePlan" for base in bases.values())
    return accept(compared(approve=True) if is_new else changes), True


def _refuse_a_second_plan(record: PatientRecord) -> None:
    """A plan of ours under another identity was written when this endpoint was named or addressed differently:
    writing a second one beside it would double the plan."""
    ours = identity_of(record.identity, record.patient.reference, "CarePlan", PLAN_KEY)
    for held in held_in(record.of("CarePlan")):
        if held.identity != ours and held.body.get("status") in _LIVING:
            raise PlanElsewhereError(
                f"{held.reference} was written by careplan-exchange under another identity of this server.",
                mend="Set `identity` of the endpoint in careplan.toml to what it was when that plan was written "
                "(without one it was the URL then in use), or revoke that plan.",
            )


async def _keep_what_waits(steps: Steps, request: Request, decision: Decision, notes: Notes) -> None:
    """What waits is kept once: the same question on another day keeps the id under which a person knows it."""
    now = steps.clock.now().isoformat()
    target, whose = steps.writer.target, _whose(steps, request)
    if not decision.waits:
        if request.accepting is None:
            await steps.plans.clear_pending(target, whose, now)
        return
    asked_before = (
        pending
        for pending in await steps.plans.pendings(of=(target, whose))
        if same_decision(pending.change_set, decision.wait)
    )
    pending = next(asked_before, None) or await steps.plans.put_pending(
        Pending(
            id=request.exchange,
            request=request.asked,
            target=target,
            patient=whose,
            change_set=decision.wait,
            why=decision.why,
            created_at=now,
        )
    )
    notes.add(logs.REVIEW_WAITING, review=pending.id, count=len(decision.wait.changes))


async def _write(
    steps: Steps,
    request: Request,
    *,
    record: PatientRecord,
    proposal: Proposal,
    changes: ChangeSet,
    notes: Notes,
) -> tuple[WrittenResource, ...]:
    """Intent first, then one transaction, then the new bases. Raises VersionConflictError and _NotCarriedOutError
    where a fresh read and merge is due; nothing of ours stands on the server then."""
    adopted = tuple(change for change in changes.changes if change.action == "unchanged" and change.base is None)
    if adopted:
        await steps.plans.save_bases(
            steps.writer.target, _whose(steps, request), _bases(adopted, _as_held(adopted))
        )
    if not changes.to_write:
        return ()
    intent = Intent(
        id=steps.ids.new(),
        exchange=request.exchange,
        target=steps.writer.target,
        patient=_whose(steps, request),
        changes=changes.to_write,
        created_at=steps.clock.now().isoformat(),
    )
    context = CompanionContext(
        exchange=request.exchange,
        request_id=intent.id,
        recorded=steps.clock.now(),
        subject=changes.patient,
        target=steps.writer.target,
        version=steps.version,
        same_server=steps.same_server,
        source_endpoint=record.endpoint,
    )
    attached = companions(intent.changes, proposal, context, await steps.writer.release())
    notes.add(logs.WRITE_INTENT, intent=intent.id, resources=[change.reference for change in intent.changes])
    await notes.flush()
    await steps.plans.open_intent(intent)
    try:
        written = await steps.writer.write(intent, attached)
    except OutcomeUnknownError as error:
        notes.add(logs.WRITE_UNKNOWN, intent=intent.id)
        settled = await _settle(steps, intent, notes)
        if settled is None:
            raise _NotCarriedOutError(error.detail, mend=error.mend, issues=error.issues) from None
        return settled
    except CareplanError:
        await steps.plans.close_intent(intent, ())
        raise
    await steps.plans.close_intent(intent, _bases(intent.changes, written))
    return written


def _bases(changes: Sequence[ResourceChange], written: Sequence[WrittenResource]) -> tuple[Base, ...]:
    by_identity = {change.identity: change for change in changes}
    return tuple(next_base(by_identity[resource.identity], resource) for resource in written)


def _as_held(changes: Sequence[ResourceChange]) -> tuple[WrittenResource, ...]:
    """What stands on the server already and is what we propose: taken as ours without a write."""
    return tuple(
        WrittenResource(
            identity=change.identity,
            type=change.type,
            id=change.id or "",
            version_id=change.version_id or "",
            action="unchanged",
            stored=change.body,
        )
        for change in changes
        if change.theirs is not None
    )
