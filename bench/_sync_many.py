"""One process that syncs as many patients as it is told, for bench/memory.py. Prints its peak RSS in MiB."""

import asyncio
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.patients import NAMES, synthetic
from tests.support.product import Server, product, sync
from tests.support.servers import sandbox_process


async def main(patients: int) -> None:
    with tempfile.TemporaryDirectory() as folder, sandbox_process() as sandbox:
        server = Server(sandbox.url)
        async with product(Path(folder), sandbox.url) as services:
            for number in range(patients):
                await sync(services, server.load(synthetic(NAMES[number % len(NAMES)])))


asyncio.run(main(int(sys.argv[1])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
