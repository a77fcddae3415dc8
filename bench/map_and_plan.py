"""CPU of map + plan for one large record, against decoding the same Bundle and nothing else."""

import asyncio
import sys
import time
from datetime import date
from pathlib import Path

import msgspec
from _figures import line

from careplan_exchange import config, installed
from careplan_exchange.mapping import map_record
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.planner import plan
from careplan_exchange.sources import BundleSource

ROUNDS = 60
SHARED = Path(__file__).parents[2] / "shared/fixtures/patients"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else next(SHARED.glob("*Truman_Wiegand*"))
    bundle = decode(path.read_bytes())
    for entry in bundle["entry"]:
        # This person died in the story; the record is wanted for its size.
        entry["resource"].pop("deceasedDateTime", None)
    data = encode(bundle)
    person = next(e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    knowledge = installed.load_knowledge(config.Settings())
    record = asyncio.run(BundleSource(data, identity="bench", name=path.name).pull(person))
    today = date(2018, 2, 1)
    mapped, planned, both, decoded = [], [], [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        snapshot = map_record(record, knowledge.mappings, knowledge.vocabulary, today=today)
        middle = time.process_time()
        proposal = plan(snapshot, knowledge.protocols, knowledge.vocabulary, knowledge.policies)
        end = time.process_time()
        msgspec.json.decode(data)
        after = time.process_time()
        mapped.append((middle - start) * 1000)
        planned.append((end - middle) * 1000)
        both.append((end - start) * 1000)
        decoded.append((after - end) * 1000)
    print(
        f"{len(record.resources)} resources, {len(snapshot.facts)} facts, {len(proposal.activities)} activities"
    )
    print(line("map", mapped, "ms CPU"))
    print(line("plan", planned, "ms CPU"))
    print(line("map + plan", both, "ms CPU"))
    print(line("decode of the same Bundle", decoded, "ms CPU"))
    print(line("ratio (map + plan) / decode", [a / b for a, b in zip(both, decoded, strict=True)], "x"))


if __name__ == "__main__":
    main()
