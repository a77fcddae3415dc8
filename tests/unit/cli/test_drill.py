"""`careplan drill` at the command line; what it finds is tested in tests/integration/test_drills.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import drills
from careplan_exchange.cli import show
from careplan_exchange.drills import Order, Result
from careplan_exchange.drills.checker import Count
from careplan_exchange.model.codec import decode

WANTED = ("drill", "--endpoint", "https://fhir.example.org/r4", "--modes", "wrong-patient", "--runs", "1")


def test_without_a_terminal_and_without_a_yes_nothing_is_made_and_it_is_no_finding(careplan: Any) -> None:
    result = careplan(*WANTED)
    assert result.code == 2
    assert "Nothing was made" in result.said
    assert "--yes" in result.said


def test_a_person_who_says_no_is_not_told_that_something_was_found(
    careplan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(show, "asks", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text))
    assert careplan(*WANTED).code == 2
    assert "fhir.example.org" in asked[0]


def test_a_mode_that_does_not_exist_is_answered_with_those_that_do(careplan: Any) -> None:
    result = careplan("drill", "--modes", "nonsense")
    assert result.code == 2
    assert "timeout-after-commit" in result.said


def test_a_restart_is_asked_about_too_also_where_only_a_database_is_named(
    careplan: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(show, "asks", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text))
    ran = tmp_path / "ran"
    script = tmp_path / "restart"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    restart = ("--restart", str(script), "--restarts", "2")
    assert careplan(*WANTED, *restart).code == 2
    assert careplan("--store", "postgresql://careplan@127.0.0.1:1/x", "drill", *restart).code == 2
    assert all(f"{script} will be run 2 times" in text for text in asked)
    assert len(asked) == 2
    assert not ran.exists()


def test_a_restart_that_cannot_be_is_refused_before_the_question(careplan: Any, tmp_path: Path) -> None:
    result = careplan(*WANTED, "--yes", "--restart", str(tmp_path / "away"))
    assert result.code == 2
    assert "no file that can be run" in result.said
    result = careplan(*WANTED, "--yes", "--restarts", "2")
    assert result.code == 2
    assert "--restart SCRIPT" in result.said
    result = careplan("drill", "--yes", "--restart", "/bin/true")
    assert result.code == 2
    assert "--endpoint" in result.said


def test_what_the_restarts_met_is_said_before_the_total(
    careplan: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def drilled(order: Order) -> Iterator[Result]:
        yield Result("wrong-patient", 0, Count(), met=4, broken=3)
        yield Result("wrong-patient", 1, Count(), met=1, broken=1)

    monkeypatch.setattr(drills, "drill", drilled)
    restart = ("--yes", "--restart", "/bin/true", "--restarts", "2")
    said = careplan(*WANTED, *restart).out.strip().splitlines()
    assert said[-2] == "2 restarts met 5 exchanges under way; 4 of these ended with an error."
    facts = decode(careplan(*WANTED, *restart, "--json").out)
    assert facts["restarts"] == {"times": 2, "met": 5, "broken": 4}
