"""A target that turns away what it declares: the plan falls a rung instead of failing."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from careplan_exchange.errors import CareplanError, RefusedError, UnsupportedServerError, VersionConflictError
from careplan_exchange.model.changes import Intent, Json, ResourceChange, WrittenResource
from careplan_exchange.model.target import TargetForm

from .fhir import FhirPlanWriter
from .ladder import UNTRIED, form_of

_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]", re.ASCII)
_NOT_TAKEN = frozenset({404, 405, 501})
_BARE = frozenset({"CarePlan", "Goal", "DocumentReference"})
"""What no rung above "document", and what "document" cannot do without."""


class LadderPlanWriter(FhirPlanWriter):
    """FhirPlanWriter on the highest rung that the target carries. It remembers what the target turned away as
    long
    as it lives: one exchange."""

    _probe = UNTRIED

    async def form(self) -> TargetForm:
        return form_of(await self._client.capabilities(), self._probe)

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        """Raises VersionConflictError too where the target turned a type away and there is a lower rung: nothing
        was written, and the plan is rendered and merged anew in the other form."""
        try:
            return await super().write(intent, companions)
        except RefusedError as error:
            refused = turned_away(error, intent.changes) - self._probe.refused
            if not refused:
                raise
            before = self._probe
            self._probe = msgspec.structs.replace(before, refused=before.refused | refused)
            try:
                form = await self.form()
            except UnsupportedServerError:
                raise error from None
            fallen = VersionConflictError(
                f"The target turned {', '.join(sorted(refused))} away, which it declares to take; nothing was "
                f"written. Next rung: '{form.rung}'.",
                mend="Run the same command again: the plan is made in the other form.",
                issues=error.issues,
            )
            fallen.undone = error.undone
            raise fallen from error


def turned_away(error: CareplanError, changes: Sequence[ResourceChange]) -> frozenset[str]:
    """The types that the target does not take, by its answer to a write; empty where it objects to something
    else,
    or where the error is not an answer."""
    said = any(issue.code == "not-supported" for issue in error.issues)
    if error.status is None or not (said or error.status in _NOT_TAKEN):
        return frozenset()
    sent = [change for change in changes if change.action != "unchanged"]
    named = {change.type for change in _named((issue.expression or "" for issue in error.issues), sent)}
    if named:
        return frozenset(named)
    types = frozenset(change.type for change in sent)
    return (types - _BARE) or types


def _named(expressions: Iterable[str], sent: Sequence[ResourceChange]) -> Iterable[ResourceChange]:
    """The changes that an Issue is about: by the entry of the transaction, or by the type that begins its
    path."""
    for expression in expressions:
        if (found := _ENTRY.match(expression)) is not None:
            if int(found[1]) < len(sent):
                yield sent[int(found[1])]
        else:
            yield from (change for change in sent if change.type == expression.split(".", 1)[0])
