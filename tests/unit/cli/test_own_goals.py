"""A goal in the patient's own words: shown first, referred to by the plan that is written, and left as it is."""

from typing import Any

from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server

WORDS = "Walk to the market again"


def test_a_patients_own_goal_leads_the_plan_and_is_never_written(careplan: Any, hospital: Any) -> None:
    server = Server(hospital.url)
    patient = server.load(synthetic("02-older-adult-si-units"))
    mine = {"reference": f"Patient/{patient}"}
    own = server.post(
        "/Goal",
        {
            "resourceType": "Goal",
            "lifecycleStatus": "active",
            "description": {"text": WORDS},
            "subject": mine,
            "expressedBy": mine,
        },
    )["id"]
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
    proposal = careplan("plan", *of_patient).json
    assert [(wish["text"], wish["evidence"]["reference"]) for wish in proposal["wishes"]] == [
        (WORDS, f"Goal/{own}")
    ]

    assert careplan("sync", *of_patient).json["outcome"] == "written"
    (plan,) = server.authored("CarePlan", patient)
    assert plan["goal"][0] == {"reference": f"Goal/{own}"}
    assert len(plan["goal"]) == 1 + len(proposal["goals"])
    assert WORDS in plan["text"]["div"]
    assert careplan("sync", *of_patient).json["outcome"] == "unchanged"
    assert server.get(f"/Goal/{own}")["meta"]["versionId"] == "1"
