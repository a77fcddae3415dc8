"""`review` where it takes two: each is told what is missing, and what somebody modified meanwhile."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.policies import TWO, overlay
from tests.support.product import SYNTHETIC_TODAY, Server

from .conftest import decisions


def test_two_people_approve_and_the_first_is_told_that_another_has_to(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", str(overlay(tmp_path, TWO)))
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    review = careplan("sync", *of_patient, "--approve", "--by", "Dr Who", "--json").json["review"]
    assert Server(hospital.url).authored("CarePlan", patient) == []
    assert "It takes 2 different people; 0 approved so far." in careplan("review", "show", review).out
    first = careplan("review", "approve", review, "--by", "Dr Who")
    assert first.code == 6
    assert "It takes 2 different people: 1 more." in first.out
    assert careplan("review", "approve", review, "--by", "dr who").code == 2
    second = careplan("review", "approve", review, "--by", "Dr Strange", "--json")
    assert (second.code, second.json["approvedBy"]) == (0, ["Dr Who", "Dr Strange"])
    (plan,) = Server(hospital.url).authored("CarePlan", patient)
    assert plan["status"] == "active"


def test_what_somebody_modified_is_approved_by_who_has_seen_it(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", str(overlay(tmp_path, TWO)))
    review = careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json").json[
        "review"
    ]
    shown = careplan("review", "show", review, "--json").json
    goal = next(one["identity"] for one in shown["changeSet"]["changes"] if one["type"] == "Goal")
    edit = f"Goal/~{goal[:8]} description.text=As agreed"
    assert "--seen" not in careplan("review", "show", review).out
    modify = ("review", "modify", review, "--by", "Dr Strange", "--reason", "x", "--set", edit)
    assert careplan(*modify).code == 6

    stale = careplan("review", "approve", review, "--by", "Dr Who", "--seen", shown["content"])
    now = careplan("review", "show", review, "--json").json["content"]
    assert (stale.code, stale.err) == (6, "")
    assert "Nothing was approved: somebody modified it since it was shown." in stale.out
    assert f"now  Goal/~{goal[:8]}" in stale.out
    assert "As agreed" in stale.out
    assert f"Next: careplan review show {review}; for just this, --seen {now}" in stale.out
    assert careplan("review", "approve", review, "--by", "Dr Who", "--json").json["content"] == now
    again = "description.text=Otherwise"
    other = ("review", "modify", review, "--by", "Dr Who", "--reason", "x", "--set", f"Goal/~{goal[:8]} {again}")
    assert "Nothing was approved" in careplan(*other).out
    assert Server(hospital.url).authored("CarePlan", patient) == []

    assert f"Next: careplan review approve {review} --seen {now}, or" in careplan("review", "show", review).out
    decided = careplan("review", "approve", review, "--by", "Dr Who", "--seen", now, "--json")
    assert (decided.code, decided.json["approvedBy"]) == (0, ["Dr Strange", "Dr Who"])
    goals = Server(hospital.url).authored("Goal", patient)
    assert "As agreed" in [one["description"]["text"] for one in goals]


NEVER = TWO.replace("rules:", "rules:\n  - {change: [retired], of: [medication], needs: never}")


def test_what_needs_two_persons_is_taken_back_by_two(
    careplan: Any, hospital: Any, patient: str, waiting: str, tmp_path: Path
) -> None:
    made = careplan("review", "approve", waiting, "--by", "Dr Who", "--json").json["exchange"]
    revert = ("revert", "--exchange", made, "--by", "Dr Who", "--reason", "The wrong visit")
    server = Server(hospital.url)

    overlay(tmp_path, NEVER)
    refused = careplan(*revert)
    assert (refused.code, refused.out) == (4, "")
    assert "The review policy does not allow it" in refused.said
    assert "protocols/review/policy.yaml" in refused.said

    overlay(tmp_path, TWO)
    asked = careplan(*revert)
    assert asked.code == 6
    assert asked.out.startswith("review")
    assert server.authored("CarePlan", patient)[0]["status"] == "active"
    (review,) = (one["id"] for one in careplan("review", "list", "--json").json)
    assert review in careplan("review", "list").out
    assert "waits for two persons" in careplan("review", "show", review).out
    shown = careplan("review", "show", review).out
    assert "asked for by Dr Who: The wrong visit" in shown
    assert "It takes 2 different people; 1 approved so far." in shown
    assert careplan("review", "approve", review, "--by", "Dr Who").code == 2
    told = careplan("history", "-e", hospital.url, "-p", patient).out
    assert "asked to take back" in told
    assert "is taken back" not in told

    decided = careplan("review", "approve", review, "--by", "Dr Strange", "--json")
    assert (decided.code, decided.json["approvedBy"]) == (0, ["Dr Who", "Dr Strange"])
    assert server.authored("CarePlan", patient)[0]["status"] == "entered-in-error"
    assert decisions(careplan, review) == [{"state": "approved", "by": "Dr Who, Dr Strange"}]


def test_a_revert_that_waits_for_the_second_person_can_be_rejected(
    careplan: Any, hospital: Any, patient: str, waiting: str, tmp_path: Path
) -> None:
    made = careplan("review", "approve", waiting, "--by", "Dr Who", "--json").json["exchange"]
    overlay(tmp_path, TWO)
    review = careplan("revert", "--exchange", made, "--by", "Dr Who", "--reason", "x", "--json").json["review"]
    modify = ("review", "modify", review, "--reason", "x", "--set", "Goal/1 description.text=Otherwise")
    assert "taken back as it was written" in careplan(*modify).said
    assert careplan("review", "reject", review, "--by", "Dr Strange", "--reason", "It was right").code == 0
    assert Server(hospital.url).authored("CarePlan", patient)[0]["status"] == "active"
    assert careplan("review", "list", "--json").json == []
