"""What we write to and what we store in, killed by SIGKILL in the middle of exchanges: `careplan drill --restart`.

The scripts are as a user would have them (tests/support/restarts.py). A drill that finds nothing says something only
if the kills fell into exchanges, and if a bug that the network's faults alone do not show is found by them.
"""

from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import config
from careplan_exchange.drills import MODES, Order, Restart, Result, drill
from careplan_exchange.drills.running import RAISED
from careplan_exchange.model.codec import decode
from careplan_exchange.store.plans import SqlPlanStore
from tests.support.postgres import PostgresServer
from tests.support.product import careplan
from tests.support.restarts import (
    Restartable,
    restartable_hapi,
    restartable_postgres,
    restartable_sandbox,
)

pytestmark = pytest.mark.slow

SEED = 20261126
ROUNDS = 8
"""Drills of five kills, until a planted bug is found: one kill in three or four falls where it can be seen."""


def drilled(killed: Restartable, times: int, **order: Any) -> list[Result]:
    """The results of runs in which the server was killed so many times."""
    plain = {"settings": config.Settings(), "modes": tuple(MODES), "runs": 1, "seed": SEED}
    before = killed.kills
    results = list(drill(Order(**{**plain, **order}, restart=Restart(killed.script, times))))
    assert killed.kills - before == times
    return results


def assert_nothing_is_found(results: list[Result], times: int) -> None:
    assert len(results) == len(MODES)
    found = {f"{one.mode}, run {one.run}, seed {SEED}": one.count.notes for one in results if one.count.total}
    assert found == {}
    assert all(one.removed for one in results), "the server kept what a drill had made"
    assert all({"written", "unchanged"} & set(one.outcomes) or one.told for one in results)
    assert not [said for one in results for said in one.outcomes if said.startswith(RAISED)]
    # A kill that no exchange meets shows nothing.
    assert sum(one.met for one in results) >= times
    assert sum(one.broken for one in results) >= times


@pytest.mark.long
@pytest.mark.hapi
def test_hapi_killed_in_the_middle_of_writes_has_every_plan_once_and_whole() -> None:
    with restartable_hapi() as hapi:
        results = drilled(hapi, 3, endpoint=config.endpoint_at(hapi.url), at_once=12)
    assert_nothing_is_found(results, 3)


def stored_in(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("DRILL_PASSWORD", server.password)
    url = server.new_database()
    return {"settings": config.Settings(store=config.Store(url=url, password_env="DRILL_PASSWORD")), "store": url}


@pytest.mark.postgres
def test_a_postgresql_killed_in_the_middle_of_exchanges_loses_nothing_that_was_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with restartable_postgres() as (server, postgres):
        results = drilled(postgres, 5, **stored_in(server, monkeypatch))
    assert_nothing_is_found(results, 5)


def test_the_command_restarts_a_server_by_a_script_and_says_what_it_met(tmp_path: Path) -> None:
    with restartable_sandbox() as sandbox:
        arguments = ("drill", "-e", sandbox.url, "--runs", "2", "--seed", "5", "--modes", "timeout-after-commit")
        restart = ("--restart", str(sandbox.script), "--restarts", "2")
        done = careplan(tmp_path, *arguments, *restart, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert sandbox.kills == 2
    facts = decode(done.stdout)
    assert facts["restarts"]["times"] == 2
    assert facts["restarts"]["met"] >= 1
    assert (facts["total"], facts["notRemoved"]) == (0, 0)


def test_a_script_that_fails_ends_the_drill_and_is_no_finding(tmp_path: Path) -> None:
    script = tmp_path / "restart"
    script.write_text("#!/bin/sh\necho no such container >&2\nexit 1\n")
    script.chmod(0o755)
    with restartable_sandbox() as sandbox:
        arguments = ("drill", "-e", sandbox.url, "--yes", "--runs", "1", "--restart", str(script))
        failed = careplan(tmp_path, *arguments)
    assert failed.returncode == 2, failed.stderr
    assert "no such container" in failed.stderr
    assert failed.stdout == ""
    assert "Traceback" not in failed.stderr
    assert "never retrieved" not in failed.stderr


CALM_MODES = ("put-without-if-match",)
"""Its network loses nothing: an answer that never comes is the kill's doing."""


def intent_not_stored(patch: pytest.MonkeyPatch) -> None:
    async def forgotten(self: SqlPlanStore, *args: Any, **kwargs: Any) -> None:
        return None

    patch.setattr(SqlPlanStore, "open_intent", forgotten)


def rounds_until_found(killed: Restartable, **order: Any) -> int | None:
    for number in range(1, ROUNDS + 1):
        results = drilled(killed, 5, modes=CALM_MODES, runs=12, **{**order, "seed": SEED + number})
        if any(one.count.total for one in results):
            return number
    return None


def found_without_kills(**order: Any) -> list[str]:
    plain = {"settings": config.Settings(), "modes": CALM_MODES, "runs": 12, "seed": SEED + 1}
    return [note for one in drill(Order(**{**plain, **order})) for note in one.count.notes]


@pytest.mark.long
def test_an_intent_that_is_not_stored_is_found_by_kills_of_the_server_and_by_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intent_not_stored(monkeypatch)
    with restartable_sandbox() as sandbox:
        endpoint = config.endpoint_at(sandbox.url)
        assert found_without_kills(endpoint=endpoint) == []
        assert rounds_until_found(sandbox, endpoint=endpoint) is not None


@pytest.mark.long
@pytest.mark.postgres
def test_an_intent_that_is_not_stored_is_found_by_kills_of_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intent_not_stored(monkeypatch)
    with restartable_postgres() as (server, postgres):
        assert rounds_until_found(postgres, **stored_in(server, monkeypatch)) is not None
