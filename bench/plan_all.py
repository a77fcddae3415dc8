"""CPU of planning: all protocols, what stands over them, and the safety gate, on records of 500 resources.

    python bench/plan_all.py

Three records: one with diabetes and high blood pressure under treatment, one with nine diseases, and one of a
child to whom nothing applies. Mapping is measured apart.
"""

import time
from collections.abc import Callable
from datetime import date

from _figures import line
from _record import record, with_diagnoses, without_diseases

from careplan_exchange import config, installed
from careplan_exchange.exchange import Knowledge
from careplan_exchange.mapping import map_record
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.planner import plan

TODAY = date(2021, 4, 1)
RESOURCES = 500
ROUNDS = 101


def milliseconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000


def planning(snapshot: Snapshot, knowledge: Knowledge) -> Callable[[], object]:
    return lambda: plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)


def main() -> None:
    knowledge = installed.load_knowledge(config.Settings())
    records = {
        "two diseases": record(RESOURCES),
        "nine diseases": with_diagnoses(record(RESOURCES)),
        "nothing applies": without_diseases(RESOURCES),
    }
    snapshots = {
        name: map_record(one, knowledge.mappings, knowledge.vocabulary, today=TODAY)
        for name, one in records.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in records}
    for _ in range(ROUNDS):
        for name, snapshot in snapshots.items():
            taken[name].append(milliseconds(planning(snapshot, knowledge)))
    for name, snapshot in snapshots.items():
        proposal = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)
        print(
            f"{name}: {len(records[name].resources)} resources, {len(snapshot.facts)} facts; "
            f"{len(proposal.protocols)} protocols apply, {len(proposal.activities)} activities, "
            f"{len(proposal.withheld)} withheld, {len(proposal.detected)} detected"
        )
        print(line(f"  plan, {name}", taken[name], "ms CPU"))


if __name__ == "__main__":
    main()
