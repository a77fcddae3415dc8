"""Two processes on one PostgreSQL, 200 patients, `kill -9` at random: exactly one plan each, and the ledger whole."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.store import open_store
from tests.support.patients import synthetic
from tests.support.postgres import PostgresServer, postgres  # noqa: F401 - a fixture
from tests.support.product import Server, environment, identities

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

PATIENTS = 200
KILLS = 10
SEED = random.randrange(10**9)
WORKER = Path(__file__).with_name("two_processes_worker.py")
AUTHORED = ("CarePlan", "Goal", "ServiceRequest", "DetectedIssue")


class Worker:
    """A process that is started again each time it was killed, until it has come to the end of its list."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self.done = folder / f"{name}.done"
        self._errors = (folder / f"{name}.err").open("w+")
        self._command = [sys.executable, str(WORKER), *arguments, str(self.done)]
        self._root = str(Path(__file__).parents[2])
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stderr=self._errors, cwd=self._root, env=environment({"PYTHONPATH": "service:."})
        )

    def count(self) -> int:
        return len(self.done.read_text().split()) if self.done.exists() else 0

    def ended(self) -> bool:
        if self.process.poll() not in {None, 0}:
            self._errors.seek(0)
            pytest.fail(f"seed {SEED}: {self._errors.read()[-3000:]}")
        return self.process.poll() == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._errors.close()


async def test_two_processes_killed_at_random_leave_one_plan_for_each_patient(
    sandbox: Any,
    postgres: PostgresServer,  # noqa: F811
    tmp_path: Path,
) -> None:
    sys.stdout.write(f"seed {SEED}\n")
    rng = random.Random(SEED)
    server = Server(sandbox.url)
    bundle = synthetic("01-adult-pregnancy-unknown")
    patients = [server.load(bundle) for _ in range(PATIENTS)]
    (tmp_path / "patients").write_text("\n".join(patients))
    database = postgres.new_database()
    arguments = (sandbox.url, database, postgres.password, str(tmp_path / "patients"))
    workers = [Worker(name, tmp_path, *arguments) for name in ("one", "two")]
    try:
        kills = await _kill_at_random(workers, rng)
    finally:
        for worker in workers:
            worker.close()
    assert kills == KILLS, f"seed {SEED}: the kills came too late to prove anything"

    plans = Counter(plan["subject"]["reference"] for plan in server.search("CarePlan?_count=500"))
    assert {f"Patient/{patient}": plans[f"Patient/{patient}"] for patient in patients} == {
        f"Patient/{patient}": 1 for patient in patients
    }, f"seed {SEED}"
    whole = {kind: len(server.authored(kind, patients[0])) for kind in AUTHORED}
    for patient in patients[1::20]:
        found = {kind: server.authored(kind, patient) for kind in AUTHORED}
        assert {kind: len(each) for kind, each in found.items()} == whole, f"seed {SEED}"
        for each in found.values():
            assert len(set(identities(each))) == len(each), f"seed {SEED}"

    async with open_store(database, password=postgres.password) as store:
        verdict = await store.ledger.verify()
        assert verdict.problem is None, f"seed {SEED}: {verdict}"
        assert verdict.entries > PATIENTS * 4
        target = sandbox.url
        for patient in patients:
            assert await store.plans.open_intents(target, f"Patient/{patient}") == (), f"seed {SEED}"
        commits = Counter(commit.intent.patient for commit in await store.plans.commits())
        assert set(commits) == {f"Patient/{patient}" for patient in patients}
        assert await store.plans.letters() == ()
        ended = {
            link.entry.exchange
            for link in await store.ledger.links()
            if link.entry.event in {logs.EXCHANGE_FINISHED, logs.EXCHANGE_FAILED}
        }
        assert len(ended) >= PATIENTS


async def _kill_at_random(workers: list[Worker], rng: random.Random) -> int:
    """Kills one of them each time that the two together have done so many more; returns how often."""
    kills, next_at = 0, rng.randint(5, 20)
    until = time.monotonic() + 600
    while not all(worker.ended() for worker in workers):
        assert time.monotonic() < until, f"seed {SEED}: it does not come to an end"
        await asyncio.sleep(rng.uniform(0.01, 0.05))
        if kills < KILLS and sum(worker.count() for worker in workers) >= next_at:
            running = [worker for worker in workers if worker.process.poll() is None]
            if running:
                worker = rng.choice(running)
                worker.kill()
                worker.start()
                kills += 1
                next_at = sum(each.count() for each in workers) + rng.randint(5, 30)
    return kills
