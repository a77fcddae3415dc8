"""`audit list|show|verify|export`: the ledger, looked at."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from careplan_exchange.model.chain import Head
    from careplan_exchange.model.ledger import Verdict

from . import audit_acts, events
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
    audit_acts.register(group)
    events.register(group)
    app.add_typer(group, name="audit")


def list_exchanges(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest last.")] = 50, json: JsonOption = False
) -> None:
    """Exchanges and what each came to."""
    from . import show

    rows = with_services(lambda services: services.records.exchanges(limit))
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
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Believe heads and tombstones signed by this key only; a head must be signed then. FILE@SEQ for "
            "a key that was retired at that entry. May be given several times.",
            metavar="FILE",
        ),
    ] = None,
    kept: Annotated[
        str | None,
        typer.Option(help="A head that an earlier check printed, kept elsewhere.", metavar="SEQ:HASH"),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Check only what comes after this entry: a head that was kept, or `signed` for the newest "
            "signed head.",
            metavar="SEQ:HASH",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the whole hash chain and its signed heads. Exit code 6 where it does not hold: a person must look."""
    from careplan_exchange.connections import public_key as read_key
    from careplan_exchange.errors import DecisionNeededError, UsageError

    from . import show
    from .counting import counted

    head = None if kept is None else _head(kept, "--kept")
    begin = None if since in {None, "signed"} else _head(since or "", "--since")
    if begin is not None and head is not None and head.seq < begin.seq:
        raise UsageError("--kept stands before --since, and would not be checked.", mend="Leave --since out.")
    if since is not None and file is not None:
        raise UsageError("A file is always verified whole.", mend="Leave --since out.")
    from careplan_exchange.audit import Keyring, verify_audit_ndjson

    keys = Keyring([read_key(name) for name in public_key]) if public_key else None
    with counted("Verifying the ledger") as progress:
        if file is not None:
            with show.opened_for_reading(file) as lines:
                verdict = verify_audit_ndjson(
                    lines, keys, kept=head, must_be_signed=keys is not None, progress=progress
                )
        else:

            async def work(services: "show.Services") -> "Verdict":
                start = await services.records.newest_signed(keys) if since == "signed" else begin
                return await services.records.verify(kept=head, since=start, keys=keys, progress=progress)

            verdict = with_services(work)
    if json:
        show.print_json(verdict)
    else:
        show.print_verdict(verdict)
    if verdict.broken_at is not None or verdict.problem is not None:
        sys.exit(DecisionNeededError.exit_code)


def _head(text: str, option: str) -> "Head":
    from careplan_exchange.errors import UsageError
    from careplan_exchange.model.chain import Head

    seq, _, digest = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise UsageError(f"{option} is no head.", mend="Give it as `careplan audit verify` printed it: SEQ:HASH.")
    return Head(seq=int(seq), hash=digest)


def export(
    out: Annotated[Path | None, typer.Option(help="Where to (default: standard output).", metavar="FILE")] = None,
    as_: Annotated[
        Literal["ledger", "auditevents"],
        typer.Option(
            "--as", help="ledger: entries, signed heads and tombstones; auditevents: FHIR R4, one a line."
        ),
    ] = "ledger",
) -> None:
    """The whole ledger as NDJSON. With the public key alone it is verified anywhere: `audit verify --file`."""
    from careplan_exchange.bootstrap import VERSION

    from . import show

    async def work(services: "show.Services") -> None:
        # Opened last: a database that does not open must not cost an earlier export of the same name.
        with show.opened_for_writing(out) as sink:
            records = services.records
            async for line in records.export() if as_ == "ledger" else records.export_events(VERSION):
                sink.write(line)

    with_services(work)
    if out is not None:
        typer.echo(f"Wrote {out}.", err=True)
