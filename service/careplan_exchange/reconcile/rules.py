"""The tables that the merge goes by. Everything here is about FHIR's shape; nothing is about care.

A *pattern* is a path without indices (`Goal.target`). Element definitions: http://hl7.org/fhir/R4/careplan.html,
goal.html, servicerequest.html, medicationrequest.html, detectedissue.html, and the same pages under R5.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from .values import MISSING

STRUCTURES: Final = frozenset(
    {
        "CarePlan.meta", "Goal.meta", "ServiceRequest.meta", "MedicationRequest.meta", "DetectedIssue.meta",
        "NutritionOrder.meta", "DocumentReference.meta",
        "CarePlan.period", "CarePlan.activity", "CarePlan.activity.detail", "Goal.target",
    }
)  # fmt: skip
"""Objects that are merged field by field, besides the resource itself. Every other object is one element: the
parts of a Quantity, Range, Timing or CodeableConcept mean something only together, and a value, unit and code
from two authors would be a statement that nobody made."""

LIST_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    # element name → what makes two items of it the same one, the strongest first (keys.py)
    "activity": ("id", "reference", "detail_code", "detail_description"),
    "target": ("id", "measure"),
    "goal": ("reference",),
    "addresses": ("reference",),
    "supportingInfo": ("reference",),
    "supportingInformation": ("reference",),
    "careTeam": ("reference",),
    "contributor": ("reference",),
    "basedOn": ("reference",),
    "replaces": ("reference",),
    "partOf": ("reference",),
    "performer": ("reference",),
    "reasonReference": ("reference",),
    "reason": ("reference",),
    "implicated": ("reference",),
    "identifier": ("identifier",),
    "category": ("concept",),
    "reasonCode": ("concept",),
    "note": ("id", "text"),
    "patientInstruction": ("id",),
    "extension": ("url",),
    "modifierExtension": ("url",),
    "contained": ("id",),
    "evidence": (),
    "mitigation": (),
    "instantiatesCanonical": (),
    "instantiatesUri": (),
    "profile": (),
}
"""Lists that are merged item by item, wherever they occur. Items that are equal are always the same one; the keys
find the partner of an item that differs. A list that is not named here is one element."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "Goal": ("start",),
    "Goal.target": ("detail", "due"),
    "CarePlan.activity.detail": ("scheduled", "product"),
    "ServiceRequest": ("occurrence", "quantity", "asNeeded"),
    "MedicationRequest": ("medication", "reported"),
    "DetectedIssue": ("identified",),
}
"""Choice elements (`detail[x]`): one element whatever its type, so that two types of it never stand together.
What begins with the name is such a type; nothing else there does (R5's `asNeededFor` belongs to `asNeeded`)."""

NEVER_COMPARED: Final = frozenset({"resourceType", "id", "implicitRules"})
"""Fields of a resource that are the server's own. Of `meta`, everything but `profile` is."""

FIRST_VALUES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "CarePlan": (("created",), ("period", "start")),
    "Goal": (("startDate",),),
    "ServiceRequest": (("authoredOn",),),
    "MedicationRequest": (("authoredOn",),),
    "NutritionOrder": (("dateTime",),),
    "DetectedIssue": (("identifiedDateTime",),),
    "DocumentReference": (("date",), ("author",), ("content",), ("relatesTo",)),
}
"""Elements that say when something began: they keep their first value, so that another day is no change."""

WRITTEN_ONCE: Final[Mapping[str, tuple[str, ...]]] = {"CarePlan": ("replaces",)}
"""Elements that are written when the resource is made and are no part of a later rendering."""

FIRST_VALUES_OF_ITEMS: Final[Mapping[str, tuple[str, str]]] = {"Goal": ("target", "dueDate")}
"""The same within a list: kept as long as the rest of the item is what it was."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the status of one resource type is treated.

    `initial`: what we write before anybody has looked; `retired`: what we write when it is no longer proposed
    (`retired_r5` where R5 has another code); `fulfilled`: what we write instead where it has done its work;
    `terminal`: nothing is changed once a person has set one of these. `reason`: the element that says why.
    """

    element: str
    initial: frozenset[str]
    retired: str
    terminal: frozenset[str]
    retired_r5: str | None = None
    fulfilled: str | None = None
    reason: str | None = None


STATUSES: Final[Mapping[str, Status]] = {
    "Goal": Status(
        element="lifecycleStatus",
        initial=frozenset({"proposed"}),
        retired="cancelled",
        terminal=frozenset({"completed", "cancelled", "rejected", "entered-in-error"}),
        # http://hl7.org/fhir/R4/valueset-goal-status.html: completed is "no longer being sought"
        fulfilled="completed",
        reason="statusReason",
    ),
    "ServiceRequest": Status(
        element="status",
        initial=frozenset({"draft"}),
        retired="revoked",
        terminal=frozenset({"completed", "revoked", "entered-in-error"}),
    ),
    "NutritionOrder": Status(
        element="status",
        initial=frozenset({"draft"}),
        retired="revoked",
        terminal=frozenset({"completed", "revoked", "entered-in-error"}),
    ),
    "MedicationRequest": Status(
        element="status",
        initial=frozenset({"draft"}),
        retired="cancelled",
        terminal=frozenset({"completed", "cancelled", "stopped", "ended", "entered-in-error"}),
    ),
    "DetectedIssue": Status(
        element="status",
        initial=frozenset({"registered", "preliminary"}),
        retired="cancelled",
        # http://hl7.org/fhir/R5/valueset-detectedissue-status.html has no "cancelled"
        retired_r5="mitigated",
        terminal=frozenset({"cancelled", "mitigated", "entered-in-error"}),
    ),
    "CarePlan": Status(
        element="status",
        initial=frozenset({"draft"}),
        retired="revoked",
        terminal=frozenset({"completed", "revoked", "entered-in-error"}),
        fulfilled="completed",
    ),
    # Each revision of a document is a resource of its own (documents.py): the one before it was replaced.
    "DocumentReference": Status(
        element="status",
        initial=frozenset(),
        retired="superseded",
        terminal=frozenset({"superseded", "entered-in-error"}),
    ),
}
"""Everything we author, in the order in which it is written: what is referred to comes first."""

WRITE_ORDER: Final = tuple(STATUSES)

_INDEX = re.compile(r"\[\d+\]")


def pattern_of(path: str) -> str:
    """`Goal.target[0].dueDate` → `Goal.target.dueDate`."""
    return _INDEX.sub("", path)


@lru_cache(maxsize=1024)
def list_keys(pattern: str) -> tuple[str, ...] | None:
    """The keys by which the items of this list are told apart, or None where the list is one element."""
    return LIST_KEYS.get(pattern.rpartition(".")[2])


@lru_cache(maxsize=4096)
def element_of(pattern: str, key: str) -> str:
    """The element that a JSON key belongs to: `_title` → `title`, `detailRange` → `detail[x]` in a target."""
    name = key.removeprefix("_")
    for choice in CHOICES.get(pattern, ()):
        if name.startswith(choice):
            return f"{choice}[x]"
    return name


def is_compared(pattern: str, element: str) -> bool:
    """Whether an element can be ours at all; the others are passed through as the server has them."""
    if pattern.endswith(".meta"):
        return element == "profile"
    return "." in pattern or element not in NEVER_COMPARED


def default(element: str) -> Any:
    """What stands for an absent element: every resource has a `meta`, whether it is sent or not."""
    return {} if element == "meta" else MISSING
