"""How the answer of another engine looks: marked as such, above and below."""

from collections.abc import Sequence

from rich.panel import Panel

from careplan_exchange.model.delegated import Delegated

from .show import escape, out


def print_delegated(answers: Sequence[Delegated]) -> None:
    for found in answers:
        head = f"{found.plan} for {found.patient}\nAnswered by {found.server} ({found.software or 'unnamed'})"
        out.print(Panel(escape(head), title="another engine's answer", subtitle="not reviewed, never written"))
        for action in found.actions:
            kind = f" ({action.resource_kind})" if action.resource_kind else ""
            out.print(f"- {escape(action.title)}{escape(kind)}")
            if action.description and action.description != action.title:
                out.print(f"  {escape(action.description)}")
        if not found.actions:
            out.print("No action applies.")
        for said in found.said:
            out.print(f"[yellow]The server says:[/] {escape(said)}")
        out.print(f"[bold]{escape(found.notice)}[/]")
