"""`plan` and `sync`: the data path for one patient."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .context import EndpointOption, JsonOption, PatientOption, SinceOption, TodayOption, with_services
from .who import ByOption, who

if TYPE_CHECKING:
    from careplan_exchange.model.exchange import ExchangeRequest
    from careplan_exchange.model.proposal import Proposal
    from careplan_exchange.sources import Reading

ProtocolOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--protocol",
        help="Apply the PlanDefinition in FILE (R4 or R5, JSON or YAML; also a Bundle with what it points at) "
        "instead of the protocols that are installed. May be given more than once.",
        metavar="FILE",
    ),
]


ApplyAtOption = Annotated[
    str | None,
    typer.Option(
        "--apply-at",
        help="Do not plan here: send the plan of --protocol to this server's PlanDefinition/$apply (for CQL) "
        "and show its answer as its own. It must be the server that --endpoint names.",
        metavar="ENDPOINT",
    ),
]

PageOption = Annotated[
    Path | None,
    typer.Option(
        help="Write the whole plan to FILE as a page (HTML, mode 0600: it is clinical data); print it in short.",
        metavar="FILE",
    ),
]


def register(app: typer.Typer) -> None:
    app.command("plan", epilog="Example: careplan plan -e hospital -p 123 --today 2026-11-24")(plan)
    app.command("explain", epilog="Example: careplan explain -e hospital -p 123 --item metformin-start")(explain)
    app.command("sync", epilog="Example: careplan sync -e hospital -p 123 --json")(sync)


def plan(
    endpoint: EndpointOption,
    patient: PatientOption,
    today: TodayOption = None,
    *,
    since: SinceOption = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            help="Show what would be different if this held: a variable and a value in the concept's own unit "
            "(egfr=28), present, absent or unknown (pregnancy=present), age=70. Repeatable. Never written.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    protocol: ProtocolOption = None,
    apply_at: ApplyAtOption = None,
    page: PageOption = None,
    json: JsonOption = False,
) -> None:
    """Dry run: goals, activities, restrictions, each with reason, evidence, citation, and what was missing.
    With --assume the plan as it would be, as a difference, marked hypothetical."""
    from careplan_exchange.errors import UsageError
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import private, proposals, show, summary

    request = ExchangeRequest(endpoint=endpoint, patient=patient, today=today)
    if page is not None and (assume or apply_at is not None):
        raise UsageError(
            "A page is made of a plan of ours from the record as it stands.",
            mend="Leave out --page, or --assume and --apply-at.",
        )
    if apply_at is not None:
        _delegate(request, protocol or [], apply_at, json=json)
        return
    reading = private.reading(since)
    if assume:
        _suppose(request, assume, reading, json=json)
        return
    with show.working("Reading the record"):
        _, proposal = with_services(lambda services: services.propose(request, reading, protocol or ()))
    if page is not None:
        _leave_page(page, proposal)
    if json:
        show.print_json(proposal)
    elif page is not None:
        summary.print_summary(proposal)
    else:
        proposals.print_proposal(proposal)


def _leave_page(path: Path, proposal: "Proposal") -> None:
    from careplan_exchange.review.page import plan_page

    from . import private, show

    private.write(path, plan_page(proposal).encode(), force=True)
    show.err.print(f"[bold]The whole plan, to look at:[/] {show.escape(str(path))}", soft_wrap=True)


def _suppose(request: "ExchangeRequest", assume: list[str], reading: "Reading | None", *, json: bool) -> None:
    from careplan_exchange.planner import differences

    from . import explained, show

    with show.working("Reading the record"):
        proposal, other = with_services(lambda services: services.suppose(request, assume, reading))
    found = differences(proposal, other)
    if json:
        show.print_json({"hypothetical": True, "assumed": assume, "differences": found, "proposal": other})
    else:
        explained.print_differences(found, assume, proposal)


def explain(
    endpoint: EndpointOption,
    patient: PatientOption,
    item: Annotated[
        str | None,
        typer.Option(
            "--item",
            "-i",
            help="Only this protocol, goal or action: a key as shown, or the end of one.",
            metavar="KEY",
        ),
    ] = None,
    today: TodayOption = None,
    *,
    since: SinceOption = None,
    json: JsonOption = False,
) -> None:
    """Why each line is in the plan or is not: every condition with its FHIRPath, the values it looked at with
    source and version, the result, and what would change it. Without --item the protocols, what is in the
    plan and what is withheld; --json has everything."""
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import explained, private, show

    request = ExchangeRequest(endpoint=endpoint, patient=patient, today=today)
    reading = private.reading(since)
    with show.working("Reading the record"):
        _, explanation = with_services(lambda services: services.explain(request, reading))
    if item is not None:
        explanation = explained.only(explanation, item)
    if json:
        show.print_json(explanation)
    else:
        explained.print_explanation(explanation, whole=item is not None)


def _delegate(request: "ExchangeRequest", plans: list[Path], at: str, *, json: bool) -> None:
    """Another engine's answer, shown as such."""
    from careplan_exchange.errors import UsageError

    from . import delegated, show

    if not plans or request.today is not None:
        raise UsageError(
            "--apply-at sends the plan of a FILE, and the server decides what today is.",
            mend="Give --protocol FILE, and leave --today out.",
        )
    with show.working("Asking the server"):
        found = with_services(lambda services: services.delegate(request, plans, at))
    if json:
        show.print_json(found)
    else:
        delegated.print_delegated(found)


def sync(
    endpoint: EndpointOption,
    patient: PatientOption,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="Where to write, if not where the record is read.")
    ] = None,
    today: TodayOption = None,
    *,
    since: SinceOption = None,
    approve: Annotated[
        bool,
        typer.Option(
            "--approve",
            help="You have reviewed the plan: write it as active, goals included, as far as one person may.",
        ),
    ] = False,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    """The whole path. Without --approve a new plan is written as draft, its goals as proposed, and waits to be
    adopted; a change to a plan that a person has made active waits for review. Exit code 6 says that something
    waits before it is written; who may let what through is in protocols/review."""
    from careplan_exchange.bootstrap import RandomIds, failed_receipt
    from careplan_exchange.errors import CareplanError
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import private, show

    request = ExchangeRequest(
        endpoint=endpoint,
        patient=patient,
        target=target,
        today=today,
        approve=approve,
        by=who(by) if approve else None,
    )
    exchange_id = RandomIds().new()
    reading = private.reading(since)
    try:
        with show.working("Reading, planning, comparing, writing"):
            receipt = with_services(
                lambda services: services.run(request, exchange_id=exchange_id, reading=reading)
            )
    except CareplanError as error:
        if json:
            show.print_json(failed_receipt(error, exchange_id))
        raise
    show.end_with(receipt, json=json)
