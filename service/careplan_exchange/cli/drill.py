"""`drill`: the twelve ways to lose, double or overwrite a plan, tried on a server with patients of its own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .context import JsonOption, settings, store_option

if TYPE_CHECKING:
    from careplan_exchange.drills import Line, Order, Restart, Result

_SHOWN = 20
_RESTARTS = 3
_HEADS = {
    "overwritten": "over- written",
    "unrecorded": "un- recorded",
    "half_written": "half- written",
    "misplaced": "mis- placed",
}
"""As they break where the terminal is narrow."""

_EXAMPLE = "Example: careplan drill --endpoint https://fhir.example.org/r4 --runs 5"


def register(app: typer.Typer) -> None:
    app.command("drill", epilog=_EXAMPLE)(drill)


def drill(
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            "-e",
            help="FHIR server to drill: a URL, or a name in careplan.toml (default: a sandbox of its own).",
        ),
    ] = None,
    modes: Annotated[
        str, typer.Option(help="Only these modes, with commas between (default: all twelve).", metavar="NAMES")
    ] = "",
    runs: Annotated[int, typer.Option(help="Runs of each mode.", min=1)] = 10,
    seed: Annotated[
        int | None, typer.Option(help="Repeat what this seed gives (default: a fresh one, which is printed).")
    ] = None,
    run: Annotated[
        int | None, typer.Option("--run", help="Only the run of this number, of each mode.", min=0)
    ] = None,
    *,
    processes: Annotated[int, typer.Option(help="Processes that drill beside each other.", min=1)] = 1,
    restart: Annotated[
        Path | None,
        typer.Option(
            help="A script of yours that kills the FHIR server, or the database of --store, and starts it again. "
            "It is run while exchanges are under way; the drill waits until what it killed is back.",
            metavar="SCRIPT",
        ),
    ] = None,
    restarts: Annotated[
        int | None,
        typer.Option(help="How often SCRIPT is run, at moments that the seed decides (default: 3).", min=1),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before patients are made there.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write the result as a FHIR TestReport (JSON) to FILE.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make patients on a server, write plans for them through a proxy that breaks things on purpose, have a
    clinician edit meanwhile, kill the process, and count what was lost, doubled or overwritten. The patients are
    synthetic, tagged, and removed at the end. Ends with 1 if anything was found."""
    import secrets

    from careplan_exchange import config
    from careplan_exchange.drills import Order, lines_of, require_modes

    from . import show

    chosen = require_modes([name.strip() for name in modes.split(",") if name.strip()])
    loaded = settings()
    order = Order(
        settings=loaded,
        modes=chosen,
        runs=runs,
        seed=secrets.randbelow(10**6) if seed is None else seed,
        endpoint=config.endpoint_named(loaded, endpoint) if endpoint is not None else None,
        store=store_option(),
        run=run,
        processes=processes,
        restart=_restart(restart, restarts),
    )
    order.require_sound()
    if not json:
        repeat = f"careplan drill --modes NAME --run NUMBER --seed {order.seed}"
        show.err.print(f"Seed {order.seed}. To repeat one run: {repeat}")
    if (order.endpoint is not None or order.restart is not None) and not yes:
        _ask(order)
    results = _watched(order)
    lines = lines_of(results, chosen)
    if report is not None:
        _leave_report(report, order, lines)
    if json:
        show.print_json(_facts(order, results, lines))
    else:
        _print(order, results, lines)
    sys.exit(1 if any(line.total for line in lines) else 0)


def _restart(script: Path | None, times: int | None) -> "Restart | None":
    from careplan_exchange.drills import Restart
    from careplan_exchange.errors import UsageError

    if script is not None:
        return Restart(script, times or _RESTARTS)
    if times is not None:
        raise UsageError("--restarts says how often, and not what.", mend="Name the script: --restart SCRIPT.")
    return None


