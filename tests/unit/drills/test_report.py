"""The TestReport: valid FHIR R4, and a pass only where every count is zero."""

from datetime import UTC, datetime
from typing import Any

from fhir.resources.R4B.testreport import TestReport as Model

from careplan_exchange.drills import COUNTS, Line, as_test_report

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def report(*lines: Line) -> dict[str, Any]:
    return as_test_report(
        lines, server="https://hospital.example.org/fhir", tester="careplan-exchange 1", seed=7, runs=3, at=NOW
    )


def line(mode: str = "cached-absent", **counts: int) -> Line:
    found = tuple(counts.get(name, 0) for name in COUNTS)
    return Line(mode=mode, runs=3, counts=found, told=0, put_back=0, seconds=1.0)


def test_zeros_are_a_pass_and_valid() -> None:
    made = report(line(), line("wrong-patient"))
    Model.model_validate(made)
    assert (made["result"], made["score"]) == ("pass", 100)
    assert [test["name"] for test in made["test"]] == ["cached-absent", "wrong-patient"]


def test_one_count_is_a_fail_at_its_place() -> None:
    made = report(line(), line("wrong-patient", doubled=2))
    Model.model_validate(made)
    assert (made["result"], made["score"]) == ("fail", 50)
    asserted = [action["assert"] for test in made["test"] for action in test["action"]]
    assert [one["message"] for one in asserted if one["result"] == "fail"] == ["doubled: 2"]
