"""A waiting change against another: whether it is the same question, and what is different since it was shown."""

from collections.abc import Iterator
from typing import Any

from careplan_exchange.errors import UsageError
from careplan_exchange.model.changes import ChangeSet, ResourceChange
from careplan_exchange.model.codec import canonical, encode
from careplan_exchange.model.review import Decision, Pending
from careplan_exchange.reconcile import accept, same_decision

from .diff import diff_lines, name_of
from .modifying import with_edits
from .persons import seen_of

_NOT_SHOWN = frozenset({"resourceType", "id", "meta", "identifier", "text", "subject", "patient"})
_TIMES = frozenset({"created", "period", "startDate", "authoredOn", "identifiedDateTime", "statusDate"})
"""Elements that say when, and change with the day on which they are rendered."""

_WIDTH = 160


def same_question(shown: Pending, now: Decision) -> bool:
    """Whether a person would be asked the same. Of a new plan that is its whole content, for to adopt it is to
    agree to all of it; of any other change it is the change (reconcile.same_decision)."""
    if shown.adopts != now.adopts:
        return False
    if now.adopts:
        return _content(shown.change_set) == _content(now.wait)
    return same_decision(shown.change_set, now.wait)


def differences(shown: ChangeSet, now: ChangeSet) -> tuple[str, ...]:
    """What a person who has seen `shown` must know of `now`: lines that no longer stand there ("was"), and lines
    that do anew ("now"). Empty where both show the same."""
    before, after = _lines(shown), _lines(now)
    return (
        *(f"was  {line}" for line in before if line not in after),
        *(f"now  {line}" for line in after if line not in before),
    )


def modified_since(pending: Pending, by: str, seen: str | None) -> tuple[str, ...]:
    """`differences` of what a person has seen of the review (persons.seen_of) and what others modified since."""
    before, after = _edits(seen_of(pending, by, seen)), _edits(pending)
    try:
        return differences(_edited(pending, before), _edited(pending, after))
    except UsageError:  # the edits were made to the plan as it stood then, not as it was first shown
        return tuple(
            f"now  {path}: {value if isinstance(value, str) else encode(value).decode()}"
            for path, value in after.items()
            if path not in before or before[path] != value
        )


def _edits(pending: Pending) -> dict[str, Any]:
    return {path: value for step in pending.steps if step.kind == "modify" for path, value in step.edits.items()}


def _edited(pending: Pending, edits: dict[str, Any]) -> ChangeSet:
    accepted = accept(pending.change_set)
    return with_edits(accepted, edits, "another person").change_set if edits else accepted


def _content(change_set: ChangeSet) -> dict[str, bytes]:
    return {
        change.identity: canonical(
            {name: value for name, value in _timeless(change.body).items() if name not in _NOT_SHOWN}
        )
        for change in change_set.changes
    }


def _timeless(body: dict[str, Any]) -> dict[str, Any]:
    """Without what says only when; a due date is reckoned from the day as well."""
    found = {name: value for name, value in body.items() if name not in _TIMES}
    if isinstance(targets := found.get("target"), list):
        found["target"] = [
            {name: value for name, value in target.items() if name != "dueDate"} for target in targets
        ]
    return found


def _lines(change_set: ChangeSet) -> dict[str, None]:
    """The lines of the diff, and below them what the resources would say: in order, each once."""
    found = dict.fromkeys(line.strip() for line in diff_lines(change_set))
    for change in change_set.changes:
        found |= dict.fromkeys(_leaves(change))
    return found


def _leaves(change: ResourceChange) -> Iterator[str]:
    for name, value in change.body.items():
        if name not in _NOT_SHOWN and name not in _TIMES:
            for path, leaf in _walked(name, value):
                text = leaf if isinstance(leaf, str) else encode(leaf).decode()
                text = " ".join(text.split())
                shown = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
                yield f"{name_of(change)}  {path}: {shown}"


def _walked(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walked(f"{path}.{name}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walked(f"{path}[{index}]", inner)
    else:
        yield path, value
