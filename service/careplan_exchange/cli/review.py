"""`review list|show|approve|modify|reject|assign`: changes that wait for a person."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .context import JsonOption, with_services
from .who import ByOption, who

if TYPE_CHECKING:
    from careplan_exchange.operations import Decided

ReviewArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The review's id, from `careplan review list`.")
]
ReasonOption = Annotated[str | None, typer.Option(help="Why, for whoever reads it later. Kept with the review.")]
SeenOption = Annotated[
    str | None,
    typer.Option(
        help="The content that you have seen, from `careplan review show`: needed once somebody else has "
        "modified it.",
        metavar="CONTENT",
    ),
]
State = Literal["pending", "approved", "rejected", "superseded", "all"]

_MODIFY = (
    "Example: careplan review modify 0b0c… --set 'Goal/12 target[0].detailRange.high.value=8' --reason 'Frail'"
)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Changes that wait for a person.", no_args_is_help=True, epilog="Example: careplan review list"
    )
    group.command("list", epilog="Example: careplan review list --mine")(list_reviews)
    group.command("show", epilog="Example: careplan review show 0b0c…")(show_review)
    group.command("approve", epilog="Example: careplan review approve 0b0c… --by 'Dr Who'")(approve)
    group.command("modify", epilog=_MODIFY)(modify)
    group.command("reject", epilog="Example: careplan review reject 0b0c… --reason 'Moves away'")(reject)
    group.command("assign", epilog="Example: careplan review assign 0b0c… --to 'Dr Who'")(assign)
    app.add_typer(group, name="review")


def list_reviews(
    *,
    state: Annotated[State, typer.Option(help="Which: by default what still waits.")] = "pending",
    assigned_to: Annotated[str | None, typer.Option(help="Only those assigned to this person.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those assigned to you.")] = False,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """What waits, oldest first."""
    from careplan_exchange.errors import UsageError

    from . import reviewed, show

    if mine and assigned_to is not None:
        raise UsageError("--mine and --assigned-to ask for two people.", mend="Give one of them.")
    person = who(by) if mine else assigned_to
    wanted = None if state == "all" else state
    pendings = with_services(lambda services: services.reviews.listed(wanted, person))
    if json:
        show.print_json(pendings)
    else:
        reviewed.print_pendings(pendings)


def show_review(review: ReviewArgument, json: JsonOption = False) -> None:
    """One change, as a diff, with what persons did with it so far. `content` stands for all of it: approve it
    with `--seen` where somebody has modified it."""
    from careplan_exchange.model.codec import decode, encode
    from careplan_exchange.review import content_of

    from . import reviewed, show

    pending = with_services(lambda services: services.reviews.shown(review))
    if json:
        show.print_json({**decode(encode(pending)), "content": content_of(pending)})
    else:
        reviewed.print_pending(pending)


def approve(
    review: ReviewArgument,
    *,
    by: ByOption = None,
    reason: ReasonOption = None,
    seen: SeenOption = None,
    json: JsonOption = False,
) -> None:
    """Carry it out. Record and plan are read again first; a change that is no longer as shown waits again, and
    what is otherwise is printed; so is what somebody modified since you looked. Exit code 6 says that it still
    waits."""
    from . import show

    person = who(by)
    with show.working("Reading the record again, comparing, writing"):
        decided = with_services(
            lambda services: services.reviews.approve(review, by=person, reason=reason, seen=seen)
        )
    _tell(decided, json=json)


def modify(
    review: ReviewArgument,
    reason: Annotated[str, typer.Option(help="Why it is to be otherwise. Kept with the review.")],
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="An element as you want it: the resource as `review show` names it, the path, and the value as "
            "JSON or plain text. Repeatable.",
            metavar="'NAME PATH=VALUE'",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Leave a line out: Goal/12, ServiceRequest/13, or 'CarePlan/3 activity[2]'. It is written with "
            "the status that says so, and not proposed again. Repeatable.",
            metavar="NAME",
        ),
    ] = None,
    edits: Annotated[
        Path | None,
        typer.Option(
            help="The same as a YAML or JSON file: 'NAME PATH' and a value each; null takes out.", metavar="FILE"
        ),
    ] = None,
    by: ByOption = None,
    seen: SeenOption = None,
    json: JsonOption = False,
) -> None:
    """Approve it with changes of your own. They go past the safety gate, are checked as FHIR, and are yours from
    then on: no later run changes them back."""
    from . import show

    person = who(by)
    wanted = _edits(set_ or [], without or [], edits)
    with show.working("Reading the record again, checking, writing"):
        decided = with_services(
            lambda services: services.reviews.modify(review, by=person, edits=wanted, reason=reason, seen=seen)
        )
    _tell(decided, json=json)


def reject(
    review: ReviewArgument,
    reason: Annotated[str, typer.Option(help="Why it is not to be. Kept with the review.")],
    by: ByOption = None,
) -> None:
    """Put it away: the plan on the server stays as it is. The same is not asked again."""
    person = who(by)
    with_services(lambda services: services.reviews.reject(review, by=person, reason=_said(reason)))
    typer.echo(f"Rejected {review}. The plan on the server stays as it is.")


def assign(
    review: ReviewArgument,
    to: Annotated[str, typer.Option(help="Who is to look at it.")],
    by: ByOption = None,
    reason: ReasonOption = None,
) -> None:
    """Say who is to look at it. Anybody else may still decide."""
    person = who(by)
    with_services(lambda services: services.reviews.assign(review, to=_said(to), by=person, reason=reason))
    typer.echo(f"Assigned {review} to {to.strip()}.")


def _edits(sets: list[str], without: list[str], file: Path | None) -> dict[str, Any]:
    from careplan_exchange import knowledge
    from careplan_exchange.errors import UsageError
    from careplan_exchange.model.codec import decode

    found: dict[str, Any] = {}
    if file is not None:
        content = knowledge.read(file).content
        if not isinstance(content, dict):
            raise UsageError(
                f"{file} holds no edits.", mend="Write lines such as `Goal/12 description.text: As agreed`."
            )
        found |= content
    for one in sets:
        path, sign, value = one.partition("=")
        if not sign or " " not in path.strip():
            raise UsageError(
                f"This sets nothing: '{one}'.", mend="Write 'Goal/12 target[0].detailRange.high.value=7.5'."
            )
        try:
            found[path.strip()] = decode(value)
        except ValueError:  # no JSON: plain text
            found[path.strip()] = value.strip()
    return found | {name.strip(): None for name in without}


def _said(text: str) -> str:
    from careplan_exchange.errors import UsageError

    if not text.strip():
        raise UsageError("An empty text says nothing.", mend="Say it in a few words.")
    return text.strip()


def _tell(decided: "Decided", *, json: bool) -> None:
    from careplan_exchange.errors import DecisionNeededError

    from . import reviewed, show

    if json:
        show.print_json(decided)
    else:
        reviewed.print_decided(decided)
    if decided.state != "approved":
        sys.exit(DecisionNeededError.exit_code)
