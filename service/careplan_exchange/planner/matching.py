"""Which activities a rule over the whole plan speaks of. Never by their text: by definition, code, or what
carrying them out involves."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated

import msgspec

from careplan_exchange.model.proposal import ActivityKind, ActivityProposal, Citation, Gap, Reason, Truth

from .bindings import Bindings
from .expressions import EvaluationError, compiled
from .protocol import Condition
from .reasons import gaps, reason

Text = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
"""Text that says something."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A citation of a rule: the guideline or label with its year, its DOI or URL, and the grade if it has one."""

    label: Text
    url: Text
    grade: Text | None = None

    @property
    def citation(self) -> Citation:
        return Citation(label=self.label, url=self.url, grade=self.grade)


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that is given must hold, each by any one of its values. `keys` are those of the plan
    (`ckd/action/protein`), `definitions` are ActivityDefinitions without their version, `codes` are written
    `system|code`, `involves` are codes of `protocols/safety/involves.yaml`, `medicines` medication concepts that
    the activity would start; `systems` are code systems of its codes; `without` are codes of `involves` that it
    must not have."""

    keys: tuple[Text, ...] = ()
    definitions: tuple[Text, ...] = ()
    codes: tuple[Text, ...] = ()
    involves: tuple[Text, ...] = ()
    medicines: tuple[Text, ...] = ()
    kinds: tuple[ActivityKind, ...] = ()
    requests: tuple[Text, ...] = ()
    systems: tuple[Text, ...] = ()
    without: tuple[Text, ...] = ()

    def holds(self, activity: ActivityProposal) -> bool:
        """Asked of every activity by every rule: what is not given is not looked at."""
        return (
            (not self.kinds or activity.kind in self.kinds)
            and (not self.requests or activity.resource_kind in self.requests)
            and (not self.keys or activity.key in self.keys)
            and (not self.definitions or activity.definition in self.definitions)
            and (not self.involves or any(code in self.involves for code in activity.involves))
            and (not self.medicines or any(each in self.medicines for each in activity.medicines))
            and (not self.codes or any(f"{c.system}|{c.code}" in self.codes for c in activity.codings))
            and (not self.systems or any(coding.system in self.systems for coding in activity.codings))
            and not any(code in self.without for code in activity.involves)
        )

    @property
    def is_empty(self) -> bool:
        """Whether it would take every activity."""
        return self == Match()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of a rule for one patient. `gaps` say what would decide it where it is unknown."""

    result: Truth
    reason: Reason
    gaps: tuple[Gap, ...] = ()


def ask(source: str, bindings: Bindings, *, about: str, question: str | None, needed_by: Iterable[str]) -> Answer:
    """What the FHIRPath `source` comes to. `about` stands before its words. One that fails is unknown: what
    hangs on it must not be taken for settled."""
    try:
        expression = compiled(source)
        result = bindings.truth(expression)
    except EvaluationError:
        return Answer(result="unknown", reason=Reason(text=f"{about}: it fails.", rule=source, result="unknown"))
    if result == "false":
        return Answer(result=result, reason=Reason(text=f"{about}: no.", rule=source, result=result))
    keys = tuple(sorted(needed_by))
    condition = Condition(
        kind="applicability",
        source=source,
        expression=expression,
        problem=None,
        unknown="ask",
        safety=None,
        question=question,
        description=about,
    )
    found = gaps(condition, expression, bindings, keys[0]) if result == "unknown" and keys else ()
    return Answer(
        result=result,
        reason=reason(condition, expression, result, bindings),
        gaps=tuple(msgspec.structs.replace(gap, needed_by=keys) for gap in found),
    )


def is_ruled_out(source: str, bindings: Bindings) -> bool:
    """Whether the condition is false for certain: then nothing need be matched."""
    try:
        return bindings.truth(compiled(source)) == "false"
    except EvaluationError:
        return False


def can_fall(activity: ActivityProposal) -> bool:
    """A red flag never does: somebody must see the patient today, whatever the rule."""
    return activity.red_flag is None


@lru_cache(maxsize=4096)
def protocol_of(key: str) -> str:
    """The protocol that a line's key begins with."""
    for part in ("/action/", "/goal/"):
        head, found, _ = key.partition(part)
        if found:
            return head
    return key
