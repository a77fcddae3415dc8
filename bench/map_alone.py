"""CPU of mapping alone: over every fixture patient, and over one record that grows to 50,000 resources.

    python bench/map_alone.py [FOLDER]

FOLDER holds Bundle files, one patient each; the default is ../shared/fixtures/patients. Without any the growing
record alone is measured.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from _figures import line
from _record import record

from careplan_exchange import config, installed
from careplan_exchange.exchange import Knowledge
from careplan_exchange.mapping import map_record
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.sources import BundleSource

SHARED = Path(__file__).parents[2] / "shared/fixtures/patients"
TODAY = date(2021, 4, 1)
ROUNDS = 7
SIZES = (1_000, 5_000, 10_000, 50_000)


def records(folder: Path) -> list[PatientRecord]:
    found = []
    for path in sorted(folder.glob("*.json")):
        source = BundleSource(path.read_bytes(), identity="bench", name=path.name)
        found.append(asyncio.run(source.pull(source.patient_id())))
    return found


def microseconds(work: Callable[[], object], resources: int) -> float:
    """CPU for each resource."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e6 / resources


def mapping(knowledge: Knowledge, one: PatientRecord) -> Callable[[], object]:
    return lambda: map_record(one, knowledge.mappings, knowledge.vocabulary, today=TODAY, anyone=True)


def main() -> None:
    knowledge = installed.load_knowledge(config.Settings())
    of_folder = records(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED)
    if of_folder:
        best = [
            min(microseconds(mapping(knowledge, one), len(one.resources)) for _ in range(ROUNDS))
            for one in of_folder
        ]
        print(line(f"map, {len(of_folder)} patients, best of {ROUNDS} rounds each", best, "us a resource"))
    sizes = {size: record(size) for size in SIZES}
    taken: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size, one in sizes.items():
            taken[size].append(microseconds(mapping(knowledge, one), size))
    for size, values in taken.items():
        print(line(f"map, one patient with {size:,} resources", values, "us a resource"))
    first, last = SIZES[0], SIZES[-1]
    growth = [a / b for a, b in zip(taken[last], taken[first], strict=True)]
    print(line(f"a resource among {last:,} / among {first:,}", growth, "x"))


if __name__ == "__main__":
    main()
