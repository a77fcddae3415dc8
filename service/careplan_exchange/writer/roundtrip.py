"""What the server did not keep of what it was sent: loss on round trip, element by element.

Pure. In: a body as it was sent and as it is stored. Out: an Issue (`write.lost`) for each element that was
dropped, changed or put in another place, with its path and never a value. Where the loss could make somebody read
another plan than was meant (SAFETY), its severity is "error", and the write is taken back (see aftermath.py).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from careplan_exchange.model.changes import Json
from careplan_exchange.model.issue import Issue

from .sameness import OF_THE_SERVER, may_be_missing, pairs, same_value

Kind = Literal["dropped", "changed", "reordered"]

SAFETY = re.compile(
    r"""(?x)
    (
        \w+\.(status|lifecycleStatus|intent|doNotPerform|subject|patient|identifier)
      | Goal\.(description|target)
      | CarePlan\.(goal|activity)
      | (ServiceRequest|DeviceRequest|CommunicationRequest|Task)\.code
      | NutritionOrder\.(oralDiet|supplement|enteralFormula|foodPreferenceModifier|excludeFoodModifier)
      | MedicationRequest\.(medication\w*|dosageInstruction)
      | DetectedIssue\.(code|severity|implicated)
      | DocumentReference\.content
      | .*\bmodifierExtension
    )
    (\[\d+\])? (\..*)?
    """
)
"""What a plan means: whose it is and under which identity, whether it is in force, what it aims at and asks for,
and what it warns of."""

_BESIDE = re.compile(
    r"\.(dueDate|dueDuration|display|userSelected|extension|goal|progress|location|performer)(\[|\.|$)"
)
"""Below those elements, what can be lost and leave the meaning."""


class Loss(NamedTuple):
    kind: Kind
    path: str

    @property
    def matters(self) -> bool:
        below = self.path.split(".", 2)[2:]  # of the resource's element, which itself is `CarePlan.goal`
        return (
            self.kind != "reordered"
            and SAFETY.fullmatch(self.path) is not None
            and not any(_BESIDE.search(f".{rest}") for rest in below)
        )


def losses(sent: Json, stored: Json, links: Mapping[str, str], base_url: str) -> tuple[Loss, ...]:
    """More may stand in `stored`: what a server adds is no loss. `links` gives what each `urn:uuid:` became."""
    kind = str(sent.get("resourceType"))
    return tuple(
        loss
        for name, value in sent.items()
        if name not in OF_THE_SERVER
        for loss in _of_field(name, value, stored, kind, (links, base_url))
    )


def as_issues(found: tuple[Loss, ...], source: str) -> tuple[Issue, ...]:
    """`source` is the resource's versioned reference."""
    return tuple(
        Issue(
            severity="error" if loss.matters else "warning",
            code=_CODES[loss.kind],
            key="write.lost",
            detail=f"The server has {_SAID[loss.kind]}.",
            source=source,
            expression=loss.path,
            mend="Ask those who run the server for this element, or use another server as --target.",
        )
        for loss in found
    )


_CODES: Mapping[Kind, str] = {"dropped": "incomplete", "changed": "value", "reordered": "informational"}
_SAID: Mapping[Kind, str] = {
    "dropped": "not kept this element",
    "changed": "stored something else in this element",
    "reordered": "put the items of this list in another order",
}

_Known = tuple[Mapping[str, str], str]


def _of_field(name: str, value: Any, stored: Mapping[str, Any], above: str, known: _Known) -> Iterator[Loss]:
    path = f"{above}.{name}"
    if name not in stored:
        if not may_be_missing(name, stored):
            yield Loss("dropped", path)
    elif same_value({name: value}, {name: stored[name]}, *known):
        if isinstance(value, list) and pairs(value, stored[name], *known) != tuple(range(len(value))):
            yield Loss("reordered", path)
    else:
        yield from _of_value(value, stored[name], path, known)


def _of_value(value: Any, stored: Any, path: str, known: _Known) -> Iterator[Loss]:
    if isinstance(value, Mapping) and isinstance(stored, Mapping):
        for name, inner in value.items():
            yield from _of_field(name, inner, stored, path, known)
    elif isinstance(value, list) and isinstance(stored, list):
        yield from _of_list(value, stored, path, known)
    elif not same_value(value, stored, *known):
        yield Loss("changed", path)


def _of_list(value: list[Any], stored: list[Any], path: str, known: _Known) -> Iterator[Loss]:
    found = pairs(value, stored, *known)
    free = [place for place in range(len(stored)) if place not in found]
    kept = [place for place in found if place is not None]
    if kept != sorted(kept):
        yield Loss("reordered", path)
    for place, (item, match) in enumerate(zip(value, found, strict=True)):
        if match is not None:
            continue
        if not free:
            yield Loss("dropped", f"{path}[{place}]")
            continue
        other = place if place in free else free[0]
        free.remove(other)
        yield from _of_value(item, stored[other], f"{path}[{place}]", known)
