"""`plan`: what a person sees of a proposal, and that seeing it writes nothing."""

from pathlib import Path
from typing import Any

from careplan_exchange.model.codec import decode, encode
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server


def test_a_proposal_is_shown_with_reasons_sources_and_what_is_missing(careplan: Any, hospital: Any) -> None:
    patient = Server(hospital.url).load(synthetic("01-adult-pregnancy-unknown"))
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    shown = careplan("plan", *of_patient)
    assert (shown.code, shown.err) == (0, "")
    proposal = careplan("plan", *of_patient, "--json").json
    words = " ".join(shown.out.replace("│", " ").split())
    assert proposal["asOf"] == SYNTHETIC_TODAY
    assert f"Proposal for Patient/{patient} as of {SYNTHETIC_TODAY}" in words
    assert proposal["goals"]
    assert proposal["activities"]
    assert proposal["gaps"]
    for goal in proposal["goals"]:
        first = goal["description"].split()[0]
        assert first in words
        assert goal["reasons"][0]["text"].split()[0] in words
        assert goal["citations"][0]["label"].split()[0] in words
    for gap in proposal["gaps"]:
        assert gap["concept"] in words
    assert Server(hospital.url).authored("CarePlan", patient) == []


def test_a_record_in_a_file_is_planned_as_the_same_record_on_a_server_is(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    bundle = synthetic("02-older-adult-si-units")
    for number, entry in enumerate(bundle["entry"]):
        entry["resource"]["id"] = f"r{number}"
    (tmp_path / "record.json").write_bytes(encode({**bundle, "type": "collection"}))
    proposals = [
        careplan("plan", "-e", endpoint, "-p", who, "--today", SYNTHETIC_TODAY, "--json").json
        for endpoint, who in ((hospital.url, patient), ("record.json", "r0"))
    ]
    on_server, in_file = ([goal["description"] for goal in one["goals"]] for one in proposals)
    assert on_server == in_file != []


def test_a_plan_and_a_sync_go_on_from_a_reading_that_was_kept(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    kept = tmp_path / "reading"
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
    first = careplan("plan", *of_patient, "--since", str(kept))
    assert (first.code, kept.stat().st_mode & 0o777) == (0, 0o600)
    before = decode(kept.read_bytes())
    assert before["record"]["patient"]["id"] == patient
    assert first.json == careplan("plan", *of_patient).json
    written = careplan("sync", *of_patient, "--since", str(kept))
    assert (written.code, written.json["outcome"]) == (0, "written")
    again = careplan("sync", *of_patient, "--since", str(kept))
    assert (again.code, again.json["outcome"]) == (0, "unchanged")
    after = decode(kept.read_bytes())
    assert after["readAt"] > before["readAt"]
    assert len(after["record"]["resources"]) > len(before["record"]["resources"])
    assert after["record"]["resources"] != before["record"]["resources"]
    assert first.json == careplan("plan", *of_patient, "--since", str(kept)).json


def test_a_file_is_not_a_place_to_write_to(careplan: Any, hospital: Any, patient: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    result = careplan("sync", "-e", hospital.url, "-p", patient, "-t", "record.json")
    assert (result.code, result.out) == (2, "")
    assert "--target" in result.said


def test_an_assumption_shows_what_would_be_different_and_writes_nothing(
    careplan: Any, hospital: Any, patient: str
) -> None:
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    shown = careplan("plan", *of_patient, "--assume", "egfr=22", "--assume", "metformin=present")
    assert shown.code == 0
    assert "HYPOTHETICAL" in shown.out
    assert "nothing of this can be written" in shown.out
    told = careplan("plan", *of_patient, "--assume", "egfr=22", "--assume", "metformin=present", "--json").json
    assert told["hypothetical"] is True
    assert told["proposal"]["assumed"] == ["egfr=22", "metformin=present"]
    assert {"t2dm/action/metformin-stop"} <= {d["key"] for d in told["differences"] if d["change"] == "added"}
    assert Server(hospital.url).authored("CarePlan", patient) == []


def test_an_assumption_that_is_none_is_refused(careplan: Any, hospital: Any, patient: str) -> None:
    refused = careplan("plan", "-e", hospital.url, "-p", patient, "--assume", "egrf=22")
    assert refused.code == 2
    assert "Did you mean 'egfr'?" in " ".join(refused.err.split())


def test_explain_says_of_one_line_what_it_rests_on_and_what_would_change_it(
    careplan: Any, hospital: Any, patient: str
) -> None:
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    whole = careplan("explain", *of_patient)
    assert (whole.code, whole.err) == (0, "")
    told = careplan("explain", *of_patient, "--item", "t2dm/action/metformin-start", "--json").json
    (item,) = told["items"]
    assert item["key"] == "t2dm/action/metformin-start"
    assert {condition["rule"] for condition in item["conditions"]} >= {"%egfr >= 30", "%metformin.not()"}
    assert item["change"]
    shown = careplan("explain", *of_patient, "--item", "t2dm/action/metformin-start")
    assert "%egfr >= 30" in shown.out
    assert "/_history/" in shown.out


def test_explain_of_a_line_that_no_protocol_has_is_refused(careplan: Any, hospital: Any, patient: str) -> None:
    refused = careplan("explain", "-e", hospital.url, "-p", patient, "--item", "metformin-strat")
    assert refused.code == 2
    assert "Did you mean 'metformin-start'?" in " ".join(refused.err.split())


def test_a_page_is_left_for_its_owner_alone_and_the_terminal_shows_the_plan_in_short(
    careplan: Any, hospital: Any, tmp_path: Path
) -> None:
    patient = Server(hospital.url).load(synthetic("09-inherited-risks-and-liver-disease"))
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    page = tmp_path / "plan.html"
    shown = careplan("plan", *of_patient, "--page", str(page))
    assert shown.code == 0, shown.err
    assert page.stat().st_mode & 0o777 == 0o600
    assert f"to look at: {page}" in shown.said
    whole = page.read_text()
    for line in careplan("plan", *of_patient, "--json").json["restrictions"]:
        assert line["avoid"] in whole
        assert line["avoid"] in shown.out
    assert "Withheld for safety" in shown.out
    assert Server(hospital.url).authored("CarePlan", patient) == []


def test_no_page_is_made_of_what_is_only_supposed(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    page = tmp_path / "plan.html"
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    refused = careplan("plan", *of_patient, "--page", str(page), "--assume", "egfr=28")
    assert refused.code == 2
    assert "--assume" in refused.said
    assert not page.exists()
