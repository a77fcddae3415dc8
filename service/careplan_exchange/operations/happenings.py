"""What the store and the ledger know of a plan, as happenings. Pure.

In: commits, reviews, dead letters, the ledger's entries of their exchanges. Out: Happenings, in no order. The
ledger holds no values: titles and reasons come from what was written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from careplan_exchange import logs, review
from careplan_exchange.model.changes import Commit, ElementChange, Json, ResourceChange, WrittenResource
from careplan_exchange.model.codec import encode
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.history import Happening, HappeningKind, Part
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.review import Pending, ReviewStep

US = "careplan-exchange"
_CREATED = {"CarePlan": "plan", "Goal": "goal", "DetectedIssue": "finding"}
_ELEMENT = re.compile(r"[.\[]")
_WIDTH = 100
_STATUS = ("status", "lifecycleStatus", "achievementStatus")
_STEPS: Mapping[str, tuple[HappeningKind, str]] = {
    "assign": ("assigned", "Given to {to}"),
    "approve": ("approved", "Approved"),
    "modify": ("modified", "Modified and approved"),
    "reject": ("rejected", "Rejected"),
    "revert": ("approved", "Taking it back was asked for"),
}
_NOT_SHOWN = frozenset({"meta", "text", "id", "resourceType"})


def of_commit(commit: Commit, evidence: Sequence[str]) -> Happening:
    """One write that stands. `evidence` is what was new since the one before."""
    changes = {change.identity: change for change in commit.intent.changes}
    parts = tuple(_part(changes[one.identity], one) for one in commit.written if one.identity in changes)
    if commit.intent.reverts is not None:
        kind: HappeningKind = "reverted"
        text = f"What exchange {commit.intent.reverts} wrote was taken back."
    elif any(review.is_plan(one.type) and one.action == "create" for one in commit.written):
        kind, text = "written", _new_plan(commit.written)
    else:
        kind, text = "changed", _sentence(changes, commit.written)
    return Happening(
        at=commit.committed_at,
        kind=kind,
        text=text,
        who=US,
        exchange=commit.intent.exchange,
        parts=parts,
        evidence=tuple(evidence),
    )


def of_review(pending: Pending, evidence: Sequence[str]) -> Iterator[Happening]:
    """What waited, what each person did with it, and how it ended."""
    conflict = bool(pending.change_set.conflicts)
    yield Happening(
        at=pending.created_at,
        kind="conflict" if conflict else "proposed",
        text=("A conflict waits for a person: " if conflict else "A change waits for a person: ")
        + " ".join(pending.why),
        who=US,
        exchange=pending.id,
        parts=tuple(_proposed(change) for change in pending.change_set.changes if change.action != "unchanged")
        + tuple(_conflict(change, element) for change, element in pending.change_set.conflicts),
        evidence=tuple(evidence),
    )
    for step in pending.steps:
        yield _of_step(pending, step)
    if pending.decided_at is None:
        return
    if pending.state == "superseded":
        text = "No longer asked: a later run found something else, or nothing, to decide."
        yield Happening(at=pending.decided_at, kind="superseded", text=text, who=US, exchange=pending.id)
    elif not pending.steps and pending.decided_by is not None and pending.state != "pending":
        yield Happening(
            at=pending.decided_at,
            kind=pending.state,
            text=f"{pending.state.capitalize()} by {pending.decided_by}.",
            who=pending.decided_by,
            exchange=pending.id,
        )


def of_letter(letter: DeadLetter) -> Iterator[Happening]:
    times = f" It failed {letter.failures} times." if letter.failures > 1 else ""
    yield Happening(
        at=letter.created_at,
        kind="failed",
        text=f"Failed ({letter.error}): {letter.detail}{times}",
        who=US,
        exchange=letter.id,
    )
    if letter.closed_at is not None:
        reason = f": {letter.reason}" if letter.reason else ""
        by = f" by {letter.closed_by}" if letter.closed_by else ""
        yield Happening(
            at=letter.closed_at,
            kind="closed",
            text=f"The failed exchange was {letter.state}{by}{reason}.",
            who=letter.closed_by or US,
            exchange=letter.id,
        )


def of_entries(entries: Iterable[Entry]) -> Iterator[Happening]:
    """What the ledger alone knows: races that were lost, lost answers, refusals, failures, and an approval that
    was given together with the command to write."""
    for entry in entries:
        found = _of_entry(entry)
        if found is not None:
            kind, text = found
            who = str(entry.data.get("by", US)) if kind == "approved" else US
            yield Happening(at=entry.at, kind=kind, text=text, who=who, exchange=entry.exchange)


def evidence_in(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What the newest plan among these rested on."""
    planned = [entry for entry in entries if entry.event == logs.EXCHANGE_PLANNED]
    return tuple(dict.fromkeys(planned[-1].data.get("evidence", ()))) if planned else ()


