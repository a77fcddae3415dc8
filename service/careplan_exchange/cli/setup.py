"""`init`, `doctor` and `knowledge check`: getting to a set-up that works."""

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
) -> None:
    """Check Python, database, knowledge, and each endpoint's reach, version, authentication and capabilities."""
    import asyncio

    from . import show
    from .checks import check_all

    with show.working("Checking"):
        checks = asyncio.run(check_all(settings(), migrate=migrate))
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


def check(json: JsonOption = False) -> None:
    """Lint mappings, profiles and protocols: file, line, and the mend."""
    from careplan_exchange.bootstrap import lint_knowledge
    from careplan_exchange.errors import KnowledgeError

    from . import show

    try:
        findings = lint_knowledge(settings())
    except KnowledgeError as error:
        findings = error.findings
    if json:
        show.print_json(findings)
    elif findings:
        show.print_findings(findings)
    else:
        show.out.print("[green]Mappings, profiles and protocols hold together.[/]")
    if findings:
        sys.exit(KnowledgeError.exit_code)
