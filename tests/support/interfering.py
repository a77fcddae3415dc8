"""A hospital whose server a test interferes with, and what is asked of it afterwards."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from careplan_exchange.exchange import Target
from careplan_exchange.model.changes import Base, Intent, Json, Settlement, WrittenResource
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.hospital import URL, Hospital, HospitalSource

AUTO_NEW = ReviewPolicy(rules=(ReviewRule(change=("new",), needs="auto"),))
AUTO = ReviewPolicy(rules=(ReviewRule(change=("new", "changed", "retired", "status"), needs="auto"),))
REVIEW_NEW = ReviewPolicy(new_plans="hold")


def a_target(writer: MemoryPlanWriter) -> Target:
    """The half of the path that writes, over stores that are empty."""
    return Target(
        writer=writer,
        plans=MemoryPlanStore(),
        ledger=MemoryLedger(),
        clock=TickingClock(),
        ids=CountingIds(),
        policy=ReviewPolicy(),
        version="0.1.0",
    )


class DiedError(BaseException):
    """The process ends here: nothing below is caught by anything above."""


class Interfering(MemoryPlanWriter):
    """A writer before (or after) whose writes something happens."""

    def __init__(self) -> None:
        super().__init__(URL)
        self.writes = 0
        self.before_write = lambda: None
        self.after_write = lambda: None
        self.settled: Settlement | None = None

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        self.writes += 1
        self.before_write()
        written = await super().write(intent, companions)
        self.after_write()
        return written

    async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
        return self.settled or await super().settle(intent, booked)


def with_interference() -> tuple[Hospital, Interfering]:
    writer = Interfering()
    source = HospitalSource("02-older-adult-si-units", written_here=writer)
    return Hospital(writer=writer, source=source), writer


def raising(error: BaseException) -> Any:
    def raise_it() -> None:
        raise error

    return raise_it


def goal_with(hospital: Hospital, text: str) -> dict[str, Any]:
    return next(goal for goal in hospital.goals() if text in goal["description"]["text"])


def actions(receipt: Receipt) -> Counter[str]:
    return Counter(resource.action for resource in receipt.resources)


async def the_pending(hospital: Hospital) -> Pending:
    (pending,) = await hospital.plans.pendings()
    return pending


async def open_intents(hospital: Hospital) -> tuple[Intent, ...]:
    return await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}")


def assert_nothing_written(hospital: Hospital) -> None:
    assert hospital.everything() == {}
    assert hospital.writer.resources("Provenance") == ()


def nothing_applies_to(source: HospitalSource) -> None:
    """The record falls empty, of a child: to an adult the protocol for prevention always applies."""
    for kind in ("Condition", "Observation", "MedicationRequest"):
        source.remove(kind)
    source.resources("Patient")[0]["birthDate"] = "2020-03-01"
