"""`init`, `doctor` and `knowledge`: getting to a set-up that works, and knowledge that can be looked at."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .context import JsonOption, settings


def register(app: typer.Typer) -> None:
    app.command("init", epilog="Example: careplan init --endpoint https://fhir.example.org/r4")(init)
    app.command("doctor", epilog="Example: careplan doctor --json")(doctor)
    group = typer.Typer(
        help="Mappings, profiles and protocols.", no_args_is_help=True, epilog="Example: careplan knowledge check"
    )
    group.command("check", epilog="Example: careplan knowledge check --json")(check)
    group.command("export", epilog="Example: careplan knowledge export --to guide")(export)
    group.command("describe", epilog="Example: careplan knowledge describe")(describe)
    app.add_typer(group, name="knowledge")


def init(
    endpoint: Annotated[
        str, typer.Option("--endpoint", "-e", help="Base URL of your FHIR server.")
    ] = "http://127.0.0.1:8090/fhir",
    file: Annotated[Path, typer.Option(help="Where to write.", metavar="FILE")] = Path("careplan.toml"),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a commented careplan.toml."""
    from careplan_exchange.config import endpoint_at
    from careplan_exchange.errors import UsageError

    from . import show
    from .template import settings_file

    if file.exists() and not force:
        raise UsageError(f"{file} is there already.", mend="Edit it, name another with --file, or add --force.")
    endpoint_at(endpoint)
    show.write_file(file, settings_file(endpoint).encode())
    typer.echo(f"Wrote {file}. Next: careplan doctor")


def doctor(
    json: JsonOption = False,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the database to this version's schema first.")
    ] = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Write a resource about nobody to each endpoint, to see whether it checks versions."
        ),
    ] = False,
) -> None:
    """Check Python, database, knowledge, and each endpoint's reach, version, authentication and capabilities."""
    import asyncio

    from . import show
    from .checks import check_all
    from .probing import probe_all

    with show.working("Checking"):
        checks = asyncio.run(check_all(settings(), migrate=migrate))
        if probe:
            checks += asyncio.run(probe_all(settings()))
    if json:
        show.print_json([check.as_dict() for check in checks])
    else:
        for check in checks:
            mark = "[green]ok[/]  " if check.ok else "[red]mend[/]"
            show.out.print(f"{mark} {show.escape(check.what)}: {show.escape(check.found)}")
            if check.mend:
                show.out.print(f"       {show.escape(check.mend)}")
    worst = next((check.exit_code for check in checks if not check.ok), 0)
    sys.exit(worst)


def check(
    json: JsonOption = False,
    today: Annotated[
        str | None,
        typer.Option(help="Judge dates of review as of this date (YYYY-MM-DD).", metavar="DATE"),
    ] = None,
) -> None:
    """Lint mappings, profiles and protocols: file, line, and the mend. Ends with 2 where there is a finding."""
    from careplan_exchange.bootstrap import SystemClock, today_or
    from careplan_exchange.curation import lint_knowledge
    from careplan_exchange.errors import KnowledgeError

    from . import show

    files, findings = lint_knowledge(settings(), today_or(today, SystemClock()))
    if json:
        show.print_json(findings)
    elif findings:
        show.print_findings(findings)
        wrong = len({finding.file for finding in findings})
        show.out.print(f"[red]{len(findings)} finding(s) in {wrong} file(s).[/]")
    else:
        show.out.print(f"[green]Mappings, profiles and protocols hold together ({files} files).[/]")
    if findings:
        sys.exit(KnowledgeError.exit_code)


def export(
    to: Annotated[Path, typer.Option("--to", help="A folder that is made, or is empty.", metavar="DIR")],
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds something.")] = False,
) -> None:
    """Write the concepts as FHIR R4: profiles with differential and snapshot, an example of each, ValueSets,
    ConceptMaps, and what is asked of a server. load.json in the folder is a transaction that loads them."""
    from careplan_exchange.curation import describe_knowledge
    from careplan_exchange.errors import UsageError
    from careplan_exchange.guide import artefacts
    from careplan_exchange.model.codec import steady

    from . import show

    if to.exists() and not force and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is not an empty folder.", mend="Name another with --to, or add --force.")
    made = artefacts(describe_knowledge(settings()))
    count = 0
    for name, resource in made.files():
        show.make_folder((to / name).parent)
        show.write_file(to / name, steady(resource) + b"\n")
        count += 1
    typer.echo(f"Wrote {count} files to {to}. Next: POST {to / 'load.json'} to the base URL of a FHIR R4 server.")


def describe() -> None:
    """Print the page that describes every concept: what it is, its codes, and who asks for it (Markdown)."""
    from careplan_exchange.curation import describe_knowledge
    from careplan_exchange.guide import page

    typer.echo(page(describe_knowledge(settings())), nl=False)