def undone_in(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """The versions, each with its reference, that writes of ours made and took away, or made in doing so."""
    for entry in entries:
        if entry.event in {logs.WRITE_TAKEN_BACK, logs.WRITE_PUT_BACK}:
            for line in entry.data.get("resources", ()):
                if "versionId" in line:
                    yield line["reference"], line["versionId"]


def title_of(body: Json) -> str:
    """What a resource is about, in its own words; without any, its type."""
    return review.title_of(body) or str(body.get("resourceType", ""))


def differences(before: Json, after: Json) -> tuple[str, ...]:
    """Which elements of a resource differ; a status with what it was and is."""
    names = dict.fromkeys((*before, *after))
    return tuple(
        _difference(name, before.get(name), after.get(name))
        for name in names
        if name not in _NOT_SHOWN and before.get(name) != after.get(name)
    )


def _proposed(change: ResourceChange) -> Part:
    """`careplan review show` has the whole difference."""
    if change.action == "create":
        return Part(reference=change.type, title=title_of(change.body), what=("new",), why=_why(change.body))
    names = dict.fromkeys(
        _ELEMENT.split(element.path.removeprefix(f"{change.type}."))[0]
        for element in change.elements
        if element.kind == "ours"
    )
    return Part(
        reference=_versioned(change),
        title=title_of(change.body),
        what=tuple(f"{name} to be changed" for name in names if name not in _NOT_SHOWN),
        why=_why(change.ours),
    )


def _conflict(change: ResourceChange, element: ElementChange) -> Part:
    theirs, ours = (_worded(value) for value in (element.theirs, element.ours))
    said = f"{element.path}: somebody wrote {theirs}, and {ours} is proposed"
    return Part(reference=_versioned(change), title=title_of(change.theirs or change.body), what=(said,))


def _versioned(change: ResourceChange) -> str:
    return f"{change.reference}/_history/{change.version_id}" if change.version_id else change.reference


def _of_step(pending: Pending, step: ReviewStep) -> Happening:
    kind, said = _STEPS.get(step.kind, ("approved", step.kind.capitalize()))
    reason = f": {step.reason}" if step.reason else ""
    edits = tuple(Part(reference="", title=f"{path} → {value}") for path, value in step.edits.items())
    return Happening(
        at=step.at,
        kind=kind,
        text=f"{said.format(to=step.to or 'somebody')} by {step.by}{reason}.",
        who=step.by,
        exchange=pending.id,
        parts=edits,
    )


def _of_entry(entry: Entry) -> tuple[HappeningKind, str] | None:
    data: Mapping[str, Any] = entry.data
    found: tuple[HappeningKind, str] | None = None
    match entry.event:
        case logs.WRITE_CONFLICT:
            found = "raced", "Somebody changed the plan meanwhile: it was read and merged again."
        case logs.EXCHANGE_SETTLED:
            became = "had been carried out" if data.get("state") == "committed" else f"was {data.get('state')}"
            found = "settled", f"The answer to a write was lost; a look at the server showed that it {became}."
        case logs.EXCHANGE_REFUSED:
            said = f"{', '.join(data.get('asked', ()))} ({data.get('status') or 'no answer'})"
            found = "refused", f"The server refused {said}."
        case logs.EXCHANGE_REVERTING:
            found = _of_a_revert(data)
        case logs.REVIEW_DECIDED:
            found = "approved", f"Approved by {data.get('by')}, with the command that wrote it."
        case logs.WRITE_TAKEN_BACK:
            found = "refused", "What a write had done could not stay as it was: it was taken back."
        case logs.WRITE_PUT_BACK:
            found = (
                "raced",
                "Our update had replaced what somebody else wrote: it was put back, and read and merged again.",
            )
        case logs.WRITE_PARTLY:
            found = "refused", "Only a part of a write was carried out; what stands of it was looked up."
        case logs.EXCHANGE_FAILED:
            found = "failed", f"Failed ({data.get('error')})."
    return found


def _of_a_revert(data: Mapping[str, Any]) -> tuple[HappeningKind, str]:
    by, of = data.get("by"), data.get("of")
    if data.get("state") == "waits":
        return "proposed", f"{by} asked to take back what {of} wrote."
    return "reverted", f"Reverted by {by}: what {of} wrote is taken back."


def _new_plan(written: Sequence[WrittenResource]) -> str:
    plan = next(one.stored for one in written if review.is_plan(one.type) and one.action == "create")
    counts: dict[str, int] = {}
    for one in written:
        if not review.is_plan(one.type) and one.action == "create":
            name = _CREATED.get(one.type, one.type)
            counts[name] = counts.get(name, 0) + 1
    beside = ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items())
    with_ = f" with {beside}" if beside else ""
    status = plan.get("docStatus") or plan.get("status", "a plan")
    return f"Written as {status}: {title_of(plan)}{with_}."


