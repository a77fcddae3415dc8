"""Drills that try to break "never twice": kill -9 at random points, and many at once."""

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.model.codec import decode
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, command, environment, identities

pytestmark = pytest.mark.slow

KILLS = 50
SEED = 20261124


def sync_command(url: str, patient: str) -> list[str]:
    return command("sync", "--endpoint", url, "--patient", patient, "--today", SYNTHETIC_TODAY, "--json")


def assert_written_once(server: Server, patient: str) -> None:
    assert len(server.authored("CarePlan", patient)) == 1
    for kind in ("Goal", "DetectedIssue"):
        found = identities(server.authored(kind, patient))
        assert len(found) == len(set(found))
    assert server.authored("Goal", patient)


def test_a_sync_killed_at_any_point_and_run_again_leaves_one_plan_and_one_of_each_goal(
    sandbox: Any, tmp_path: Path
) -> None:
    server = Server(sandbox.url)
    rng = random.Random(SEED)
    bundle = synthetic("02-older-adult-si-units")
    timed = server.load(bundle)
    started = time.monotonic()
    assert careplan(tmp_path, *sync_command(sandbox.url, timed)[3:]).returncode == 0
    whole = time.monotonic() - started

    killed = 0
    goals = len(server.authored("Goal", timed))
    for _ in range(KILLS):
        patient = server.load(bundle)
        process = subprocess.Popen(
            sync_command(sandbox.url, patient),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # The last two thirds: the first is spent on starting Python.
        time.sleep(whole * rng.uniform(0.33, 1.0))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        again = careplan(tmp_path, *sync_command(sandbox.url, patient)[3:])
        assert again.returncode == 0, again.stderr
        assert decode(again.stdout)["outcome"] in {"written", "unchanged"}
        assert_written_once(server, patient)
        assert len(server.authored("Goal", patient)) == goals
    assert killed >= KILLS // 2, "the kills came too late to prove anything"
    assert careplan(tmp_path, "audit", "verify").returncode == 0


def test_eight_syncs_of_one_patient_at_once_leave_one_plan(sandbox: Any, tmp_path: Path) -> None:
    server = Server(sandbox.url)
    patient = server.load(synthetic("02-older-adult-si-units"))
    processes = [
        subprocess.Popen(
            sync_command(sandbox.url, patient),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(8)
    ]
    outcomes = []
    for process in processes:
        output, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems.decode()
        outcomes.append(decode(output)["outcome"])
    assert sorted(outcomes) == ["unchanged"] * 7 + ["written"]
    assert_written_once(server, patient)
    assert careplan(tmp_path, "audit", "verify").returncode == 0
