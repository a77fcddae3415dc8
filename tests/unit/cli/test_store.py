"""`store`: the key of the database, sealing it, and what the doctor says of it."""

from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.model.identity import EXCHANGE_TAG, INSTALLATION_TAG
from tests.support.product import SYNTHETIC_TODAY, Server


@pytest.fixture
def key(careplan: Any, tmp_path: Path) -> Path:
    assert careplan("store", "key", "new", "--out", "store.key").code == 0
    return tmp_path / "store.key"


def database(careplan: Any) -> tuple[str, str]:
    """What the doctor finds of it, and the mend."""
    found = next(check for check in careplan("doctor", "--json").json if check["what"] == "database")
    return found["found"], found["mend"]


def synced(careplan: Any, hospital: Any, patient: str) -> Any:
    return careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json")


def test_a_new_key_is_readable_by_its_owner_alone_and_never_written_over(careplan: Any, key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_text()
    result = careplan("store", "key", "new", "--out", "store.key")
    assert result.code == 2
    assert key.read_text() == before
    assert before.strip() not in careplan("store", "key", "new", "--out", "other.key").out


def test_without_a_key_the_doctor_says_that_documents_stand_in_the_clear(careplan: Any) -> None:
    found, mend = database(careplan)
    assert "clinical documents stand in the clear" in found
    assert "careplan store key new" in mend


def test_a_database_in_the_clear_is_sealed_and_goes_on(
    careplan: Any, hospital: Any, patient: str, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert synced(careplan, hospital, patient).json["outcome"] == "written"
    assert b"zip:1:" in bytes_of(key.parent)
    monkeypatch.setenv("CAREPLAN_STORE__KEY_FILE", str(key))
    found, mend = database(careplan)
    assert "sealed in part" in found
    assert mend == "Run `careplan store rekey`."
    result = careplan("store", "rekey", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["documents"] > 5
    assert b"resourceType" not in bytes_of(key.parent)
    assert b"zip:1:" not in bytes_of(key.parent)
    assert f"sealed with the key {result.json['key']}" in database(careplan)[0]
    assert synced(careplan, hospital, patient).json["outcome"] == "unchanged"


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("careplan.db*") if file.is_file())


def test_a_key_is_rotated_and_the_older_one_then_let_go(
    careplan: Any, hospital: Any, patient: str, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLAN_STORE__KEY_FILE", str(key))
    assert synced(careplan, hospital, patient).json["outcome"] == "written"
    assert careplan("store", "key", "new", "--out", "next.key").code == 0
    monkeypatch.setenv("CAREPLAN_STORE__KEY_FILE", "next.key")
    result = careplan("review", "list")
    assert result.code == 2
    assert "is not at hand" in result.said
    monkeypatch.setenv("CAREPLAN_STORE__OLD_KEY_FILES", '["store.key"]')
    assert "careplan store rekey" in database(careplan)[1]
    assert careplan("store", "rekey").code == 0
    monkeypatch.delenv("CAREPLAN_STORE__OLD_KEY_FILES")
    assert synced(careplan, hospital, patient).json["outcome"] == "unchanged"


@pytest.mark.parametrize("content", ["", "not a key\n"])
def test_a_key_file_that_holds_no_key_is_a_clear_error(
    careplan: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "bad.key").write_text(content)
    monkeypatch.setenv("CAREPLAN_STORE__KEY_FILE", "bad.key")
    result = careplan("review", "list")
    assert result.code == 2
    assert "key of the store" in result.said
    assert "not a key" not in result.said


def test_the_key_may_stand_in_a_variable(careplan: Any, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", key.read_text())
    monkeypatch.setenv("CAREPLAN_STORE__KEY_ENV", "THE_KEY")
    assert "sealed with the key" in database(careplan)[0]


def test_rekey_without_a_key_says_how_to_make_one(careplan: Any) -> None:
    result = careplan("store", "rekey")
    assert result.code == 2
    assert "careplan store key new" in result.said


def test_a_database_that_was_lost_is_noticed_and_recovered_in_a_persons_name(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path
) -> None:
    receipt = synced(careplan, hospital, patient).json
    server = Server(hospital.url)
    tags = [
        {"system": EXCHANGE_TAG, "code": receipt["exchange"]},
        {"system": INSTALLATION_TAG, "code": "0b0c0000-0000-4000-8000-000000000000"},
    ]
    for provenance in server.search("Provenance?_count=200"):
        if any("CarePlan/" in target["reference"] for target in provenance["target"]):
            provenance["meta"] = {"tag": tags}
            assert server.put(provenance).status_code == 200
    for file in tmp_path.glob("careplan.db*"):
        if file.is_file():
            file.unlink()
    result = careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    assert result.code == 6
    assert "another installation" in result.said
    where = ("-e", hospital.url, "-p", patient)
    shown = careplan("store", "recover", *where, "--json")
    assert shown.code == 6
    assert {writing["exchange"] for writing in shown.json} == {receipt["exchange"]}
    assert careplan("store", "recover", *where, "--yes", "--by", "Dr Who").code == 0
    assert careplan("store", "recover", *where).code == 0
    assert careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY).code in {0, 6}
