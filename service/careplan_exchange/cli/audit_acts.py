"""`audit sign|key|retain|roles`: what changes the ledger's proofs, and never its entries."""

from pathlib import Path
from typing import Annotated

import typer

from .context import JsonOption, with_services
from .who import who


def register(group: typer.Typer) -> None:
    """Add the commands to the group `audit`."""
    group.command("sign", epilog="Example: careplan audit sign >> heads.txt")(sign)
    group.command("retain", epilog="Example: careplan audit retain --older-than 10y")(retain)
    group.command("roles", epilog="Example: careplan audit roles --application careplan_app | psql -d careplan")(
        roles
    )
    keys = typer.Typer(
        help="The key that signs the ledger's head.",
        no_args_is_help=True,
        epilog="Example: careplan audit key new --out ledger-key.pem",
    )
    keys.command("new", epilog="Example: careplan audit key new --out ledger-key.pem")(new_key)
    keys.command("show", epilog="Example: careplan audit key show ledger-key.pem > ledger-key.pub")(show_key)
    group.add_typer(keys, name="key")


def sign(json: JsonOption = False) -> None:
    """Sign the ledger's head as it is now. Keep what this prints elsewhere: it shows a ledger that was cut."""
    from . import show

    seal = with_services(lambda services: services.records.sign())
    if json:
        show.print_json(seal)
    else:
        said = seal.statement
        typer.echo(f"{said.seq}:{said.hash} signed {said.at} by key {said.key}")


def new_key(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the private key.", metavar="FILE")],
) -> None:
    """Make an Ed25519 key, readable by its owner alone. Prints the public key. Nothing is written over."""
    from careplan_exchange.audit import SigningKey

    from . import show

    key = SigningKey.new()
    show.write_secret(out, key.pem())
    typer.echo(
        f"Wrote {out} (key {key.id}). Set ledger.signing_key_file to it, and give the public key below to "
        "whoever checks the ledger.",
        err=True,
    )
    typer.echo(key.public.pem().decode(), nl=False)


def show_key(file: Annotated[Path, typer.Argument(help="A private key.", metavar="FILE")]) -> None:
    """Print the public key of a private one, as PEM."""
    from careplan_exchange import config
    from careplan_exchange.audit import SigningKey

    key = SigningKey.from_pem(config.secret("signing key of the ledger", None, file))
    typer.echo(f"key {key.id}", err=True)
    typer.echo(key.public.pem().decode(), nl=False)


def retain(
    older_than: Annotated[str, typer.Option(help="How old entries must be to go: 10y, 400d.", metavar="AGE")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove them without asking.")] = False,
    by: Annotated[
        str | None, typer.Option(help="Who removes them (default: the account you are logged in as).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Remove entries that are old enough, up to a signed head, and leave a signed tombstone.

    Says first what would go, and asks. Without a terminal and without --yes it only says it. Export the ledger
    before: what was removed cannot be brought back. On PostgreSQL, run this as the owner of the tables.
    """
    from . import show

    removal = with_services(lambda services: services.records.removable(older_than))
    if removal.entries == 0:
        _say_nothing_goes(removal, json=json)
        return
    what = f"{removal.entries} entries ({removal.first} to {removal.seq}), all made before {removal.before[:10]}"
    if not yes:
        if not show.asks():
            show.print_json(removal) if json else typer.echo(f"Would remove {what}. Add --yes to remove them.")
            return
        typer.confirm(f"Remove {what}? They cannot be brought back.", abort=True, err=True)
    person = who(by)
    tombstone = with_services(lambda services: services.records.remove(removal, person))
    if json:
        show.print_json(tombstone)
    else:
        typer.echo(f"Removed {what}. A tombstone signed by key {tombstone.key} stands in their place.")


def roles(
    application: Annotated[
        str, typer.Option(help="The role that the service runs as; it must exist.", metavar="ROLE")
    ],
    schema: Annotated[str, typer.Option(help="The schema of the tables.", metavar="SCHEMA")] = "public",
) -> None:
    """Print SQL by which the service may add to the ledger on PostgreSQL, and change nothing of it.

    Run it with psql as the owner of the tables, after every migration. It changes no data.
    """
    from careplan_exchange.store import roles_sql

    typer.echo(roles_sql(application, schema), nl=False)


def _say_nothing_goes(removal: object, *, json: bool) -> None:
    from . import show

    if json:
        show.print_json(removal)
    else:
        typer.echo("Nothing is old enough and covered by a signed head. Nothing was removed.")
