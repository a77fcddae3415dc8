"""`plan --protocol FILE`, and the same sent to a server that has an engine of its own."""

import json
from pathlib import Path
from typing import Any

from tests.support.oddserver import odd_server
from tests.support.product import SYNTHETIC_TODAY, Server

PLAN = {
    "resourceType": "PlanDefinition",
    "id": "walk",
    "url": "urn:example:walk",
    "title": "Walking",
    "status": "active",
    "action": [
        {
            "id": "a",
            "title": "Walk",
            "condition": [
                {
                    "kind": "applicability",
                    "expression": {
                        "language": "text/fhirpath",
                        "expression": "%resource.entry.resource.ofType(Observation).exists()",
                    },
                }
            ],
        }
    ],
}
METADATA = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "date": "2026-01-01",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "software": {"name": "Another engine"},
    "rest": [
        {
            "mode": "server",
            "resource": [{"type": "PlanDefinition", "operation": [{"name": "apply", "definition": "urn:x"}]}],
        }
    ],
}
ANSWER = {
    "resourceType": "CarePlan",
    "id": "c",
    "subject": {"reference": "Patient/7"},
    "contained": [
        {
            "resourceType": "RequestGroup",
            "id": "g",
            "subject": {"reference": "Patient/7"},
            "action": [
                {
                    "title": "Group",
                    "action": [
                        {"title": "Walk", "resource": {"reference": "#t"}},
                        {"title": "Rest", "description": "A day"},
                    ],
                },
                {"title": "Nested", "resource": {"reference": "#h"}},
                {"resource": {"reference": "#t"}},
            ],
        },
        {"resourceType": "RequestGroup", "id": "h", "action": [{"title": "Swim"}]},
        {"resourceType": "Task", "id": "t", "code": {"text": "A task"}},
        {
            "resourceType": "OperationOutcome",
            "id": "o",
            "issue": [{"severity": "error", "code": "exception", "diagnostics": "It is said"}],
        },
    ],
}


def written(folder: Path, content: Any, name: str = "plan.json") -> str:
    (folder / name).write_text(json.dumps(content, indent="\t"))
    return name


def test_a_plan_in_a_file_is_applied_instead_of_the_installed_protocols(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    file = written(tmp_path, PLAN)
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    found = careplan("plan", *of_patient, "--protocol", file, "--json")
    assert (found.code, found.err) == (0, "")
    assert [line["key"] for line in found.json["activities"]] == ["walk/action/a"]
    assert [protocol["title"] for protocol in found.json["protocols"]] == ["Walking"]
    assert "Walk" in careplan("plan", *of_patient, "--protocol", file).out
    assert Server(hospital.url).authored("CarePlan", patient) == []


def test_several_files_are_applied_together(careplan: Any, hospital: Any, patient: str, tmp_path: Path) -> None:
    first = written(tmp_path, {**PLAN, "action": [{"id": "a", "definitionCanonical": "urn:d"}]})
    second = written(
        tmp_path,
        {
            "resourceType": "ActivityDefinition",
            "url": "urn:d",
            "status": "active",
            "kind": "ServiceRequest",
            "title": "Defined",
        },
        "definition.json",
    )
    found = careplan(
        "plan", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY,
        "--protocol", first, "--protocol", second, "--json",
    )  # fmt: skip
    assert [line["title"] for line in found.json["activities"]] == ["Defined"]


def test_a_file_that_holds_no_plan_is_refused_before_anything_is_planned(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    of_patient = ("-e", hospital.url, "-p", patient)
    for name, content in (("list.json", []), ("patient.json", {"resourceType": "Patient"})):
        refused = careplan("plan", *of_patient, "--protocol", written(tmp_path, content, name))
        assert (refused.code, refused.out) == (2, "")
        assert name in refused.said
    missing = careplan("plan", *of_patient, "--protocol", "none.json")
    assert missing.code == 2
    assert "cannot be read" in missing.said


def test_a_plan_is_sent_to_a_server_with_an_engine_and_its_answer_is_marked_as_its_own(
    careplan: Any, tmp_path: Path
) -> None:
    file = written(tmp_path, PLAN)
    asked: list[str] = []

    def answer(path: str) -> tuple[int, str, bytes]:
        asked.append(path)
        body = METADATA if path.endswith("/metadata") else ANSWER
        return 200, "application/fhir+json", json.dumps(body).encode()

    with odd_server(answer) as url:
        sent = ("plan", "-e", url, "-p", "Patient/7", "--protocol", file, "--apply-at", url)
        shown, found = careplan(*sent), careplan(*sent, "--json")
    assert asked == ["/metadata", "/PlanDefinition/$apply"] * 2 or asked[-1].endswith("/PlanDefinition/$apply")
    assert shown.code == found.code == 0
    (delegated,) = found.json
    assert [action["title"] for action in delegated["actions"]] == ["Walk", "Rest", "Swim", "A task"]
    assert delegated["actions"][0]["resourceKind"] == "Task"
    assert delegated["answer"] == ANSWER
    assert (delegated["plan"], delegated["software"], delegated["said"]) == (
        "Walking",
        "Another engine",
        ["It is said"],
    )
    words = " ".join(shown.out.split())
    for word in ("another engine's answer", "never written", "Walk", "Swim", "It is said", "Another engine"):
        assert word in words


def test_a_server_without_an_engine_is_named_and_asked_nothing(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    file = written(tmp_path, PLAN)
    refused = careplan("plan", "-e", hospital.url, "-p", patient, "--protocol", file, "--apply-at", hospital.url)
    assert (refused.code, refused.out) == (4, "")
    assert "does not list the operation $apply" in refused.said


def test_the_patients_id_is_sent_to_no_other_server_than_its_own(
    careplan: Any, hospital: Any, tmp_path: Path
) -> None:
    file = written(tmp_path, PLAN)
    (tmp_path / "record.json").write_text("{}")
    for endpoint in ("http://127.0.0.1:9/other", "record.json"):
        refused = careplan("plan", "-e", endpoint, "-p", "7", "--protocol", file, "--apply-at", hospital.url)
        assert (refused.code, refused.out) == (2, "")
        assert "another server" in refused.said
    business = careplan(
        "plan", "-e", hospital.url, "-p", "urn:x|7", "--protocol", file, "--apply-at", hospital.url
    )
    assert business.code == 2
    for more in ((), ("--protocol", file, "--today", "2026-11-24")):
        assert careplan("plan", "-e", hospital.url, "-p", "7", "--apply-at", hospital.url, *more).code == 2
