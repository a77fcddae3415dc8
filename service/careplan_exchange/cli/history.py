"""`history`: the life of a patient's plan, one sentence after the other."""

from typing import TYPE_CHECKING, Annotated

import typer

from .context import JsonOption, PatientOption, with_services

if TYPE_CHECKING:
    from careplan_exchange.model.history import PlanHistory

_WIDTH = 160
"""How much of a reason is printed."""


def register(app: typer.Typer) -> None:
    app.command("history", epilog="Example: careplan history --endpoint main --patient 123")(history)


def history(
    patient: PatientOption,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint",
            "-e",
            help="Where the record is read: a URL or a name in careplan.toml (default: the only one there).",
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="Where the plan is written (default: the endpoint).")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the server what others did to the plan.")
    ] = False,
    *,
    json: JsonOption = False,
) -> None:
    """What became of a patient's plan: what changed, who did it, why, and from which evidence, oldest first. It
    shows clinical content: the titles and reasons that stand in the plan."""
    from careplan_exchange.errors import UsageError

    from . import show

    async def work(services: "show.Services") -> "PlanHistory":
        where = endpoint or services.default_endpoint
        if where is None:
            raise UsageError("Nothing says which server is meant.", mend="Name it with --endpoint.")
        return await services.history(where, patient, target=target, offline=offline)

    with show.working("Looking"):
        found = with_services(work)
    if json:
        show.print_json(found)
    else:
        _print(found)


def _print(found: "PlanHistory") -> None:
    from . import show

    if not found.happenings:
        show.out.print("Nothing is known of a plan for this patient there.")
    for each in found.happenings:
        show.out.print(f"[bold]{each.at[:19].replace('T', ' ')}[/]  {show.escape(each.text)}")
        for part in each.parts if each.kind != "edited" else ():  # one, which the sentence names
            where = f" [dim]{show.escape(_short(part.reference))}[/]" if part.reference else ""
            what = f": {show.escape(', '.join(part.what))}" if part.what else ""
            show.out.print(f"    {show.escape(part.title)}{where}{what}")
            for line in part.why:
                show.out.print(f"        [dim]{show.escape(_beginning(line))}[/]")
        if each.evidence:
            show.out.print(f"    [dim]New evidence: {show.escape(', '.join(map(_short, each.evidence)))}[/]")
        if each.exchange is not None:
            show.out.print(f"    [dim]exchange {show.escape(each.exchange)}[/]")
    if found.server_error is not None:
        show.err.print(f"The server could not be asked ({found.server_error}): what others did there is missing.")


def _beginning(line: str) -> str:
    """`--json` has the whole."""
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _short(reference: str) -> str:
    """`Goal/7/_history/3` as a person says it."""
    resource, _, version = reference.partition("/_history/")
    return f"{resource} version {version}" if version else resource
