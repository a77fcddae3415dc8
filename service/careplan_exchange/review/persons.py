"""Who has approved: different people, and of what is shown now."""

from collections.abc import Sequence

from careplan_exchange.model.review import ReviewStep


def approvers(steps: Sequence[ReviewStep]) -> tuple[str, ...]:
    """Everybody who approves of the content as it is now, each once, in order. Whoever modified it approves of
    what came of that; approvals given before a modification were of something else."""
    found: dict[str, str] = {}
    for step in steps:
        if step.kind == "modify":
            found = {}
        if step.kind in {"approve", "modify"}:
            found.setdefault(signed(step.by), step.by)
    return tuple(found.values())


def has_approved(steps: Sequence[ReviewStep], by: str) -> bool:
    return signed(by) in {signed(name) for name in approvers(steps)}


def signed(by: str) -> str:
    """A name as it is compared: `Dr Who` and ` dr  who` are one person."""
    return " ".join(by.split()).casefold()
