"""A person's way through the product, command by command: from a first look to a plan that somebody approved."""

import json
from pathlib import Path
from typing import Any

from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan

EGFR = "62238-1"


def test_from_a_first_look_to_an_approved_change_and_its_record(sandbox: Any, tmp_path: Path) -> None:
    server = Server(sandbox.url)
    patient = server.load(synthetic("02-older-adult-si-units"))
    exchanges: list[tuple[str, str]] = []

    def run(*arguments: str, code: int = 0) -> Any:
        result = careplan(tmp_path, *arguments)
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    def facts(*arguments: str, code: int = 0) -> Any:
        return json.loads(run(*arguments, "--json", code=code).stdout)

    def sync(*options: str, outcome: str, code: int = 0) -> dict[str, Any]:
        receipt = facts("sync", *of_patient, *options, code=code)
        assert receipt["outcome"] == outcome, receipt
        exchanges.append((receipt["exchange"], outcome))
        return receipt

    def plan() -> dict[str, Any]:
        (found,) = server.authored("CarePlan", patient)
        return found

    def goal_states() -> set[str]:
        return {goal["lifecycleStatus"] for goal in server.authored("Goal", patient)}

    # Set up.
    assert "careplan doctor" in run("init", "--endpoint", sandbox.url).stdout
    assert "ok   endpoint hospital, writing" in run("doctor").stdout
    of_patient = ("-e", "hospital", "-p", patient, "--today", SYNTHETIC_TODAY)

    # A first look writes nothing.
    shown = run("plan", *of_patient).stdout
    proposed = facts("plan", *of_patient)
    assert "HbA1c" in shown
    assert server.authored("CarePlan", patient) == []
    assert server.authored("Goal", patient) == []

    # A draft.
    receipt = sync(outcome="written")
    assert (plan()["status"], goal_states()) == ("draft", {"proposed"})
    assert len(server.authored("Goal", patient)) == len(proposed["goals"])
    assert {one["action"] for one in receipt["resources"]} == {"create"}

    # Approved: active, goals included; and once more, nothing.
    sync("--approve", outcome="written")
    assert (plan()["status"], goal_states()) == ("active", {"active"})
    stood = plan()["meta"]["versionId"]
    sync(outcome="unchanged")
    assert plan()["meta"]["versionId"] == stood

    # A clinician edits on the server: it stays.
    edited = {**plan(), "title": "Agreed at the visit", "note": [{"text": "Prefers to start with walking."}]}
    edited["activity"] = [
        *edited["activity"],
        {"detail": {"status": "scheduled", "description": "Walking group"}},
    ]
    assert server.put(edited, version=stood).status_code == 200
    sync(outcome="unchanged")
    assert {name: plan()[name] for name in ("title", "note", "activity")} == {
        name: edited[name] for name in ("title", "note", "activity")
    }

    # The record changes, so the plan would: it waits, and says so.
    (reading,) = (
        one
        for one in server.search(f"Observation?patient=Patient/{patient}&_count=100")
        if one["code"]["coding"][0]["code"] == EGFR
    )
    reading["valueQuantity"]["value"] = 25
    assert server.put(reading, version=reading["meta"]["versionId"]).status_code == 200
    before = plan()
    waiting = sync(outcome="review", code=6)["exchange"]
    assert plan() == before
    assert waiting in run("review", "list").stdout
    diff = run("review", "show", waiting).stdout
    assert f"~ CarePlan/{before['id']}" in diff or f"- CarePlan/{before['id']}" in diff
    assert f"careplan review approve {waiting}" in diff

    # The same question asked again is the same review.
    sync(outcome="review", code=6)
    assert [one["id"] for one in facts("review", "list")] == [waiting]

    # Approved: written, and what the clinician wrote is still there.
    receipt = facts("review", "approve", waiting, "--by", "Dr Who")
    assert receipt["outcome"] == "written"
    exchanges.append((receipt["exchange"], "written"))
    after = plan()
    assert int(after["meta"]["versionId"]) == int(before["meta"]["versionId"]) + 1
    assert (after["status"], after["title"], after["note"]) == ("active", edited["title"], edited["note"])
    assert edited["activity"][-1] in after["activity"]
    assert after["activity"] != before["activity"]
    assert facts("review", "list") == []
    sync(outcome="unchanged")

    # The record of it all.
    listed = facts("audit", "list")
    assert [(one["exchange"], one["outcome"]) for one in listed] == exchanges
    assert {one["patient"] for one in listed} == {f"Patient/{patient}"}
    decided = [
        one["entry"]["data"]
        for one in facts("audit", "show", waiting)
        if one["entry"]["event"] == "review.decided"
    ]
    assert decided == [{"state": "approved", "by": "Dr Who"}]
    assert "exchange.finished" in run("audit", "show", exchanges[0][0]).stdout
    assert "The ledger holds." in run("audit", "verify").stdout
    run("audit", "export", "--out", "ledger.ndjson")
    assert facts("audit", "verify", "--file", "ledger.ndjson") == facts("audit", "verify")
    assert "Boreas" not in (tmp_path / "ledger.ndjson").read_text(), "the ledger names nobody"
