"""The life of one plan on a real server, command by command: `careplan history` tells it like that sentence.

Planned, reviewed, approved, written, edited by a clinician, changed by the laboratory, in conflict, decided, a goal
reached, the plan completed, and that taken back.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan

pytestmark = [pytest.mark.hapi, pytest.mark.slow]

EGFR, HBA1C = "62238-1", "4548-4"
DIABETES_ONLY = """\
new-plans: draft
rules:
  - {change: [recheck], needs: auto}
  - {change: [new, changed, retired, status], needs: one}
  - {change: [conflict, deleted], needs: one}
  - change: [new]
    of: [goal, activity, medication]
    protocol: [prevention, hypertension, pharmacogenomics]
    needs: never
"""
CLINICIAN, OTHER = "Dr Example", "Dr Other"


class Journey:
    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.patient = server.load(synthetic("02-older-adult-si-units"))
        site = folder / "site" / "protocols" / "review"
        site.mkdir(parents=True)
        (site / "policy.yaml").write_text(DIABETES_ONLY)
        (folder / "careplan.toml").write_text(
            f'[endpoints.hospital]\nurl = "{server.url}"\nidentity = "journey"\n\n[knowledge]\noverlay = "site"\n'
        )
        self.of_patient = ("-e", "hospital", "-p", self.patient)

    def run(self, *arguments: str, code: int = 0) -> str:
        result = careplan(self.folder, *arguments)
        assert result.returncode == code, result.stdout[-3000:] + result.stderr[-3000:]
        assert "Traceback" not in result.stderr
        return result.stdout

    def facts(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))

    def sync(self, outcome: str, *, code: int = 0) -> dict[str, Any]:
        receipt: dict[str, Any] = self.facts("sync", *self.of_patient, "--today", SYNTHETIC_TODAY, code=code)
        assert receipt["outcome"] == outcome, receipt
        return receipt

    def approve(self, review: str, by: str) -> dict[str, Any]:
        decided: dict[str, Any] = self.facts(
            "review", "approve", review, "--by", by, "--reason", "seen at the visit"
        )
        assert decided["state"] == "approved", decided
        return decided

    def plan(self) -> dict[str, Any]:
        (found,) = self.server.authored("CarePlan", self.patient)
        return found

    def goal(self) -> dict[str, Any]:
        goals = self.server.authored("Goal", self.patient)
        (found,) = (one for one in goals if "HbA1c" in one["description"]["text"])
        return found

    def observed(self, code: str) -> dict[str, Any]:
        found = self.server.search(f"Observation?patient=Patient/{self.patient}&_count=100")
        return next(one for one in found if one["code"]["coding"][0]["code"] == code)

    def put(self, resource: dict[str, Any]) -> None:
        assert self.server.put(resource, version=resource["meta"]["versionId"]).status_code == 200


def test_the_life_of_a_plan_reads_as_it_was(hapi_r4: Any, tmp_path: Path) -> None:
    journey = Journey(tmp_path, Server(hapi_r4.url))

    # Planned and written as a draft; reviewed and approved.
    drafted = journey.sync("written")
    assert journey.plan()["status"] == "draft"
    assert journey.goal()["lifecycleStatus"] == "proposed"
    assert "lifecycleStatus" in journey.run("review", "show", drafted["review"])
    journey.approve(drafted["review"], CLINICIAN)
    assert journey.plan()["status"] == "active"
    assert journey.goal()["lifecycleStatus"] == "active"

    # A clinician edits the goal's target in the hospital's own system.
    goal = journey.goal()
    goal["target"][0]["detailRange"]["high"]["value"] = Decimal("7.2")
    journey.put(goal)
    journey.sync("unchanged")
    assert journey.goal()["target"] == goal["target"]

    # The laboratory reports a lower kidney function: another target is proposed, and the two are in conflict.
    reading = journey.observed(EGFR)
    journey.put({**reading, "valueQuantity": {**reading["valueQuantity"], "value": 25}})
    before = journey.plan(), journey.goal()
    asked = journey.sync("review", code=6)
    assert (journey.plan(), journey.goal()) == before
    shown = journey.run("review", "show", asked["review"])
    conflict = next(line for line in shown.splitlines() if line.startswith("! Goal/"))
    assert "7.2" in conflict

    # A person decides.
    decided = journey.approve(asked["review"], OTHER)
    assert decided["outcome"] == "written"
    assert journey.goal()["target"][0]["detailRange"]["high"]["value"] == 8
    assert "Metformin to be stopped" in json.dumps(journey.server.authored("ServiceRequest", journey.patient)) + (
        json.dumps(journey.plan())
    )

    # The goal is reached.
    reading = journey.observed(HBA1C)
    journey.put({**reading, "valueQuantity": {**reading["valueQuantity"], "value": 53}})
    receipt = journey.sync("review", code=6)
    journey.approve(receipt["review"], CLINICIAN)
    achievement = journey.goal()["achievementStatus"]["coding"][0]["code"]
    assert achievement in {"achieved", "sustaining"}

    # The problem is resolved: the plan has done its work, and is completed when a person agrees.
    for condition in journey.server.search(f"Condition?patient=Patient/{journey.patient}&_count=100"):
        condition["clinicalStatus"]["coding"][0]["code"] = "resolved"
        condition["abatementDateTime"] = "2026-11-20"
        journey.put(condition)
    receipt = journey.sync("review", code=6)
    completed = journey.approve(receipt["review"], CLINICIAN)
    assert journey.plan()["status"] == "completed"
    assert journey.goal()["lifecycleStatus"] == "completed"

    # It was entered for the wrong patient, say: taken back.
    reverted = journey.facts(
        "revert", "--exchange", completed["exchange"], "--by", OTHER, "--reason", "still under treatment"
    )
    assert reverted["outcome"] == "written"
    assert journey.plan()["status"] == "active"
    assert journey.goal()["lifecycleStatus"] == "active"

    story = journey.run("history", *journey.of_patient)
    place = -1
    for phrase in (
        "Written as draft",
        f"Approved by {CLINICIAN}",
        "was changed by somebody else",
        "A conflict waits for a person",
        "somebody wrote",
        f"Approved by {OTHER}",
        "achieved",
        "completed",
        f"Reverted by {OTHER}",
    ):
        found = story.find(phrase, place + 1)
        assert found > place, f"{story}\n'{phrase}' does not come after place {place}"
        place = found
    assert "The ledger holds." in journey.run("audit", "verify")
