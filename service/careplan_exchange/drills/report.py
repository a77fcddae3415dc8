"""What drills came to, as a FHIR TestReport (http://hl7.org/fhir/R4/testreport.html), release R4."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from .batch import Line
from .checker import COUNTS
from .modes import MEANING

Json = dict[str, Any]

SCRIPT = "urn:careplan-exchange:drill"


def as_test_report(
    lines: Sequence[Line], *, server: str, tester: str, seed: int, runs: int, at: datetime
) -> Json:
    """A test a mode, an assertion a count: `fail` where it is not zero. `server` is named as a participant.

    `score` is the share of runs in modes without a finding.
    """
    clean = sum(line.runs for line in lines if line.total == 0)
    everything = sum(line.runs for line in lines)
    broken = any(line.total for line in lines)
    return {
        "resourceType": "TestReport",
        "identifier": {"system": SCRIPT, "value": f"seed-{seed}-runs-{runs}"},
        "text": {"status": "generated", "div": _narrative(lines)},
        "name": f"CarePlan write-back drills, seed {seed}",
        "status": "completed",
        "testScript": {"display": "careplan drill"},
        "result": "fail" if broken else "pass",
        "score": round(100 * clean / everything, 2) if everything else 0,
        "tester": tester,
        "issued": at.isoformat(timespec="seconds"),
        "participant": [{"type": "server", "uri": server}, {"type": "test-engine", "uri": SCRIPT}],
        "test": [_test(line) for line in lines],
    }


def _narrative(lines: Sequence[Line]) -> str:
    items = "".join(f"<li>{line.mode}: {line.runs} runs, {line.total} found</li>" for line in lines)
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><ul>{items}</ul></div>'


def _test(line: Line) -> Json:
    actions = [
        {"assert": {"result": "fail" if found else "pass", "message": f"{name.replace('_', ' ')}: {found}"}}
        for name, found in zip(COUNTS, line.counts, strict=True)
    ]
    return {"name": line.mode, "description": f"{line.runs} runs: {MEANING[line.mode]}", "action": actions}
