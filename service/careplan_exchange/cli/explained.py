"""How an explanation, and the difference that an assumption makes, look on a terminal."""

from collections.abc import Sequence

import msgspec
from rich.panel import Panel
from rich.tree import Tree

from careplan_exchange.errors import UsageError
from careplan_exchange.model.explanation import ConditionTrace, Explained, Explanation
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.planner.differences import Difference
from careplan_exchange.spelling import did_you_mean

from .show import escape, out

_STATUS = {
    "proposed": "[green]in the plan[/]",
    "withheld": "[red]withheld[/]",
    "not-applied": "[dim]not in the plan[/]",
}
_RESULT = {"true": "[green]true[/]", "false": "[red]false[/]", "unknown": "[yellow]unknown[/]"}
_SIGN = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def only(explanation: Explanation, item: str) -> Explanation:
    """The items whose key is this, or ends with it after a slash. Raises UsageError where none does."""
    found = tuple(one for one in explanation.items if one.key == item or one.key.endswith(f"/{item}"))
    if not found:
        keys = [one.key for one in explanation.items]
        ends = [key.rsplit("/", 1)[-1] for key in keys]
        raise UsageError(
            "No protocol looks at an item of that key.",
            mend=f"`careplan explain` without --item lists them.{did_you_mean(item, (*keys, *ends))}",
        )
    return msgspec.structs.replace(explanation, items=found)


def print_explanation(explanation: Explanation, *, whole: bool) -> None:
    """`whole`: every condition, also of what stands above an item; otherwise the protocols, what is in the plan
    and what is withheld."""
    out.print(f"Explanation for {escape(explanation.patient.reference)} as of {explanation.as_of}")
    out.print(f"[dim]{escape(explanation.disclaimer)}[/]")
    rest = 0
    for item in explanation.items:
        if whole or item.kind == "protocol" or item.status != "not-applied":
            out.print(_item(item, whole=whole))
        else:
            rest += 1
    if not whole:
        out.print(f"{rest} more goals and actions are not in the plan; --json tells why of each.")
        out.print("[bold]Next:[/] --item KEY shows one line with all its conditions, values and sources.")


def _item(item: Explained, *, whole: bool) -> Tree:
    tree = Tree(f"[bold]{escape(item.title)}[/]  {_STATUS[item.status]}  [dim]{escape(item.key)}[/]")
    for text in item.why:
        tree.add(escape(text))
    if whole:
        for name, conditions in (("its conditions", item.conditions), ("those above it", item.above)):
            if conditions:
                branch = tree.add(f"[bold]{name}[/]")
                for condition in conditions:
                    _condition(branch, condition)
        for citation in item.citations:
            tree.add(
                f"source: {escape(citation.label)}{f' ({escape(citation.grade)})' if citation.grade else ''}"
            )
    for gap in item.missing:
        tree.add(f"[yellow]missing:[/] {escape(gap.ask)}")
    if item.change:
        verb = "It would not be in the plan with" if item.status == "proposed" else "It would be in the plan with"
        branch = tree.add(f"[bold]{verb}[/]" + (" any of" if len(item.change) > 1 else ""))
        for change in item.change:
            branch.add(escape(change))
    return tree


def _condition(tree: Tree, condition: ConditionTrace) -> None:
    marks = [condition.kind, *([f"safety {condition.safety}"] if condition.safety else [])]
    node = tree.add(f"{_RESULT[condition.result]}  {escape(condition.rule)}  [dim]({', '.join(marks)})[/]")
    node.add(escape(condition.text))
    for used in condition.used:
        sources = ", ".join(
            one.reference + (f"/_history/{one.version_id}" if one.version_id else "") for one in used.evidence
        )
        node.add(escape(f"%{used.variable}: {used.value}" + (f"  from {sources}" if sources else "")))


def print_differences(found: Sequence[Difference], assumed: Sequence[str], proposal: Proposal) -> None:
    head = f"HYPOTHETICAL: {proposal.patient.reference} as of {proposal.as_of}, if {' and '.join(assumed)}"
    out.print(Panel(escape(head), style="magenta", subtitle="nothing of this can be written"))
    out.print(f"[dim]{escape(proposal.disclaimer)}[/]")
    if not found:
        out.print("The plan would be the same.")
    print_changes(found)


def print_changes(found: Sequence[Difference]) -> None:
    for one in found:
        sign, style = _SIGN[one.change]
        out.print(
            f"[{style}]{sign} {one.section} {escape(one.after or one.before or '')}[/]  [dim]{escape(one.key)}[/]"
        )
        if one.change == "changed":
            out.print(f"    was: {escape(one.before or '')}")
        for why in one.why:
            out.print(f"    {escape(why)}")
