"""`review`: what waits, what was decided, and by whom."""

from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.cli import show
from tests.support.product import Server

from .conftest import UNKNOWN, decisions


def test_where_nothing_waits_the_list_says_so(careplan: Any) -> None:
    result = careplan("review", "list")
    assert (result.code, result.out, result.err) == (0, "Nothing waits for review.\n", "")


@pytest.mark.parametrize("act", ["show", "approve", "reject"])
def test_a_review_that_does_not_exist_is_a_matter_of_usage(careplan: Any, act: str) -> None:
    result = careplan("review", act, UNKNOWN, *(("--reason", "Why") if act == "reject" else ()))
    assert (result.code, result.out) == (2, "")
    assert UNKNOWN in result.said
    assert "careplan review list" in result.said


def test_what_waits_is_listed_and_shown_with_what_to_do_next(careplan: Any, waiting: str) -> None:
    listed = careplan("review", "list")
    assert waiting in listed.out
    assert "new plans wait for a person" in listed.out
    shown = careplan("review", "show", waiting)
    assert (listed.code, shown.code) == (0, 0)
    assert "+ CarePlan" in shown.out
    assert "+ Goal" in shown.out
    assert f"Next: careplan review approve {waiting}, or modify, reject, assign" in shown.out


def test_an_id_stays_whole_on_a_narrow_terminal(
    careplan: Any, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for console in (show.out, show.err):
        monkeypatch.setattr(console, "_width", 80)
    assert waiting in careplan("review", "list").out
    assert waiting in careplan("audit", "list").out


def test_an_approved_change_is_written_and_recorded_with_who_decided(
    careplan: Any, hospital: Any, patient: str, waiting: str
) -> None:
    result = careplan("review", "approve", waiting, "--by", "Dr Who")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("written")
    (plan,) = Server(hospital.url).authored("CarePlan", patient)
    assert plan["status"] == "active"
    assert decisions(careplan, waiting) == [{"state": "approved", "by": "Dr Who"}]
    assert careplan("review", "list", "--json").json == []


def test_a_change_that_is_no_longer_as_it_was_shown_waits_again(
    careplan: Any, hospital: Any, patient: str, waiting: str
) -> None:
    server = Server(hospital.url)
    (kidneys,) = (
        one
        for one in server.search(f"Observation?patient=Patient/{patient}")
        if one["code"]["coding"][0]["code"] == "62238-1"
    )
    kidneys["valueQuantity"]["value"] = 25
    assert server.put(kidneys).status_code == 200
    result = careplan("review", "approve", waiting)
    assert result.code == 6
    assert result.out.startswith("review")
    assert server.authored("CarePlan", patient) == []
    assert "Nothing was written: it is no longer as it was shown." in result.out
    assert "\nnow  Goal/~" in result.out or "\nwas  Goal/~" in result.out
    assert decisions(careplan, waiting) == []
    (now,) = careplan("review", "list", "--json").json
    assert now["id"] != waiting


def test_a_rejected_change_is_put_away_for_good(careplan: Any, hospital: Any, patient: str, waiting: str) -> None:
    result = careplan("review", "reject", waiting, "--by", "Dr Who", "--reason", "Moves away")
    assert (result.code, result.err) == (0, "")
    assert f"Rejected {waiting}" in result.out
    assert decisions(careplan, waiting) == [{"state": "rejected", "by": "Dr Who"}]
    assert careplan("review", "list", "--json").json == []
    again = careplan("review", "approve", waiting)
    assert (again.code, again.out) == (2, "")
    assert "is rejected already" in again.said
    assert Server(hospital.url).authored("CarePlan", patient) == []


def test_what_a_person_sets_is_written_and_stands_with_the_review(
    careplan: Any, hospital: Any, patient: str, waiting: str, tmp_path: Path
) -> None:
    changes = careplan("review", "show", waiting, "--json").json["changeSet"]["changes"]
    one, other, third = [f"Goal/~{one['identity'][:8]}" for one in changes if one["type"] == "Goal"][:3]
    (tmp_path / "edits.yaml").write_text(f"{other} priority.text: Can wait\n{third} note[0]: null\n")
    result = careplan(
        "review", "modify", waiting, "--by", "Dr Who", "--reason", "Talked about it",
        "--set", f"{one} description.text=As agreed", "--edits", "edits.yaml",
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("written")
    goals = Server(hospital.url).authored("Goal", patient)
    assert "As agreed" in [goal["description"]["text"] for goal in goals]
    assert "Can wait" in [goal["priority"].get("text") for goal in goals]
    shown = careplan("review", "show", waiting).out
    assert "modified by Dr Who: Talked about it" in shown
    assert f"{one} description.text = As agreed" in shown
    assert f"without {third} note[0]" in shown
    assert "It is approved, by Dr Who." in shown


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "1 to 100 edits"),
        (("--set", "Goal/1=x"), "This sets nothing"),
        (("--set", "Goal/1 x"), "This sets nothing"),
        (("--set", "Goal/nowhere description.text=x"), "nothing that this review shows"),
        (("--edits", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_edits_that_are_none_are_a_matter_of_usage(
    careplan: Any, waiting: str, options: tuple[str, ...], says: str
) -> None:
    result = careplan("review", "modify", waiting, "--by", "Dr Who", "--reason", "x", *options)
    assert (result.code, result.out) == (2, "")
    assert says in result.said
    assert [one["id"] for one in careplan("review", "list", "--json").json] == [waiting]


def test_reviews_are_assigned_and_listed_by_whose_they_are_and_how_they_stand(
    careplan: Any, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "nurse7")
    assert careplan("review", "assign", waiting, "--to", "Dr Who", "--reason", "On call").code == 0
    assert "assigned to Dr Who" in careplan("review", "list").out
    assert "assigned to Dr Who by nurse7: On call" in careplan("review", "show", waiting).out
    assert [one["id"] for one in careplan("review", "list", "--assigned-to", "dr who", "--json").json] == [
        waiting
    ]
    assert careplan("review", "list", "--mine", "--json").json == []
    assert [one["id"] for one in careplan("review", "list", "--mine", "--by", "Dr Who", "--json").json] == [
        waiting
    ]
    assert careplan("review", "list", "--mine", "--assigned-to", "Dr Who").code == 2
    assert careplan("review", "list", "--state", "rejected", "--json").json == []
    assert [one["id"] for one in careplan("review", "list", "--state", "all", "--json").json] == [waiting]


def test_whoever_is_logged_in_decides_where_nobody_is_named(
    careplan: Any, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "nurse7")
    assert careplan("review", "reject", waiting, "--by", "  ", "--reason", "Moves away").code == 0
    assert decisions(careplan, waiting) == [{"state": "rejected", "by": "nurse7"}]


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_an_account_without_a_name_must_say_who_decides(
    careplan: Any, waiting: str, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)

    def without_name(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr("pwd.getpwuid", without_name)
    result = careplan("review", act, waiting, *(("--reason", "Why") if act == "reject" else ()))
    assert (result.code, result.out) == (2, "")
    assert "--by" in result.said
    assert [one["id"] for one in careplan("review", "list", "--json").json] == [waiting]
