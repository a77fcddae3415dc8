"""`audit list|show|verify|export`: the ledger."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from careplan_exchange.model.chain import Head

from .context import JsonOption, with_services


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="The ledger: what was done, by exchange.",
        no_args_is_help=True,
        epilog="Example: careplan audit verify",
    )
    group.command("list", epilog="Example: careplan audit list --limit 20")(list_exchanges)
    group.command("show", epilog="Example: careplan audit show 0b0c…")(show_exchange)
    group.command("verify", epilog="Example: careplan audit verify --file ledger.ndjson")(verify)
    group.command("export", epilog="Example: careplan audit export --out ledger.ndjson")(export)
    app.add_typer(group, name="audit")


def list_exchanges(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest last.")] = 50, json: JsonOption = False
) -> None:
    """Exchanges and what each came to."""
    from . import show

    rows = with_services(lambda services: services.finished_exchanges(limit))
    if json:
        show.print_json(rows)
    else:
        show.print_exchanges(rows)


def show_exchange(
    exchange: Annotated[str, typer.Argument(metavar="EXCHANGE", help="An id from `careplan audit list`.")],
    json: JsonOption = False,
) -> None:
    """Every entry of one exchange."""
    from careplan_exchange.errors import UsageError

    from . import show

    links = with_services(lambda services: services.ledger.links(exchange=exchange))
    if not links:
        raise UsageError("The ledger has no such exchange.", mend="`careplan audit list` shows the ids.")
    if json:
        show.print_json(links)
    else:
        show.print_links(links)


def verify(
    file: Annotated[
        Path | None, typer.Option(help="Verify an exported file instead of the database.", metavar="FILE")
    ] = None,
    kept: Annotated[
        str | None,
        typer.Option(help="A head that an earlier check printed, kept elsewhere.", metavar="SEQ:HASH"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the whole hash chain. Exit code 6 where it does not hold: a person must look."""
    from careplan_exchange.errors import DecisionNeededError

    from . import show

    head = None if kept is None else _head(kept)
    if file is None:
        verdict = with_services(lambda services: services.verify_ledger(head))
    else:
        from careplan_exchange.audit import verify_audit_ndjson

        verdict = verify_audit_ndjson(show.read_file(file).splitlines(keepends=True), head)
    if json:
        show.print_json(verdict)
    else:
        show.print_verdict(verdict)
    if verdict.broken_at is not None or verdict.problem is not None:
        sys.exit(DecisionNeededError.exit_code)


def _head(text: str) -> "Head":
    from careplan_exchange.errors import UsageError
    from careplan_exchange.model.chain import Head

    seq, _, digest = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise UsageError("--kept is no head.", mend="Give it as `careplan audit verify` printed it: SEQ:HASH.")
    return Head(seq=int(seq), hash=digest)


def export(
    out: Annotated[Path | None, typer.Option(help="Where to (default: standard output).", metavar="FILE")] = None,
) -> None:
    """The whole ledger as NDJSON. Keep what `audit verify` prints elsewhere: with it a cut chain shows."""
    from . import show

    async def work(services: "show.Services") -> None:
        # Opened last: a database that does not open must not cost an earlier export of the same name.
        with show.opened_for_writing(out) as sink:
            async for line in services.export_ledger():
                sink.write(line)

    with_services(work)
    if out is not None:
        typer.echo(f"Wrote {out}.", err=True)
