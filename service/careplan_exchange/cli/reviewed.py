"""How reviews look on a terminal."""

from collections.abc import Sequence

from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.operations import Decided
from careplan_exchange.review import approvers, content_of, contents, diff_lines

from .show import escape, out, print_receipt, table

_STYLES = {"+": "green", "~": "yellow", "!": "bold red", "=": "blue", "-": "red"}
_DONE = {
    "assign": "assigned",
    "approve": "approved",
    "modify": "modified",
    "reject": "rejected",
    "revert": "asked for",
}


def print_pendings(pendings: Sequence[Pending]) -> None:
    if not pendings:
        out.print("Nothing waits for review.")
        return
    shown = table("Reviews", "id", "patient", "since", "why")
    for pending in pendings:
        why = [escape("\n".join(pending.why))]
        if pending.state != "pending":
            why.append(f"[bold]{pending.state}[/] {escape(pending.decided_by or '')}")
        elif pending.assigned_to is not None:
            why.append(f"assigned to {escape(pending.assigned_to)}")
        shown.add_row(pending.id, escape(pending.patient), pending.created_at[:19], "\n".join(why))
    out.print(shown)


def print_pending(pending: Pending) -> None:
    out.print(f"[bold]{escape(pending.patient)}[/] on {escape(pending.target)}, since {pending.created_at[:19]}")
    for sentence in pending.why:
        out.print(f"  {escape(sentence)}")
    for step in pending.steps:
        _print_step(step)
    if pending.adopts:
        for line in contents(pending.change_set):
            out.print(escape(line))
    for line in diff_lines(pending.change_set):
        style = _STYLES.get(line.lstrip()[:1], "")
        out.print(f"[{style}]{escape(line)}[/]" if style else escape(line))
    if pending.state != "pending":
        out.print(f"It is {pending.state}, by {escape(pending.decided_by or 'a later exchange')}.")
        return
    if pending.persons > 1:
        approved = len(approvers(pending))
        out.print(f"It takes {pending.persons} different people; {approved} approved so far.")
    modified = any(step.kind == "modify" for step in pending.steps)
    seen = f" --seen {content_of(pending)}" if modified else ""
    out.print(f"[bold]Next:[/] careplan review approve {pending.id}{seen}, or modify, reject, assign")


def _print_step(step: ReviewStep) -> None:
    to = f" to {step.to}" if step.to else ""
    why = f": {step.reason}" if step.reason else ""
    out.print(f"  {step.at[:19]} {escape(f'{_DONE[step.kind]}{to} by {step.by}{why}')}")
    for path, value in step.edits.items():
        out.print(f"    [yellow]{escape(f'{path} = {value}' if value is not None else f'without {path}')}[/]")


def print_decided(decided: Decided) -> None:
    if decided.content is not None:
        out.print(
            "[bold yellow]review[/]  [bold]Nothing was approved:[/] somebody modified it since it was shown."
        )
        _print_differences(decided)
        out.print(
            f"[bold]Next:[/] careplan review show {decided.review}; for just this, --seen {decided.content}"
        )
        return
    if decided.exchange is None:
        left = decided.persons - len(decided.approved_by)
        out.print(f"[bold yellow]review[/]  approved by {escape(', '.join(decided.approved_by))}")
        out.print(f"It takes {decided.persons} different people: {left} more. Nothing was written.")
        return
    print_receipt(
        Receipt(
            outcome=decided.outcome,
            resources=decided.resources,
            issues=decided.issues,
            exchange=decided.exchange,
            review=decided.waiting,
        )
    )
    if decided.state != "superseded":
        return
    out.print("[bold]Nothing was written:[/] it is no longer as it was shown.")
    _print_differences(decided)
    if decided.waiting is None:
        out.print("Nothing waits any more.")


def _print_differences(decided: Decided) -> None:
    for line in decided.differences:
        out.print(f"[{'red' if line.startswith('was') else 'green'}]{escape(line)}[/]")
