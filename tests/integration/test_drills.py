"""Drills: kill -9 at random points, many at once, and the twelve modes of `careplan drill`, some runs of each.

`make drills` makes a thousand of each; docs/drills.md has what that came to.
"""

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange import config
from careplan_exchange.drills import MODES, Order, drill, running
from careplan_exchange.drills.process import Killable
from careplan_exchange.model.codec import decode
from tests.support.patients import synthetic
from tests.support.postgres import PostgresServer, postgres  # noqa: F401 - a fixture, offered by its import
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, command, environment, identities
from tests.support.servers import TestServer, free_port

pytestmark = pytest.mark.slow

KILLS = 15
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
        started = time.monotonic()
        again = careplan(tmp_path, *sync_command(sandbox.url, patient)[3:])
        whole = min(
            whole, time.monotonic() - started
        )  # a machine that was busy at first must not delay every kill
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


def nothing_is_found(runs: int, **order: Any) -> None:
    settings = order.pop("settings", config.Settings())
    modes = order.pop("modes", tuple(MODES))
    results = list(drill(Order(settings=settings, modes=modes, runs=runs, seed=SEED, **order)))
    assert len(results) == runs * len(modes)
    found = {f"{one.mode}, run {one.run}, seed {SEED}": one.count.notes for one in results if one.count.total}
    assert found == {}
    assert all(one.removed for one in results), "the server kept what a drill had made"
    # A drill in which nothing is ever written would find nothing either.
    assert all("written" in one.outcomes or "killed" in one.outcomes or one.told for one in results)


def test_every_mode_on_the_sandbox_finds_nothing() -> None:
    nothing_is_found(6)


@pytest.mark.hapi
def test_every_mode_on_hapi_finds_nothing_and_leaves_nothing_behind(hapi_r4: TestServer) -> None:
    nothing_is_found(2, endpoint=config.endpoint_at(hapi_r4.url), at_once=4)
    tagged = httpx.get(f"{hapi_r4.url}/Patient?_tag=urn:careplan-exchange:drill|&_summary=count", timeout=60)
    assert tagged.json().get("total", 0) == 0


@pytest.mark.postgres
def test_modes_of_several_writers_find_nothing_with_postgresql_as_the_store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: PostgresServer = request.getfixturevalue("postgres")
    monkeypatch.setenv("DRILL_PASSWORD", server.password)
    url = server.new_database()
    settings = config.Settings(store=config.Store(url=url, password_env="DRILL_PASSWORD"))
    modes = ("timeout-after-commit", "concurrent-creates", "literal-condition", "stale-body-retried")
    nothing_is_found(2, settings=settings, store=url, modes=modes, at_once=3)


def test_the_command_drills_a_server_reports_and_repeats(sandbox: Any, tmp_path: Path) -> None:
    arguments = ("drill", "-e", sandbox.url, "--modes", "twice-in-one-bundle", "--runs", "2", "--seed", "5")
    asked = careplan(tmp_path, *arguments)
    assert asked.returncode != 0
    assert (
        Server(sandbox.url).search("Patient?identifier=urn:careplan-exchange:drill%7C5-twice-in-one-bundle-0-0")
        == []
    )

    done = careplan(tmp_path, *arguments, "--yes", "--json", "--report", "report.json")
    assert done.returncode == 0, done.stderr
    facts = decode(done.stdout)
    assert (facts["seed"], facts["total"], facts["notRemoved"], facts["modes"][0]["runs"]) == (5, 0, 0, 2)
    report = decode((tmp_path / "report.json").read_bytes())
    assert (report["resourceType"], report["result"]) == ("TestReport", "pass")

    one = careplan(tmp_path, *arguments, "--yes", "--run", "1")
    assert one.returncode == 0, one.stderr
    assert "Seed 5." in one.stderr
    assert one.stdout.strip().splitlines()[-1].startswith("Total: 1 runs, seed 5: 0 ")


def test_a_mode_that_is_none_is_named_with_those_that_are(tmp_path: Path) -> None:
    refused = careplan(tmp_path, "drill", "--modes", "all")
    assert refused.returncode == 2
    assert "timeout-after-commit" in refused.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_server_that_is_not_there_is_no_finding(processes: str, tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}/fhir"
    refused = careplan(tmp_path, "drill", "-e", away, "--yes", "--runs", "1", "--processes", processes)
    assert refused.returncode == 5, refused.stderr
    assert "does not answer" in refused.stderr
    assert refused.stdout == ""


def test_what_a_process_booked_before_it_died_without_a_receipt_is_no_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Killable.ended

    async def without_a_receipt(self: Killable) -> tuple[None, str]:
        await whole(self)
        return None, "killed"

    monkeypatch.setattr(Killable, "ended", without_a_receipt)
    # Run 0 of the first mode has a process; in this mode nothing kills it before it has booked.
    monkeypatch.setattr(running, "PROCESS_EVERY", 1)
    nothing_is_found(1, modes=("put-without-if-match",))
