"""Why a part of the plan is over, and by which status that is said.

| what is no longer proposed | status |
|---|---|
| a goal that was reached (`achievementStatus` achieved or sustaining) | `completed` |
| a goal, or the plan, all of whose problems are recorded as resolved | `completed` |
| a goal in whose place another one for the same measure is proposed | `cancelled` |
| anything else | `cancelled`, `revoked` (rules.STATUSES) |

A goal says why in `statusReason` (http://hl7.org/fhir/R4/goal-definitions.html#Goal.statusReason).
"""

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from careplan_exchange.model.changes import Held, Json, Rendered
from careplan_exchange.model.record import Resource

from .keys import KEYS
from .rules import STATUSES

REACHED: Final = frozenset({"achieved", "sustaining"})
"""Codes of http://terminology.hl7.org/CodeSystem/goal-achievement that say that a target is met."""

_OVER = frozenset({"inactive", "remission", "resolved"})
"""Codes of http://terminology.hl7.org/CodeSystem/condition-clinical of a problem that is no longer there."""

_WRONG = frozenset({"entered-in-error", "refuted"})
"""Codes of condition-ver-status of a problem that never was: its plan has not done its work."""


class Ending(NamedTuple):
    """The status that ends it, and why, for those that have a place for that."""

    status: str
    reason: str


class _Condition(msgspec.Struct, rename="camel"):
    clinical_status: Any = None
    verification_status: Any = None


_conditions = msgspec.json.Decoder(_Condition)


def resolved_problems(resources: Iterable[Resource]) -> frozenset[str]:
    """The references (`Condition/12`) of the problems that the record holds as over."""
    found = set()
    for resource in resources:
        if resource.type != "Condition":
            continue
        condition = _conditions.decode(resource.content)
        if _codes(condition.clinical_status) & _OVER and not _codes(condition.verification_status) & _WRONG:
            found.add(resource.reference)
    return frozenset(found)


def ending_of(held: Held, proposed: Iterable[Rendered], resolved: Collection[str]) -> Ending:
    """How something of ours ends that is no longer among what is `proposed`."""
    rule = STATUSES[held.type]
    if rule.fulfilled is not None:
        if held.type == "Goal" and _codes(held.body.get("achievementStatus")) & REACHED:
            return Ending(rule.fulfilled, "The target was reached, and no protocol proposes the goal any more.")
        if _is_over(held.body, resolved):
            return Ending(rule.fulfilled, "The problem that it is about is recorded as resolved.")
    if held.type == "Goal":
        other = _instead(held, proposed)
        if other is not None:
            return Ending(rule.retired, f"Another goal for the same measure is proposed in its place: {other}")
    return Ending(retired_status(held), "No protocol proposes it any more.")


def retired_status(held: Held) -> str:
    """The status of what is stopped before it has done its work."""
    rule = STATUSES[held.type]
    return rule.retired_r5 if rule.retired_r5 and "subject" in held.body else rule.retired


def _instead(held: Held, proposed: Iterable[Rendered]) -> str | None:
    """What the goal is called that is proposed for a measure of this one."""
    measures = _measures(held.body)
    for one in proposed:
        if one.type == "Goal" and measures & _measures(one.body):
            return str(one.body.get("description", {}).get("text", ""))
    return None


def _measures(goal: Json) -> set[str]:
    return {key for target in goal.get("target", ()) if (key := KEYS["measure"](target)) is not None}


def _is_over(body: Json, resolved: Collection[str]) -> bool:
    """Whether every problem that it addresses is resolved; one on another server goes by the reference that it
    has there. Of one that is named in words alone nobody knows."""
    keys = [KEYS["reference"](item) for item in body.get("addresses", ())]
    return bool(keys) and all(key is not None and key.rpartition("|")[2] in resolved for key in keys)


def _codes(concept: Any) -> set[Any]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return {coding.get("code") for coding in codings or () if isinstance(coding, dict)}