def _ask(order: "Order") -> None:
    from careplan_exchange.errors import UsageError

    from . import show

    where = order.endpoint.url if order.endpoint is not None else "a sandbox"
    text = f"{len(order.pieces)} runs will make synthetic patients and plans on {where}, and remove them. "
    if order.restart is not None:
        text += f"{order.restart.script} will be run {order.restart.times} times meanwhile. "
    said = show.asks() and typer.confirm(f"{text}Is it a server for tests?", default=False, err=True)
    if not said:
        raise UsageError("Nothing was made.", mend="Name a server for tests; --yes answers the question.")


def _watched(order: "Order") -> list["Result"]:
    """All results; a bar on standard error shows how far it is, and each finding as it comes."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from careplan_exchange.drills import drill as drilled

    from . import show

    results: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=show.err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("drilling", total=len(order.pieces))
        for result in drilled(order):
            results.append(result)
            progress.advance(task)
            if result.count.total:
                progress.update(task, description=f"[red]found in {result.mode}, run {result.run}[/]")
    return results


def _print(order: "Order", results: list["Result"], lines: list["Line"]) -> None:
    from careplan_exchange.drills import COUNTS

    from . import show

    table = show.table(None, "mode", "runs", *(_HEADS.get(name, name) for name in COUNTS), "told", lines=False)
    table.box, table.padding, table.pad_edge = None, (0, 1, 0, 0), False
    table.columns[0].no_wrap = True
    for line in lines:
        counts = (f"[red]{found}[/]" if found else "0" for found in line.counts)
        table.add_row(line.mode, str(line.runs), *counts, str(line.told))
    show.out.print(table)
    for result in [one for one in results if one.count.total][:_SHOWN]:
        repeat = f"--modes {result.mode} --run {result.run} --seed {order.seed}"
        show.out.print(f"[red]{result.mode}, run {result.run}[/] (repeat it with {repeat})")
        for note in result.count.notes[:_SHOWN]:
            show.out.print(f"  {show.escape(note)}")
    kept = sum(not result.removed for result in results)
    if kept:
        show.out.print(
            f"The server would not let go of what {kept} runs made; it is tagged urn:careplan-exchange:drill."
        )
    if order.restart is not None:
        met, broken = _met(results)
        met_them = f"{order.restart.times} restarts met {met} exchanges under way"
        show.out.print(f"{met_them}; {broken} of these ended with an error.")
    total = sum(line.total for line in lines)
    show.out.print(
        f"Total: {len(results)} runs, seed {order.seed}: {total} lost, doubled, overwritten or otherwise wrong."
    )


def _met(results: list["Result"]) -> tuple[int, int]:
    return sum(result.met for result in results), sum(result.broken for result in results)


def _facts(order: "Order", results: list["Result"], lines: list["Line"]) -> dict[str, object]:
    from careplan_exchange.drills import COUNTS

    return {
        "seed": order.seed,
        "modes": [
            {
                "mode": line.mode,
                "runs": line.runs,
                **dict(zip(COUNTS, line.counts, strict=True)),
                "told": line.told,
                "putBack": line.put_back,
                "seconds": round(line.seconds, 1),
            }
            for line in lines
        ],
        "findings": [
            {"mode": one.mode, "run": one.run, "notes": one.count.notes} for one in results if one.count.total
        ],
        **_restarts(order, results),
        "notRemoved": sum(not one.removed for one in results),
        "total": sum(line.total for line in lines),
    }


def _restarts(order: "Order", results: list["Result"]) -> dict[str, object]:
    if order.restart is None:
        return {}
    met, broken = _met(results)
    return {"restarts": {"times": order.restart.times, "met": met, "broken": broken}}


def _leave_report(path: Path, order: "Order", lines: list["Line"]) -> None:
    from careplan_exchange.bootstrap import VERSION, SystemClock
    from careplan_exchange.drills import as_test_report
    from careplan_exchange.model.codec import steady

    from . import show

    made = as_test_report(
        lines,
        server=str(order.endpoint.url) if order.endpoint is not None else "urn:careplan-exchange:sandbox",
        tester=f"careplan-exchange {VERSION}",
        seed=order.seed,
        runs=order.runs,
        at=SystemClock().now(),
    )
    show.write_file(path, steady(made) + b"\n")
