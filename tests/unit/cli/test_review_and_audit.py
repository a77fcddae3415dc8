"""`review` and `audit`: what waits, what was decided, what was done, and whether the record of it holds."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.cli import show
from tests.support.policies import TWO, overlay
from tests.support.product import SYNTHETIC_TODAY, Server

UNKNOWN = "0b0c0000-0000-4000-8000-000000000000"


@pytest.fixture
def waiting(careplan: Any, hospital: Any, patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new plan that waits for a person; the review's id."""
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", str(overlay(tmp_path)))
    result = careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
    assert result.code == 6
    return str(result.json["exchange"])


@pytest.fixture
def done(careplan: Any, hospital: Any) -> str:
    """One exchange, of a patient who is not there; its id."""
    result = careplan("sync", "-e", hospital.url, "-p", "unknown", "--json")
    assert result.code == 3
    return str(result.json["exchange"])


def decisions(careplan: Any, review: str) -> list[dict[str, Any]]:
    links = careplan("audit", "show", review, "--json").json
    return [link["entry"]["data"] for link in links if link["entry"]["event"] == "review.decided"]


# --- review


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


# --- audit


def test_an_exchange_that_does_not_exist_is_a_matter_of_usage(careplan: Any) -> None:
    result = careplan("audit", "show", UNKNOWN)
    assert (result.code, result.out) == (2, "")
    assert "careplan audit list" in result.said


def test_the_ledger_lists_exchanges_the_newest_last(careplan: Any, hospital: Any) -> None:
    made = []
    for _ in range(3):
        made.append(careplan("sync", "-e", hospital.url, "-p", "unknown", "--json").json["exchange"])
    assert [one["exchange"] for one in careplan("audit", "list", "--json").json] == made
    assert [one["exchange"] for one in careplan("audit", "list", "--limit", "2", "--json").json] == made[1:]
    shown = careplan("audit", "list").out
    assert sorted(made, key=shown.index) == made
    assert careplan("audit", "list", "--limit", "0").code == 2


def test_the_entries_of_an_exchange_are_shown(careplan: Any, done: str) -> None:
    shown = careplan("audit", "show", done)
    assert (shown.code, shown.err) == (0, "")
    assert "exchange.failed" in shown.out
    assert "record.patient-not-found" in shown.out


def test_a_ledger_that_holds_is_verified_with_its_head(careplan: Any, done: str) -> None:
    verdict = careplan("audit", "verify", "--json").json
    assert verdict["entries"] > 0
    result = careplan("audit", "verify")
    assert (result.code, result.err) == (0, "")
    head = f"{verdict['entries']}:{verdict['head']}"
    assert f"The ledger holds. {verdict['entries']} entries, head {head}" in " ".join(result.out.split())


@pytest.mark.parametrize("options", [(), ("--file", "ledger.ndjson")], ids=["database", "file"])
def test_a_head_that_was_kept_elsewhere_shows_a_chain_that_was_written_anew(
    careplan: Any, done: str, options: tuple[str, ...]
) -> None:
    verdict = careplan("audit", "verify", "--json").json
    assert careplan("audit", "export", "--out", "ledger.ndjson").code == 0
    head = f"{verdict['entries']}:{verdict['head']}"
    assert careplan("audit", "verify", *options, "--kept", head).code == 0
    other = careplan("audit", "verify", *options, "--kept", f"1:{'0' * 64}")
    assert other.code == 6
    assert "Entry 1 does not have the hash that was kept" in " ".join(other.out.split())
    later = careplan("audit", "verify", *options, "--kept", f"999:{verdict['head']}")
    assert later.code == 6
    assert "are missing: the kept head is number 999" in " ".join(later.out.split())