def _sentence(changes: Mapping[str, ResourceChange], written: Sequence[WrittenResource]) -> str:
    """What matters most of a change: what became of the plan and its goals, else how much was changed."""
    said = []
    for one in written:
        change = changes.get(one.identity)
        before = (change.theirs or {}) if change is not None else {}
        if one.type == "CarePlan" and before.get("status") not in {None, one.stored.get("status")}:
            said.append(f"The plan is {one.stored.get('status')} now")
        if one.type == "Goal":
            said += _of_goal(before, one.stored)
    if said:
        return f"{'; '.join(said)}."
    made = sum(one.action == "create" for one in written)
    return f"Changed: {len(written) - made} resource(s), {made} new."


def _of_goal(before: Json, after: Json) -> Iterator[str]:
    title = title_of(after)
    if _code(before.get("achievementStatus")) != (achieved := _code(after.get("achievementStatus"))) and achieved:
        yield f"Goal “{title}” is {achieved}"
    if before and before.get("lifecycleStatus") != (status := after.get("lifecycleStatus")):
        yield f"Goal “{title}” is {status} now"
    if not before:
        yield f"New goal “{title}”"


def _code(concept: Any) -> str | None:
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    return next((coding.get("code") for coding in codings), None)


def _part(change: ResourceChange, written: WrittenResource) -> Part:
    before = change.theirs if change.theirs is not None else {}
    what = ("new",) if written.action == "create" else differences(before, written.stored)
    return Part(
        reference=f"{written.type}/{written.id}/_history/{written.version_id}",
        title=title_of(written.stored),
        what=what,
        # Why it was proposed was told then: who lets it through, or ends it, gives other reasons.
        why=() if all(one.startswith(_STATUS) for one in what) else _why(written.stored),
    )


def _why(body: Json) -> tuple[str, ...]:
    """The reason that we wrote into it, with source and protocol."""
    notes = (note for note in body.get("note", ()) if note.get("id") == "reason")
    return tuple(line for note in notes for line in str(note.get("text", "")).splitlines() if line)


def _difference(name: str, before: Any, after: Any) -> str:
    if name in _STATUS:
        return f"{name}: {_shown(before)} → {_shown(after)}"
    if before is None:
        return f"{name} added"
    return f"{name} removed" if after is None else f"{name} changed"


def _worded(value: Any) -> str:
    """A value of either side, cut where it is long."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else encode(value).decode()
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _shown(value: Any) -> str:
    return "(none)" if value is None else value if isinstance(value, str) else _code(value) or "changed"
