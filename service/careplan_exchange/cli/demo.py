"""`demo`: the main job end to end on the embedded sandbox, ending in a page to look at."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command("demo", epilog="Example: careplan demo --folder ./careplan-demo")(demo)


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the page and the ledger stay (default: a new folder).", metavar="DIR"),
    ] = None,
) -> None:
    """Sync synthetic patients on the embedded sandbox server, break things on purpose, and show what is left."""
    from .demonstration import run_demo

    run_demo(folder)
