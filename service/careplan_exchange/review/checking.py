"""A modified plan as the safety gate looks at it, and targets that nobody can have."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.identity import identity_of
from careplan_exchange.model.proposal import ActivityProposal, Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.model.vocabulary import Concept, Vocabulary

from .diff import name_of
from .modifying import LEFT_OUT, Modified

_ENDED = frozenset({"cancelled", "revoked", "completed", "stopped", "entered-in-error"})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One activity as a person wants it. `medicines` are those of the proposal while the product is the same."""

    key: str
    title: str
    resource_kind: str
    codings: tuple[Coding, ...]
    medicines: tuple[str, ...] = ()
    involves: tuple[str, ...] = ()
    benefit: int | None = None


class Activities(NamedTuple):
    activities: tuple[Wanted, ...]
    edited: frozenset[str]


def activities_in(found: Modified, proposal: Proposal, record: PatientRecord) -> Activities:
    """Every activity that the modified plan asks for, and the keys of those that a person had a hand in."""
    proposed = {
        identity_of(record.identity, record.patient.reference, kind, one.key): one
        for one in proposal.activities
        for kind in one.stands_as
    }
    by_key = {one.key: one for one in proposal.activities}
    wanted: list[Wanted] = []
    edited: set[str] = set()
    for change in found.change_set.changes:
        for key, body, before, line in _activities(change, proposed, by_key):
            if body.get("status") in _ENDED:
                continue
            one = _wanted(key, change.type, body, before, line)
            wanted.append(one)
            if change.identity in found.identities and body != before:
                edited.add(one.key)
    return Activities(tuple(wanted), frozenset(edited))


def _activities(
    change: ResourceChange, proposed: Mapping[str, ActivityProposal], by_key: Mapping[str, ActivityProposal]
) -> Iterator[tuple[str, Json, Json, ActivityProposal | None]]:
    """Key, body now, body as it was proposed or stood, and the line it comes from."""
    if change.type == "CarePlan":
        before = {
            str(item.get("id", index)): item.get("detail", {})
            for index, item in enumerate(change.ours.get("activity", ()))
        }
        for index, item in enumerate(change.body.get("activity", ())):
            if "detail" in item:
                key = str(item.get("id", index))
                yield key, item["detail"], before.get(key, {}), by_key.get(key)
    elif change.type in LEFT_OUT and change.type != "Goal":
        line = proposed.get(change.identity)
        yield line.key if line else change.reference, change.body, change.ours, line


def _wanted(key: str, kind: str, body: Json, before: Json, line: ActivityProposal | None) -> Wanted:
    what, was = _concept(body), _concept(before)
    codings = tuple(
        Coding(system=coding.get("system"), code=coding.get("code"), display=coding.get("display"))
        for coding in what.get("coding", ())
    )
    medication = kind == "MedicationRequest" or "productCodeableConcept" in body or (
        body.get("kind") == "MedicationRequest"
    )  # fmt: skip
    return Wanted(
        key=key,
        title=str(what.get("text") or body.get("description") or key),
        resource_kind="MedicationRequest" if medication else "ServiceRequest",
        codings=codings,
        medicines=line.medicines if line is not None and what == was else (),
        involves=line.involves if line is not None else (),
        benefit=line.benefit if line is not None else None,
    )


def _concept(body: Json) -> Json:
    names = ("medicationCodeableConcept", "productCodeableConcept", "medication", "code")
    diets = body.get("oralDiet", {}).get("type", ())
    for value in (*(body.get(name) for name in names), *diets[:1]):
        if isinstance(value, dict):
            inner = value.get("concept", value)
            return inner if isinstance(inner, dict) else {}
    return {}


def implausible_targets(found: Modified, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Sentences about targets of edited goals in another unit than the measure has, or that no living person can
    reach. They name no value."""
    return tuple(
        problem
        for change in found.change_set.changes
        if change.type == "Goal" and change.identity in found.identities
        for target in change.body.get("target", ())
        for problem in _problems(target, vocabulary)
    )


def stale_descriptions(found: Modified) -> tuple[str, ...]:
    """Sentences about edited goals whose description still names a value that their target no longer has: whoever
    reads the one must not read otherwise than the other says."""
    return tuple(
        f"The description of {name_of(change)} names a value that its target no longer has: set "
        "`description.text` as well."
        for change in found.change_set.changes
        if change.type == "Goal" and change.identity in found.identities and _is_stale(change)
    )


def _is_stale(change: ResourceChange) -> bool:
    named = _values(change.ours) - _values(change.body)
    text = str(change.body.get("description", {}).get("text", ""))
    words = {Decimal(word) for word in re.findall(r"\d+(?:\.\d+)?", text)}
    return bool(named & words)


def _values(goal: Json) -> frozenset[Decimal]:
    found: set[Decimal] = set()
    for target in goal.get("target", ()):
        for quantity in _quantities(target):
            with suppress(InvalidOperation):
                found.add(Decimal(str(quantity.get("value"))))
    return frozenset(found)


def _problems(target: Json, vocabulary: Vocabulary) -> Iterator[str]:
    concept = _measure(target, vocabulary)
    if concept is None:
        return
    for quantity in _quantities(target):
        if concept.unit is not None and quantity.get("code", quantity.get("unit")) != concept.unit:
            yield f"A target of {concept.title} is in {concept.unit}."
        low, high = concept.plausible or (None, None)
        try:
            value = Decimal(str(quantity.get("value")))
        except InvalidOperation:
            yield f"A target of {concept.title} has a value that is no number."
            continue
        if low is not None and high is not None and not low <= value <= high:
            yield f"A target of {concept.title} is outside what a living person can have."


def _measure(target: Json, vocabulary: Vocabulary) -> Concept | None:
    measure = target.get("measure", {})
    codings = [Coding(system=one.get("system"), code=one.get("code")) for one in measure.get("coding", ())]
    return next(
        (
            concept
            for concept in vocabulary.concepts.values()
            if concept.kind == "measurement" and any(vocabulary.means(concept, coding) for coding in codings)
        ),
        None,
    )


def _quantities(target: Json) -> Iterator[Any]:
    if isinstance(target.get("detailQuantity"), dict):
        yield target["detailQuantity"]
    bounds = target.get("detailRange")
    for name in ("low", "high"):
        if isinstance(bounds, dict) and isinstance(bounds.get(name), dict):
            yield bounds[name]
