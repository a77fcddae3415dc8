"""`deadletter`: what failed for good is listed without PHI, shown whole, tried again, put away."""

from typing import Any

import pytest

from careplan_exchange.sandbox import Fault
from tests.support.product import SYNTHETIC_TODAY

from .conftest import UNKNOWN

REFUSES_THE_WRITE = Fault(kind="status", status=403, method="POST", path="^$", skip=1, times=9)
"""The first Bundle that is posted asks for the record, the second writes."""


@pytest.fixture
def letter(careplan: Any, hospital: Any, patient: str) -> str:
    """A write that the server refused; the letter's id."""
    hospital.arm(REFUSES_THE_WRITE)
    result = careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
    hospital.calm()
    assert result.code == 4, result.err
    return str(result.json["exchange"])


def test_where_nothing_failed_the_list_says_so(careplan: Any) -> None:
    result = careplan("deadletter", "list")
    assert (result.code, result.out, result.err) == (0, "No exchange waits to be taken up again.\n", "")


def test_what_failed_is_listed_with_its_error_and_no_more(careplan: Any, letter: str, patient: str) -> None:
    result = careplan("deadletter", "list")
    assert result.code == 0
    for word in (letter, f"Patient/{patient}", "refused"):
        assert word in result.out
    (line,) = careplan("deadletter", "list", "--json").json
    assert set(line) == {"id", "patient", "target", "error", "failures", "since", "state"}


def test_one_is_shown_with_what_was_about_to_be_written_and_what_to_do(careplan: Any, letter: str) -> None:
    result = careplan("deadletter", "show", letter)
    assert result.code == 0
    assert "+ CarePlan" in result.out
    assert f"careplan deadletter replay {letter}" in result.out
    assert careplan("deadletter", "show", letter, "--json").json["intent"]["changes"]


def test_a_replay_writes_the_plan_and_closes_the_letter(careplan: Any, letter: str) -> None:
    result = careplan("deadletter", "replay", letter, "--by", "Dr Who")
    assert result.code == 0, result.err
    assert result.out.startswith("written")
    assert careplan("deadletter", "list", "--json").json == []
    (closed,) = careplan("deadletter", "list", "--closed", "--json").json
    assert closed["state"] == "replayed"
    events = [link["entry"]["event"] for link in careplan("audit", "show", letter, "--json").json]
    assert events[-1] == "deadletter.replayed"


def test_a_replay_that_is_refused_again_ends_with_4_and_counts(careplan: Any, hospital: Any, letter: str) -> None:
    hospital.arm(REFUSES_THE_WRITE)
    assert careplan("deadletter", "replay", letter).code == 4
    hospital.calm()
    (line,) = careplan("deadletter", "list", "--json").json
    assert (line["id"], line["failures"]) == (letter, 2)


def test_all_are_replayed_with_the_worst_exit_code(careplan: Any, hospital: Any, letter: str) -> None:
    hospital.arm(REFUSES_THE_WRITE)
    result = careplan("deadletter", "replay", "--all")
    assert result.code == 4
    assert "Replayed 1: 0 went through, 1 wait on." in result.out
    hospital.calm()
    result = careplan("deadletter", "replay", "--all", "--json")
    assert result.code == 0
    assert [each["receipt"]["outcome"] for each in result.json] == ["written"]
    assert careplan("deadletter", "replay", "--all").out == "Replayed 0: 0 went through, 0 wait on.\n"


def test_dropping_needs_a_reason_and_keeps_it(careplan: Any, letter: str) -> None:
    assert careplan("deadletter", "drop", letter).code == 2
    result = careplan("deadletter", "drop", letter, "--reason", "moved away", "--by", "Dr Who")
    assert (result.code, result.err) == (0, "")
    assert "stays as it is" in result.out
    assert "Closed by Dr Who: moved away" in careplan("deadletter", "show", letter).out


@pytest.mark.parametrize(
    "arguments", [("show", UNKNOWN), ("replay", UNKNOWN), ("drop", UNKNOWN, "--reason", "r")]
)
def test_a_letter_that_does_not_exist_is_a_matter_of_usage(careplan: Any, arguments: tuple[str, ...]) -> None:
    result = careplan("deadletter", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "careplan deadletter list" in result.said


@pytest.mark.parametrize("arguments", [(), (UNKNOWN, "--all")])
def test_a_replay_is_of_one_or_of_all(careplan: Any, arguments: tuple[str, ...]) -> None:
    result = careplan("deadletter", "replay", *arguments)
    assert result.code == 2
    assert "--all" in result.said
