"""`careplan drill` at the command line; what it finds is tested in tests/integration/test_drills.py."""

from typing import Any

import pytest

from careplan_exchange.cli import show

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
