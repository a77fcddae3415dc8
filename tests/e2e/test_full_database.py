"""A database that is full, wherever in an exchange it comes to that: a clear error, nothing lost, nothing twice."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.store import sqlite
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, environment, identities, product, sync

BASE = "02-older-adult-si-units"
WITH_A_LIMIT = """
import sys
from careplan_exchange.store import sqlite
sqlite.SETTINGS += (f"PRAGMA max_page_count = {sys.argv.pop(1)}",)
from careplan_exchange.__main__ import main
main()
"""

IN_A_SMALL_PLACE = """
set -e
mount -t tmpfs -o size=8m tmpfs "$PLACE"
cd "$PLACE"
"$PYTHON" -m careplan_exchange audit list >/dev/null
cat /dev/zero >filler 2>/dev/null || true
set +e
"$PYTHON" -m careplan_exchange sync "$@" --json; echo "exit $?"
rm filler
"$PYTHON" -m careplan_exchange sync "$@" --json; echo "exit $?"
"$PYTHON" -m careplan_exchange audit verify --json; echo "exit $?"
"""


def pages(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


def of_patient(url: str, patient: str) -> tuple[str, ...]:
    return ("--endpoint", url, "--patient", patient, "--today", SYNTHETIC_TODAY)


def assert_one_plan(server: Server, patient: str) -> None:
    assert len(server.authored("CarePlan", patient)) == 1
    goals = identities(server.authored("Goal", patient))
    assert len(goals) == len(set(goals)) > 0


def assert_nothing_written(server: Server, patient: str) -> None:
    for kind in ("CarePlan", "Goal", "DetectedIssue"):
        assert server.authored(kind, patient) == []


def test_a_database_that_cannot_grow_ends_a_sync_before_anything_is_written(sandbox: Any, tmp_path: Path) -> None:
    server = Server(sandbox.url)
    patient = server.load(synthetic(BASE))
    assert careplan(tmp_path, "audit", "list").returncode == 0
    result = subprocess.run(
        [
            *(sys.executable, "-c", WITH_A_LIMIT, str(pages(tmp_path / "careplan.db"))),
            *("sync", *of_patient(sandbox.url, patient), "--json"),
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 5, result.stderr
    said = " ".join(result.stderr.split())
    assert "careplan.db cannot grow: the disk is full." in said
    assert "Next: Free space on that disk, then repeat the command." in said
    assert "Traceback" not in said
    receipt = json.loads(result.stdout)
    assert (receipt["outcome"], receipt["issues"][0]["key"]) == ("failed", "unavailable.store")
    assert_nothing_written(server, patient)

    again = careplan(tmp_path, "sync", *of_patient(sandbox.url, patient), "--json")
    assert json.loads(again.stdout)["outcome"] == "written"
    assert_one_plan(server, patient)
    assert careplan(tmp_path, "audit", "verify").returncode == 0


async def test_wherever_in_an_exchange_the_room_ends_the_next_one_leaves_one_plan(
    sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(sandbox.url)

    async def a_database(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        async with product(folder, sandbox.url):
            """An empty database is made ready."""
        return folder

    unlimited = await a_database("unlimited")
    empty = pages(unlimited / "careplan.db")
    async with product(unlimited, sandbox.url) as services:
        await sync(services, server.load(synthetic(BASE)))
    needed = pages(unlimited / "careplan.db") - empty

    ended: list[str] = []
    said: set[str] = set()
    for room in (0, needed // 3, 2 * needed // 3, *range(needed - 4, needed + 1), 2 * needed):
        folder = await a_database(str(room))
        patient = server.load(synthetic(BASE))
        with monkeypatch.context() as patched:
            patched.setattr(sqlite, "SETTINGS", (*sqlite.SETTINGS, f"PRAGMA max_page_count = {empty + room}"))
            async with product(folder, sandbox.url) as services:
                try:
                    await sync(services, patient)
                    ended.append("not at all")
                except StoreUnavailableError as error:
                    said.add(error.detail)
                    ended.append("after the write" if server.authored("CarePlan", patient) else "before it")
        async with product(folder, sandbox.url) as services:
            receipt = await sync(services, patient)
            assert receipt.outcome == ("written" if ended[-1] == "before it" else "unchanged")
            assert (await services.ledger.verify()).problem is None
        assert_one_plan(server, patient)
    (only,) = said
    assert "the disk is full" in only
    assert set(ended) == {"before it", "after the write", "not at all"}, "where the room was to end"


def test_a_disk_that_is_really_full_is_named_and_costs_nothing(sandbox: Any, tmp_path: Path) -> None:
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system of our own cannot be mounted here")
    server = Server(sandbox.url)
    patient = server.load(synthetic(BASE))
    result = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", IN_A_SMALL_PLACE, "sh"),
            *of_patient(sandbox.url, patient),
        ],
        cwd=tmp_path,
        env=environment({"PLACE": str(tmp_path), "PYTHON": sys.executable}),
        capture_output=True,
        text=True,
        check=False,
    )
    full, full_code, room, room_code, verdict, verdict_code = result.stdout.splitlines()
    assert "Traceback" not in result.stderr
    assert re.search(r"careplan\.db cannot grow: the disk is full\.", " ".join(result.stderr.split()))
    assert (json.loads(full)["outcome"], full_code) == ("failed", "exit 5")
    assert (json.loads(room)["outcome"], room_code) == ("written", "exit 0")
    assert (json.loads(verdict)["problem"], verdict_code) == (None, "exit 0")
    assert_one_plan(server, patient)
