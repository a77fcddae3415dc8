"""`careplan revert`: take back what one exchange wrote."""

from typing import Annotated

import typer

from .context import JsonOption, with_services


def register(app: typer.Typer) -> None:
    app.command("revert", epilog="Example: careplan revert --exchange 0b0c… --reason 'wrong weight'")(revert)


def revert(
    exchange: Annotated[
        str, typer.Option("--exchange", "-x", help="The exchange to take back, from `careplan audit list`.")
    ],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for the ledger and the plan's history.")],
    by: Annotated[
        str | None, typer.Option(help="Who wishes it (default: the account you are logged in as).")
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Every resource back to what it was, as a new version, where nobody has changed it since; what the exchange
    made is marked entered-in-error. Where something was changed, or the review policy wants two persons, nothing
    is written and a review waits: exit code 6. What the policy never allows is refused: exit code 4. What was
    taken back counts as a person's edit, so no later sync writes it again."""
    from . import show
    from .who import who

    with show.working("Taking it back"):
        receipt = with_services(lambda services: services.revert(exchange, by=who(by), reason=reason))
    show.end_with(receipt, json=json)
