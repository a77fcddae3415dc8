"""`deadletter list|show|replay|drop`: exchanges that failed and will not come right by themselves."""

import sys
from typing import Annotated

import typer

from .context import JsonOption, with_services
from .who import ByOption, who

LetterArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The letter's id, from `careplan deadletter list`.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Exchanges that failed and will not come right by themselves.",
        no_args_is_help=True,
        epilog="Example: careplan deadletter list",
    )
    group.command("list", epilog="Example: careplan deadletter list --json")(list_letters)
    group.command("show", epilog="Example: careplan deadletter show 0b0c…")(show_letter)
    group.command("replay", epilog="Example: careplan deadletter replay --all")(replay)
    group.command("drop", epilog="Example: careplan deadletter drop 0b0c… --reason 'moved away'")(drop)
    app.add_typer(group, name="deadletter")


def list_letters(
    every: Annotated[bool, typer.Option("--closed", help="Also those that were closed.")] = False,
    json: JsonOption = False,
) -> None:
    """What waits, without anything clinical."""
    from . import show

    lines = with_services(lambda services: services.letters.lines(None if every else "waiting"))
    if json:
        show.print_json(lines)
    else:
        show.print_letters(lines)


def show_letter(letter: LetterArgument, json: JsonOption = False) -> None:
    """One letter with its whole context: what went wrong, what to do, and what was about to be written. It is
    clinical data."""
    from . import show

    found = with_services(lambda services: services.letters.letter(letter))
    if json:
        show.print_json(found)
    else:
        show.print_letter(found)


def replay(
    letter: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The letter's id; or --all.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait, oldest first.")] = False,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """Run the exchange again from its beginning: read, plan, merge. Nothing that was about to be sent is sent.
    Exit codes are those of sync; with --all the highest."""
    from careplan_exchange.errors import UsageError

    from . import show

    if (letter is None) == (not every):
        raise UsageError("One letter, or all of them.", mend="Give an id, or --all.")
    person = who(by)
    if letter is not None:
        wanted = letter
        receipt = with_services(lambda services: services.letters.replay(wanted, by=person))
        show.end_with(receipt, json=json)
        return
    with show.counting("Replaying") as progress:
        results = with_services(lambda services: services.letters.replay_all(by=person, progress=progress))
    if json:
        show.print_json(results)
    else:
        failed = [result for result in results if result.error is not None]
        for result in failed:
            show.out.print(f"[red]{show.escape(result.error or '')}[/] {result.letter}")
        typer.echo(f"Replayed {len(results)}: {len(results) - len(failed)} went through, {len(failed)} wait on.")
    sys.exit(max((result.exit_code for result in results), default=0))


def drop(
    letter: LetterArgument,
    reason: Annotated[str, typer.Option(help="Why it needs no answer; kept with the letter.")],
    by: ByOption = None,
) -> None:
    """Put it away unanswered. The plan on the server stays as it is."""
    with_services(lambda services: services.letters.drop(letter, by=who(by), reason=reason))
    typer.echo(f"Dropped {letter}. The plan on the server stays as it is.")
