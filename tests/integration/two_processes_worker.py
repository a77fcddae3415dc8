"""One of the processes of test_two_processes.py: `worker.py <server> <database> <password> <patients> <done>`.

Synchronises every patient in the file, two at a time, and notes those that are done, so that a process that was
killed goes on where it ended. What cannot be had now is tried again; anything else ends it with 1.
"""

import asyncio
import sys
from pathlib import Path

from careplan_exchange import bootstrap, config, logs
from careplan_exchange.errors import UnavailableError
from tests.support.product import sync


async def main(url: str, database: str, password: str, patients: str, done: str) -> None:
    logs.configure("WARNING")
    settings = config.Settings(
        endpoints={"main": config.Endpoint(url=url, identity="test")},
        store=config.Store(url=database.replace("@", f":{password}@")),
    )
    noted = Path(done)
    before = set(noted.read_text().split()) if noted.exists() else set()
    waiting = [patient for patient in Path(patients).read_text().split() if patient not in before]
    async with bootstrap.services(settings) as services:
        with noted.open("a") as sink:

            async def work() -> None:
                while waiting:
                    patient = waiting.pop(0)
                    try:
                        await sync(services, patient)
                    except UnavailableError as error:
                        sys.stderr.write(f"{error.key}\n")
                        waiting.append(patient)
                        continue
                    sink.write(f"{patient}\n")
                    sink.flush()

            await asyncio.gather(work(), work())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
