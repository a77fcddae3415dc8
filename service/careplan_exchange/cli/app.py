"""The command's frame: global options, the list of commands, and what happens when something fails."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from . import (
    audit,
    coverage,
    deadletter,
    demo,
    drill,
    exchange,
    history,
    keys,
    mapped,
    protocol,
    revert,
    review,
    servers,
    setup,
    store,
)
from .context import GlobalOptions, set_options

app = typer.Typer(
    name="careplan",
    help="Pulls a patient's record from a FHIR server, plans from clinical protocols, and writes FHIR CarePlan "
    "and Goal back. Nothing becomes active without a person.",
    epilog="Example: careplan plan --endpoint https://fhir.example.org/r4 --patient 123",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"careplan-exchange {version('careplan-exchange')}")
        raise typer.Exit


@app.callback()
def _global(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file (default: careplan.toml, if there is one)."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Database, over the settings: sqlite:///FILE or postgresql://USER@HOST/NAME."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR, over the settings.", metavar="LEVEL")
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    set_options(GlobalOptions(config=config, store=store, log_level=log_level))


exchange.register(app)
mapped.register(app)
coverage.register(app)
protocol.register(app)
review.register(app)
revert.register(app)
deadletter.register(app)
audit.register(app)
history.register(app)
servers.register(app)
setup.register(app)
keys.register(app)
store.register(app)
demo.register(app)
drill.register(app)


def run() -> None:
    """Run the command line; ends the process with the exit code of what happened."""
    from careplan_exchange.errors import CareplanError

    try:
        _command_line()
    except CareplanError as error:
        from .show import print_error

        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - a person sees a sentence; the trace is for DEBUG
        from .show import print_fault

        print_fault(error)
        sys.exit(1)
    finally:
        _empty_standard_error()


def _empty_standard_error() -> None:
    try:
        sys.stderr.flush()
    except OSError:
        from .show import let_errors_go

        let_errors_go()


def _command_line() -> None:
    """Raises what the command does; UsageError where its help cannot be printed."""
    try:
        app(standalone_mode=True)
    except OSError:
        from .show import flushed

        flushed()
        raise
