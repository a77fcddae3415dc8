"""Who acts, for the commands that record it."""

import getpass
from typing import Annotated

import typer

ByOption = Annotated[
    str | None,
    typer.Option(
        help="Who acts, for the ledger and the Provenance: a name, or a reference on the target such as "
        "Practitioner/12 (default: the account you are logged in as)."
    ),
]


def who(by: str | None) -> str:
    """Raises UsageError where nobody is named, and the account has no name either."""
    from careplan_exchange.errors import UsageError

    if by is not None and by.strip():
        return by.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have them
        raise UsageError(
            "Nothing says who decides: this account has no name.", mend="Name the person with --by."
        ) from None
