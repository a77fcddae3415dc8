"""The server is killed while it is written to, and comes back from its database: one plan, and one of each goal."""

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange.model.codec import decode
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, command, environment, identities
from tests.support.servers import announced_url, free_port, start_sandbox

pytestmark = pytest.mark.slow

KILLS = 4
SEED = 20261126


class Killed:
    """A sandbox with a database, on one port for all its lives."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        self._arguments = ("--port", str(free_port()), "--database", str(folder / "sandbox.db"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        self._process = start_sandbox(self._log, *self._arguments)
        return announced_url(self._process, self._log)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def written(server: Server, patient: str) -> dict[str, Any]:
    return {kind: server.authored(kind, patient) for kind in ("CarePlan", "Goal", "DetectedIssue")}


def test_a_server_killed_in_the_middle_of_a_write_has_all_of_the_plan_afterwards_and_nothing_twice(
    tmp_path: Path,
) -> None:
    rng = random.Random(SEED)
    (tmp_path / "server").mkdir()
    sandbox = Killed(tmp_path / "server")
    url = sandbox.start()
    try:
        server = Server(url)
        bundle = synthetic("02-older-adult-si-units")
        timed = server.load(bundle)
        sync = ("sync", "-e", url, "--today", SYNTHETIC_TODAY, "--json", "--patient")
        started = time.monotonic()
        assert careplan(tmp_path, *sync, timed).returncode == 0
        whole = time.monotonic() - started
        expected = {kind: len(found) for kind, found in written(server, timed).items()}
        for _ in range(KILLS):
            patient = Server(url).load(bundle)
            process = subprocess.Popen(
                command(*sync, patient),
                cwd=tmp_path,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(whole * rng.uniform(0.5, 0.95))  # before that Python is starting
            sandbox.kill()
            sandbox.start()
            process.wait(120)
            again = careplan(tmp_path, *sync, patient)
            assert again.returncode == 0, again.stderr
            assert decode(again.stdout)["outcome"] in {"written", "unchanged"}
            stands = written(Server(url), patient)
            assert {kind: len(found) for kind, found in stands.items()} == expected
            assert all(len(set(identities(found))) == len(found) for found in stands.values())
        assert careplan(tmp_path, "audit", "verify").returncode == 0
        assert httpx.get(f"{url}/metadata", timeout=10).status_code == 200
    finally:
        sandbox.kill()
