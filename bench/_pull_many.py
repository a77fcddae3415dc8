"""One process that pulls and maps as many patients as it is told, in turn. Prints its peak RSS in MiB."""

import asyncio
import resource
import sys
from datetime import date
from pathlib import Path

from careplan_exchange import bootstrap, config, installed, logs
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.mapping import map_record

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.patients import NAMES, synthetic
from tests.support.product import Server
from tests.support.servers import sandbox_process
from tests.support.sources import endpoint_source

TODAY = date(2026, 11, 24)


async def main(patients: int) -> None:
    logs.configure("WARNING")
    knowledge = installed.load_knowledge(config.Settings())
    with sandbox_process() as sandbox:
        server = Server(sandbox.url)
        async with connect(Connection(base_url=sandbox.url), ids=bootstrap.RandomIds()) as client:
            source = endpoint_source(client)
            for number in range(patients):
                record = await source.pull(server.load(synthetic(NAMES[number % len(NAMES)])))
                map_record(record, knowledge.mappings, knowledge.vocabulary, today=TODAY, anyone=True)


asyncio.run(main(int(sys.argv[1])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
