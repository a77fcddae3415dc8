"""`plan` and `sync`: the data path for one patient."""

import sys
from typing import Annotated

import typer

from .context import EndpointOption, JsonOption, PatientOption, SinceOption, TodayOption, with_services


def register(app: typer.Typer) -> None:
    app.command("plan", epilog="Example: careplan plan -e hospital -p 123 --today 2026-11-24")(plan)
    app.command("sync", epilog="Example: careplan sync -e hospital -p 123 --json")(sync)


def plan(
    endpoint: EndpointOption,
    patient: PatientOption,
    today: TodayOption = None,
    *,
    since: SinceOption = None,
    json: JsonOption = False,
) -> None:
    """Dry run: goals, activities, restrictions, each with reason, evidence, citation, and what was missing."""
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import private, show

    request = ExchangeRequest(endpoint=endpoint, patient=patient, today=today)
    reading = private.reading(since)
    with show.working("Reading the record"):
        _, proposal = with_services(lambda services: services.propose(request, reading))
    if json:
        show.print_json(proposal)
    else:
        show.print_proposal(proposal)


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
        bool, typer.Option("--approve", help="You have reviewed the plan: write it as active, goals included.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """The whole path. Without --approve a new plan is written as draft, its goals as proposed; a change to a plan
    that a person has made active waits for review. Exit code 6 says that something waits."""
    from careplan_exchange.bootstrap import RandomIds, failed_receipt
    from careplan_exchange.errors import CareplanError, DecisionNeededError
    from careplan_exchange.model.exchange import ExchangeRequest

    from . import private, show

    request = ExchangeRequest(endpoint=endpoint, patient=patient, target=target, today=today, approve=approve)
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
    if json:
        show.print_json(receipt)
    else:
        show.print_receipt(receipt)
    if receipt.outcome == "review":
        sys.exit(DecisionNeededError.exit_code)
