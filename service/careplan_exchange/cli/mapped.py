"""`map`: what mapping understood of one record, and what it did not."""

from pathlib import Path
from typing import Annotated

import typer

from .context import EndpointOption, JsonOption, PatientOption, SinceOption, TodayOption, with_services


def register(app: typer.Typer) -> None:
    app.command("map", epilog="Example: careplan map -e hospital -p 123 --save snapshot.json")(map_)


def _schema(wanted: bool) -> None:
    if wanted:
        import json

        from careplan_exchange.model.codec import json_schema
        from careplan_exchange.model.snapshot import Snapshot

        typer.echo(json.dumps(json_schema(Snapshot), indent=2))
        raise typer.Exit


def map_(
    endpoint: EndpointOption,
    patient: PatientOption,
    today: TodayOption = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Also write the JSON to FILE, readable by you alone (mode 0600): it is clinical data. "
            "A file that is there is kept, unless --force is given.",
            metavar="FILE",
        ),
    ] = None,
    since: SinceOption = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Let --save replace a file that is there.")] = False,
    json: JsonOption = False,
    _: Annotated[
        bool,
        typer.Option(
            "--schema", callback=_schema, is_eager=True, help="Print the JSON Schema of --json and end."
        ),
    ] = False,
) -> None:
    """The facts of a record by group, each with value, date, state and the resource version it came from; then
    what was not used and why. Writes to no server. --json prints the snapshot (--schema describes it)."""
    from careplan_exchange.model.codec import steady
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import facts, private, show

    if save is not None:
        private.refuse_existing(save, force=force)
    request = ExchangeRequest(endpoint=endpoint, patient=patient, today=today)

    with show.working("Reading the record"):
        record, snapshot, vocabulary = with_services(lambda services: facts.read(services, request, since))
    if save is not None:
        private.write(save, steady(snapshot) + b"\n", force=force)
    if json:
        show.print_bytes(steady(snapshot) + b"\n")
    else:
        facts.print_snapshot(record, snapshot, vocabulary)
