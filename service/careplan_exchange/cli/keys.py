"""`keys new` and `keys jwks`: the key by which we sign in, and what is registered of it."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Keys for SMART Backend Services.",
        no_args_is_help=True,
        epilog="Example: careplan keys new --out hospital-key.json",
    )
    group.command("new", epilog="Example: careplan keys new --alg ES384 --out hospital-key.json")(new)
    group.command("jwks", epilog="Example: careplan keys jwks hospital-key.json hospital-key-next.json")(jwks)
    app.add_typer(group, name="keys")


def new(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write; *.pem gives PEM.", metavar="FILE")],
    alg: Annotated[
        Literal["ES384", "RS384"], typer.Option(help="Which signature.", case_sensitive=False)
    ] = "ES384",
) -> None:
    """Make a private key, readable by its owner alone. Nothing is written over."""
    from careplan_exchange.fhir import as_file, new_key

    from . import show

    key = new_key(alg)
    show.write_secret(out, as_file(key, pem=out.suffix == ".pem"))
    typer.echo(f"Wrote {out} ({alg}, kid {key.kid}). Register what `careplan keys jwks {out}` prints.")


def jwks(
    files: Annotated[list[Path], typer.Argument(help="Key files, private or public.", metavar="KEYFILE…")],
) -> None:
    """Print the public parts as a JWK Set (JSON), to register with a server."""
    from careplan_exchange.fhir import jwks as key_set
    from careplan_exchange.fhir import read_keys

    from . import show

    show.print_json(key_set([key for file in files for key in read_keys(file)]))
