"""`store key new`, `store rekey`, `store recover`: our own database, its key, and what it has forgotten."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .context import EndpointOption, JsonOption, PatientOption, settings, with_services
from .who import ByOption, who


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Our own database: its key, and what it has forgotten.",
        no_args_is_help=True,
        epilog="Example: careplan store rekey",
    )
    key = typer.Typer(
        help="The key that seals the database.",
        no_args_is_help=True,
        epilog="Example: careplan store key new --out store.key",
    )
    key.command("new", epilog="Example: careplan store key new --out store.key")(new_key)
    group.add_typer(key, name="key")
    group.command("rekey", epilog="Example: careplan store rekey --json")(rekey)
    group.command("recover", epilog="Example: careplan store recover -e hospital -p 123 --yes")(recover)
    app.add_typer(group, name="store")


def new_key(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write.", metavar="FILE")],
) -> None:
    """Make a key, readable by its owner alone. Nothing is written over."""
    from careplan_exchange.store import key_id, key_of, new_key

    from . import show

    text = new_key()
    show.write_secret(out, f"{text}\n".encode())
    typer.echo(
        f"Wrote {out} (key {key_id(key_of(text, 'new key'))}). Keep a copy apart from the database and its "
        "backups: without it nobody can read them. Next: name it as `key_file` in [store] of careplan.toml, then "
        "run `careplan store rekey`."
    )


def rekey(json: JsonOption = False) -> None:
    """Seal everything that is clinical with the current key: what stands in the clear, and what an older key of
    `store.old_key_files` has sealed. It may be cut off, and runs while others work."""
    import asyncio

    from careplan_exchange.connections import store_keys, store_password
    from careplan_exchange.errors import UsageError
    from careplan_exchange.store import reseal

    from . import show

    loaded = settings()
    keys = store_keys(loaded)
    if keys is None:
        raise UsageError(
            "No key is configured for the database.",
            mend="Make one with `careplan store key new --out FILE` and name FILE in `store.key_file`.",
        )
    with show.counting("Sealing") as progress:
        done = asyncio.run(
            reseal(loaded.store.url, password=store_password(loaded), keys=keys, progress=progress)
        )
    if json:
        show.print_json(done)
    else:
        typer.echo(
            f"Sealed {done.documents} document(s); everything stands under the key {done.key}. "
            "Backups, and copies that were made before, are as they were."
        )


def recover(
    *,
    endpoint: EndpointOption,
    patient: PatientOption,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="Where the plan stands, if not at --endpoint.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Adopt what was found; else it is only shown.")] = False,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """After an older backup was restored, or another installation wrote: show what stands on the server that this
    database does not know. With --yes it counts as somebody else's work from now on: it stays, and what we would
    write differently waits for review. Nothing is written to the server."""
    from careplan_exchange.errors import DecisionNeededError
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import show

    request = ExchangeRequest(endpoint=endpoint, patient=patient, target=target)
    person = who(by) if yes else None
    found = with_services(lambda services: services.recover(request, by=person))
    if json:
        show.print_json(found)
    for writing in () if json else found:
        show.out.print(
            f"{show.escape(writing.reference)}: written {writing.at[:19]} by exchange {writing.exchange}, "
            f"installation {writing.installation}"
        )
    if found and not yes:
        if not json:
            typer.echo("Nothing was changed. Add --yes to adopt it.")
        sys.exit(DecisionNeededError.exit_code)
    if not json:
        typer.echo(
            "Adopted. Next: careplan sync; what would change waits for review."
            if found
            else "This database knows everything that stands there."
        )
