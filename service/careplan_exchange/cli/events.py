"""`audit send`: AuditEvents on their way to the Audit Record Repository."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from careplan_exchange.operations import Told

from .context import JsonOption, with_services


def register(group: typer.Typer) -> None:
    """Add the command to the group `audit`."""
    group.command("send", epilog="Example: careplan audit send")(send)


def send(
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many parcels (an exchange has one or two).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Send what is in the outbox to the repository of the settings, now, also what failed and waits for its time.
    Exit code 5 where something could not be sent: it stays, and nothing is sent twice."""
    from careplan_exchange.errors import UnavailableError, UsageError

    from . import show

    async def work(services: "show.Services") -> "Told":
        if not services.teller.sends:
            raise UsageError(
                "AuditEvents are kept here, and sent nowhere.",
                mend='Set audit.events = "repository" and audit.repository to the endpoint that takes them.',
            )
        return await services.teller.send(limit=limit, even_later=True)

    with show.working("Sending AuditEvents"):
        told = with_services(work)
    if json:
        show.print_json(told)
    else:
        typer.echo(f"Sent {told.sent} parcel(s); {told.failed} failed; {told.depth.waiting} wait.")
    if told.failed:
        sys.exit(UnavailableError.exit_code)
