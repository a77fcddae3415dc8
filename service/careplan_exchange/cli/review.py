"""`review list|show|approve|reject`: changes that wait for a person."""

import getpass
import sys
from typing import Annotated

import typer

from .context import JsonOption, with_services

ReviewArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The review's id, from `careplan review list`.")
]
ByOption = Annotated[
    str | None, typer.Option(help="Who decides, for the ledger (default: the account you are logged in as).")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Changes that wait for a person.", no_args_is_help=True, epilog="Example: careplan review list"
    )
    group.command("list", epilog="Example: careplan review list --json")(list_reviews)
    group.command("show", epilog="Example: careplan review show 0b0c…")(show_review)
    group.command("approve", epilog="Example: careplan review approve 0b0c… --by 'Dr Who'")(approve)
    group.command("reject", epilog="Example: careplan review reject 0b0c…")(reject)
    app.add_typer(group, name="review")


def list_reviews(json: JsonOption = False) -> None:
    """What waits."""
    from . import show

    pendings = with_services(lambda services: services.plans.pendings())
    if json:
        show.print_json(pendings)
    else:
        show.print_pendings(pendings)


def show_review(review: ReviewArgument, json: JsonOption = False) -> None:
    """One waiting change, as a diff."""
    from . import show

    pending = with_services(lambda services: services.waiting(review))
    if json:
        show.print_json(pending)
    else:
        show.print_pending(pending)


def approve(review: ReviewArgument, by: ByOption = None, json: JsonOption = False) -> None:
    """Carry it out. Record and plan are read again first; a change that is no longer as shown waits again."""
    from careplan_exchange.errors import DecisionNeededError

    from . import show

    receipt = with_services(lambda services: services.approve(review, by=_who(by)))
    if json:
        show.print_json(receipt)
    else:
        show.print_receipt(receipt)
    if receipt.outcome == "review":
        sys.exit(DecisionNeededError.exit_code)


def reject(review: ReviewArgument, by: ByOption = None) -> None:
    """Put it away: the plan on the server stays as it is."""
    with_services(lambda services: services.reject(review, by=_who(by)))
    typer.echo(f"Rejected {review}. The plan on the server stays as it is.")


def _who(by: str | None) -> str:
    from careplan_exchange.errors import UsageError

    if by is not None and by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have them
        raise UsageError(
            "Nothing says who decides: this account has no name.", mend="Name the person with --by."
        ) from None
