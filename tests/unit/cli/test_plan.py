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
