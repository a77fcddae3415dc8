"""The independent checker: what stands on the server, what stood before, and what the ledger says of it.

It shares no code with what it checks: its own reading of FHIR JSON over HTTP, and its own SQL. Only what a
clinician did is told to it (`Edit`). What the counts mean stands at `Count`, and in docs/drills.md.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

import httpx

from .clinician import Edit
from .ledger_rows import entries_of
from .reading_back import Json, Server, identity_in, reference_to, version_of

_TYPES = (
    ("CarePlan", "patient"),
    ("Goal", "patient"),
    ("DetectedIssue", "patient"),
    ("ServiceRequest", "subject"),
)
_EVIDENCE = (("Observation", "patient"), ("Condition", "patient"))
_RETIRED = frozenset({"cancelled", "rejected", "entered-in-error"})
_ONE_MOMENT = timedelta(milliseconds=50)
"""Resources of one transaction need not bear the same instant."""


@dataclass
class Count:
    """lost: an edit of a clinician that is gone at the end, a plan or goal that should be there and is not.
    doubled: one identity in two resources, one goal twice in a plan. overwritten: a version of ours in which
    an edit that was there before it is gone. orphaned: a goal that no plan names, a plan that names what is not
    there. unrecorded: a version that nobody but us can have made and the ledger does not have, or one that the
    ledger has and the server does not. half_written: a version of a plan whose goals were not there yet.
    misplaced: written about, or resting on, another patient; a token shown to a stranger. put_back is no part of
    the total: an edit that was overwritten on an unguarded server, and put back by the next version."""

    lost: int = 0
    doubled: int = 0
    overwritten: int = 0
    orphaned: int = 0
    unrecorded: int = 0
    half_written: int = 0
    misplaced: int = 0
    put_back: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(getattr(self, name) for name in COUNTS)

    def join(self, other: "Count") -> None:
        """What another check found is added."""
        for name in (*COUNTS, "put_back"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes

    def add(self, name: str, note: str) -> None:
        setattr(self, name, getattr(self, name) + 1)
        self.notes.append(f"{name}: {note}")


COUNTS = tuple(one.name for one in fields(Count) if one.name not in {"notes", "put_back"})


@dataclass(frozen=True)
class Case:
    """One run, to be checked. `store` is the database's URL, `exchanges` the runs of the product in it.

    `clinical` are the versions that a clinician made. `asked`: the product ended with a question to a person, and
    the ledger says so: no plan need stand, and what a part of a write has left there is what the question is
    about. `waits`: the product says that a change waits for review. `keeps_evidence`: the server keeps
    `CarePlan.supportingInfo`. `unguarded`: the server ignores `If-Match`; nobody can keep an edit there from
    being overwritten in the moment of the write, only see it and put it back at once.
    """

    base: str
    credentials: dict[str, str]
    patient: str
    edits: Sequence[Edit]
    clinical: Collection[tuple[str, str]]
    store: str
    password: str | None
    exchanges: Collection[str]
    asked: bool = False
    waits: bool = False
    keeps_evidence: bool = True
    unguarded: bool = False


async def check(case: Case, http: httpx.AsyncClient) -> Count:
    """Read everything, and count."""
    server = Server(case.base, case.credentials, http)
    count = Count()
    searches = [f"{kind}?{by}=Patient/{case.patient}&_count=200" for kind, by in (*_TYPES, *_EVIDENCE)]
    found = await server.get_all(searches)
    ours = [one for some in found[: len(_TYPES)] for one in some if identity_in(one) is not None]
    evidence = {reference_to(one) for some in found[len(_TYPES) :] for one in some}
    histories = await server.histories(
        {reference_to(one) for one in ours} | {edit.reference for edit in case.edits}
    )
    plans = [one for one in ours if one["resourceType"] == "CarePlan"]
    named = {ref for plan in plans for body in histories[reference_to(plan)] for ref in _goals_of(body)}
    histories |= await server.histories(named - histories.keys())
    _lost_plan(case, plans, histories, count)
    _stale_plan(case, plans, [one for some in found[len(_TYPES) :] for one in some], count)
    _doubled(ours, count)
    _edits(case, ours, histories, count)
    if not case.asked:
        _orphaned(case, plans, ours, histories, count)
    _half_written(plans, histories, count)
    _misplaced(case, evidence, ours, count)
    await _unrecorded(case, server, histories, count)
    return count


def _lost_plan(case: Case, plans: Sequence[Json], histories: dict[str, list[Json]], count: Count) -> None:
    if not plans:
        if not case.asked:
            count.add("lost", "no plan of ours stands")
        return
    by_hand = {str(edit.path[1]) for edit in case.edits if edit.holds == "absent"}
    by_hand |= {edit.reference for edit in case.edits if edit.path[:1] == ("lifecycleStatus",)}
    for plan in plans:
        before = {ref for body in histories[reference_to(plan)] for ref in _goals_of(body)}
        for gone in sorted(before - set(_goals_of(plan)) - by_hand):
            count.add("lost", f"{reference_to(plan)} names {gone} no more")
        if not _goals_of(plan) and not by_hand:
            count.add("lost", f"{reference_to(plan)} has no goal")
        for goal in sorted(before - by_hand):
            if histories[goal] and histories[goal][-1].get("lifecycleStatus") in _RETIRED:
                count.add("lost", f"{goal} was retired, and its reason still holds")


def _stale_plan(case: Case, plans: Sequence[Json], evidence: Sequence[Json], count: Count) -> None:
    """An update that was due and never came: the plan knows the newest reading, or a person is asked because
    somebody has edited."""
    if case.waits and not case.edits:
        count.add("lost", "a change waits for a person, and nobody has edited anything")
    readings = [one for one in evidence if one["resourceType"] == "Observation"]
    if case.asked or case.waits or not case.keeps_evidence or not readings:
        return
    newest = max(readings, key=lambda one: str(one.get("effectiveDateTime", "")))
    for plan in plans:
        if reference_to(newest) not in set(_local_references(plan.get("supportingInfo", []))):
            count.add("lost", f"{reference_to(plan)} does not know the newest reading, {reference_to(newest)}")


def _doubled(ours: Sequence[Json], count: Count) -> None:
    first: dict[tuple[str, str], str] = {}
    for one in ours:
        key = (one["resourceType"], str(identity_in(one)))
        reference = reference_to(one)
        if first.setdefault(key, reference) != reference:
            count.add("doubled", f"{reference} is {first[key]} once more")
        goals = _goals_of(one)
        if len(goals) > len(set(goals)):
            count.add("doubled", f"{reference} names a goal twice")
    plans = [one for one in ours if one["resourceType"] == "CarePlan"]
    if len({identity_in(plan) for plan in plans}) > 1:
        count.add("doubled", "two plans of different identity stand for one patient")


def _edits(case: Case, ours: Sequence[Json], histories: dict[str, list[Json]], count: Count) -> None:
    """Each edit holds in the last version, and in each version of ours after it, until a clinician changed the
    same element again."""
    for place, edit in enumerate(case.edits):
        versions = histories.get(edit.reference, [])
        if edit.holds == "deleted":
            again = [one for one in ours if versions and identity_in(one) == identity_in(versions[-1])]
            if again:
                count.add(
                    "overwritten", f"{reference_to(again[0])} is {edit.reference}, which a clinician deleted"
                )
            continue
        numbers = [version_of(body) for body in versions]
        if edit.version not in numbers:
            count.add("lost", f"{edit.reference} has no version {edit.version}, which a clinician made")
            continue
        changed_again = [
            other.version
            for other in case.edits[place + 1 :]
            if other.reference == edit.reference and other.path == edit.path and edit.holds == "equals"
        ]
        start = numbers.index(edit.version)
        end = (
            numbers.index(changed_again[0]) if changed_again[:1] and changed_again[0] in numbers else len(numbers)
        )
        after = versions[start + 1 : end]
        broken = [body for body in after if not _holds(edit, body)]
        by_us = [body for body in broken if (edit.reference, version_of(body)) not in case.clinical]
        element = ".".join(map(str, edit.path))
        put_back = case.unguarded and len(broken) == 1 and broken[0] is not versions[-1]
        if by_us and put_back:
            count.add("put_back", f"{edit.reference} {element} after version {version_of(by_us[0])}")
        elif by_us:
            count.add("overwritten", f"{edit.reference} {element} in version {version_of(by_us[0])}")
        if broken and not changed_again and broken[-1] is versions[-1]:
            count.add("lost", f"{edit.reference} {element}, which a clinician set in version {edit.version}")


def _orphaned(
    case: Case, plans: Sequence[Json], ours: Sequence[Json], histories: dict[str, list[Json]], count: Count
) -> None:
    taken_out = {str(edit.path[1]) for edit in case.edits if edit.holds == "absent"}
    named = {ref for plan in plans for ref in _goals_of(plan)}
    there = {reference_to(one) for one in ours}
    for goal in (one for one in ours if one["resourceType"] == "Goal"):
        reference = reference_to(goal)
        retired = goal.get("lifecycleStatus") in _RETIRED
        if reference not in named | taken_out and not retired:
            count.add("orphaned", f"{reference} is in no plan")
    for plan in plans:
        for goal_ in sorted(set(_goals_of(plan)) - there):
            if not histories.get(goal_):
                count.add("orphaned", f"{reference_to(plan)} names {goal_}, which is not there")
        for request in _requests_of(plan):
            if request.startswith("ServiceRequest/") and request not in there:
                count.add("orphaned", f"{reference_to(plan)} names {request}, which is not there")


def _half_written(plans: Sequence[Json], histories: dict[str, list[Json]], count: Count) -> None:
    for plan in plans:
        for body in histories[reference_to(plan)]:
            at, which = _instant(body), f"{reference_to(plan)} version {version_of(body)}"
            for goal in _goals_of(body):
                made = histories.get(goal) or []
                if not made:
                    count.add("half_written", f"{which} names {goal}, which never was")
                elif at and (first := _instant(made[0])) and first > at + _ONE_MOMENT:
                    count.add("half_written", f"{which} came before {goal}")


def _misplaced(case: Case, evidence: Collection[str], ours: Sequence[Json], count: Count) -> None:
    own = {f"Patient/{case.patient}", *evidence}
    for one in ours:
        for reference in _local_references(one):
            if reference.split("/")[0] in {"Patient", "Observation", "Condition"} and reference not in own:
                count.add("misplaced", f"{reference_to(one)} rests on {reference} of another patient")


async def _unrecorded(case: Case, server: Server, histories: dict[str, list[Json]], count: Count) -> None:
    entries = await entries_of(case.store, case.password, case.exchanges, f"Patient/{case.patient}")
    recorded = _recorded(entries)
    if case.asked:
        if not any(entry.get("event") == "exchange.failed" for entry in entries):
            count.add("unrecorded", "a person was asked, and the ledger does not say so")
        return
    made = {
        (reference, version_of(body))
        for reference, versions in histories.items()
        for body in versions
        if identity_in(body) is not None
    }
    for reference, version in sorted(made - set(case.clinical) - recorded):
        count.add("unrecorded", f"{reference} version {version} is not in the ledger")
    # What was taken back is found by no search: it was deleted, or bears no identity of ours any more.
    gone = {one for one, _ in recorded if one.split("/")[0] in dict(_TYPES)} - histories.keys()
    stood = histories | await server.histories(gone)
    there = {(reference, version_of(body)) for reference, versions in stood.items() for body in versions}
    for reference, version in sorted(recorded - there):
        if stood.get(reference):
            count.add("unrecorded", f"the ledger has {reference} version {version}, the server has not")
        elif reference in stood:
            count.add("unrecorded", f"the ledger has {reference}, which never was on the server")


def _recorded(entries: Iterable[Json]) -> set[tuple[str, str]]:
    """The versions that the ledger says were written: by exchanges that ended, and by those that were settled."""
    return {
        (str(one["reference"]), str(one.get("versionId")))
        for entry in entries
        for one in entry.get("data", {}).get("resources") or ()
        if isinstance(one, dict) and one.get("action") in {"create", "update"}
    }


def _holds(edit: Edit, body: Json) -> bool:
    if edit.holds == "absent":
        return str(edit.path[1]) not in _goals_of(body)
    value: Any = body
    for step in edit.path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return False
    if edit.holds == "equals":
        return bool(value == edit.value)
    return isinstance(value, list) and any(_has(item, edit.value) for item in value)


def _has(item: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(item, dict) and all(
            name in item and _has(item[name], one) for name, one in wanted.items()
        )
    return bool(item == wanted)


def _instant(body: Json) -> datetime | None:
    text = body.get("meta", {}).get("lastUpdated")
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _goals_of(body: Json) -> list[str]:
    if body.get("resourceType") != "CarePlan":
        return []
    return [_local(one["reference"]) for one in body.get("goal", ()) if "reference" in one]


def _requests_of(plan: Json) -> list[str]:
    r4 = [one.get("reference", {}).get("reference") for one in plan.get("activity", ())]
    r5 = [one.get("plannedActivityReference", {}).get("reference") for one in plan.get("activity", ())]
    return [_local(one) for one in (*r4, *r5) if isinstance(one, str)]


def _local_references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference" and isinstance(inner, str):
                yield _local(inner)
            else:
                yield from _local_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _local_references(inner)


def _local(reference: str) -> str:
    """`Type/id`, without the server and without a version."""
    parts = reference.partition("/_history/")[0].split("/")
    return "/".join(parts[-2:])