@pytest.mark.parametrize("head", ["", "1", "x:" + "0" * 64, "1:" + "0" * 63, "1:" + "g" * 64])
def test_what_is_no_head_is_refused(careplan: Any, head: str) -> None:
    result = careplan("audit", "verify", "--kept", head)
    assert (result.code, result.out) == (2, "")
    assert "SEQ:HASH" in result.said


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE careplan_ledger SET entry = replace(entry, 'failed', 'finished')", " at entry "),
        ("DELETE FROM careplan_ledger WHERE seq = 1", " at entry 1"),
        ("DELETE FROM careplan_ledger", " at entry 1"),
    ],
    ids=["an altered entry", "a missing entry", "an emptied ledger"],
)
def test_a_ledger_that_was_tampered_with_does_not_hold(
    careplan: Any, tmp_path: Path, done: str, statement: str, where: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "careplan.db")) as database:
        with pytest.raises(sqlite3.IntegrityError):
            database.execute(statement)
        database.execute("DROP TRIGGER careplan_ledger_no_update")
        database.execute("DROP TRIGGER careplan_ledger_no_delete")
        assert database.execute(statement).rowcount > 0
        database.commit()
    result = careplan("audit", "verify")
    assert result.code == 6
    assert f"The ledger does not hold{where}" in result.out
    as_json = careplan("audit", "verify", "--json")
    assert as_json.code == 6
    exported = careplan("audit", "export")
    assert exported.code == 0, "a ledger that does not hold is exported all the same"
    assert json.loads(exported.out.splitlines()[0])["problem"] == as_json.json["problem"]
    (tmp_path / "ledger.ndjson").write_text(exported.out)
    assert careplan("audit", "verify", "--file", "ledger.ndjson").code == 6


def test_an_export_holds_and_is_the_same_on_standard_output_and_in_a_file(
    careplan: Any, tmp_path: Path, done: str
) -> None:
    printed = careplan("audit", "export")
    assert (printed.code, printed.err) == (0, "")
    header, *entries = (json.loads(line) for line in printed.out.splitlines())
    verdict = careplan("audit", "verify", "--json").json
    assert (header["entries"], header["head"]) == (verdict["entries"], verdict["head"])
    assert [one["entry"]["exchange"] for one in entries] == [done] * len(entries)
    written = careplan("audit", "export", "--out", "ledger.ndjson")
    assert (written.code, written.out) == (0, "")
    assert (tmp_path / "ledger.ndjson").read_text() == printed.out
    assert careplan("audit", "verify", "--file", "ledger.ndjson", "--json").json == verdict


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [line.replace("exchange.failed", "exchange.finished") for line in lines],
        lambda lines: lines[:-1],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: lines[1:],
        lambda _: ["<html></html>\n"],
        lambda _: [],
    ],
    ids=["altered", "cut", "a line less", "no header", "something else", "empty"],
)
def test_an_exported_file_that_was_changed_does_not_hold(
    careplan: Any, tmp_path: Path, done: str, change: Any
) -> None:
    lines = careplan("audit", "export").out.splitlines(keepends=True)
    (tmp_path / "changed.ndjson").write_text("".join(change(lines)))
    result = careplan("audit", "verify", "--file", "changed.ndjson")
    assert result.code == 6
    assert "The ledger does not hold" in result.out


def test_a_file_that_is_not_there_is_a_matter_of_usage(careplan: Any) -> None:
    result = careplan("audit", "verify", "--file", "nowhere.ndjson")
    assert (result.code, result.out) == (2, "")
    assert "nowhere.ndjson cannot be read" in result.said


def test_an_export_that_cannot_be_made_leaves_the_earlier_one(careplan: Any, tmp_path: Path, done: str) -> None:
    assert careplan("audit", "export", "--out", "ledger.ndjson").code == 0
    before = (tmp_path / "ledger.ndjson").read_bytes()
    (tmp_path / "careplan.db").write_bytes(b"this is no database " * 100)
    result = careplan("audit", "export", "--out", "ledger.ndjson")
    assert (result.code, result.out) == (2, "")
    assert (tmp_path / "ledger.ndjson").read_bytes() == before


def test_an_export_into_a_folder_that_is_not_there_names_it(careplan: Any, done: str) -> None:
    result = careplan("audit", "export", "--out", "no/folder/ledger.ndjson")
    assert (result.code, result.out) == (2, "")
    assert "no/folder/ledger.ndjson cannot be written" in result.said
