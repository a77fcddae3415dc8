"""`audit sign|key|retain|roles`, and `audit verify` with public keys."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.cli import show
from tests.support.product import Server


@pytest.fixture
def key(careplan: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The installation has a signing key; the file of its public key."""
    made = careplan("audit", "key", "new", "--out", "key.pem")
    assert made.code == 0
    Path("key.pub").write_text(made.out)
    monkeypatch.setenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE", "key.pem")
    return "key.pub"


@pytest.fixture
def synced(careplan: Any, hospital: Any) -> Callable[[], None]:
    def synced() -> None:
        assert careplan("sync", "-e", hospital.url, "-p", "unknown", "--json").code == 3

    return synced


def rows(statement: str) -> list[Any]:
    with closing(sqlite3.connect("careplan.db")) as database:
        found = database.execute(statement).fetchall()
        database.commit()
        return found


# --- keys


def test_a_new_key_is_readable_by_its_owner_alone_and_its_public_part_is_printed(careplan: Any) -> None:
    made = careplan("audit", "key", "new", "--out", "key.pem")
    assert made.code == 0
    assert made.out.startswith("-----BEGIN PUBLIC KEY-----")
    assert "PRIVATE" not in made.out + made.err
    assert Path("key.pem").stat().st_mode & 0o777 == 0o600
    assert careplan("audit", "key", "show", "key.pem").out == made.out
    again = careplan("audit", "key", "new", "--out", "key.pem")
    assert (again.code, again.out) == (2, "")
    assert "is there already" in again.said


def test_a_key_that_is_missing_or_is_none_is_a_matter_of_settings(
    careplan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "audit key new" in careplan("audit", "sign").said
    monkeypatch.setenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE", "absent.pem")
    assert careplan("audit", "sign").code == 2
    Path("absent.pem").write_text("no key")
    refused = careplan("audit", "sign")
    assert (refused.code, refused.out) == (2, "")
    assert "no key" not in refused.said


def test_a_key_may_come_from_the_environment(careplan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    careplan("audit", "key", "new", "--out", "key.pem")
    monkeypatch.setenv("LEDGER_KEY", Path("key.pem").read_text())
    monkeypatch.setenv("CAREPLAN_LEDGER__SIGNING_KEY_ENV", "LEDGER_KEY")
    assert careplan("audit", "sign").code == 0


def test_the_doctor_says_whether_heads_are_signed(careplan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> dict[str, Any]:
        checks = careplan("doctor", "--json").json
        return next(one for one in checks if one["what"] == "ledger, signing")

    assert (check()["ok"], "unsigned" in check()["found"]) == (True, True)
    careplan("audit", "key", "new", "--out", "key.pem")
    monkeypatch.setenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE", "key.pem")
    assert "every 1000 entries or 60 minutes" in check()["found"]
    monkeypatch.setenv("CAREPLAN_LEDGER__PUBLIC_KEYS", '["absent.pub"]')
    assert check()["ok"] is False


# --- signed heads


def test_what_is_signed_is_printed_to_be_kept_and_is_what_verify_finds(
    careplan: Any, key: str, synced: Callable[[], None]
) -> None:
    synced()
    signed = careplan("audit", "sign")
    assert signed.code == 0
    kept = signed.out.split()[0]
    verdict = careplan("audit", "verify", "--public-key", key, "--kept", kept, "--json").json
    assert kept == f"{verdict['signed']}:{verdict['head']}"
    assert "Signed up to entry" in careplan("audit", "verify").out
    assert careplan("audit", "sign", "--json").json["statement"]["seq"] == verdict["signed"]


def test_the_head_is_signed_as_the_ledger_grows(careplan: Any, key: str, synced: Callable[[], None]) -> None:
    synced()
    assert careplan("audit", "verify", "--public-key", key).code == 0
    assert careplan("audit", "verify", "--json").json["signed"] > 0


def test_without_a_key_the_ledger_works_and_verify_says_that_nothing_was_signed(
    careplan: Any, synced: Callable[[], None]
) -> None:
    synced()
    result = careplan("audit", "verify")
    assert (result.code, "No signature was checked." in result.out) == (0, True)
    careplan("audit", "key", "new", "--out", "key.pem")
    Path("key.pub").write_text(careplan("audit", "key", "show", "key.pem").out)
    strict = careplan("audit", "verify", "--public-key", "key.pub")
    assert strict.code == 6
    assert "No head of this ledger is signed" in strict.out


def test_where_a_key_signs_a_ledger_whose_signatures_are_gone_does_not_hold(
    careplan: Any, key: str, synced: Callable[[], None]
) -> None:
    synced()
    assert careplan("audit", "verify").code == 0
    rows("DROP TRIGGER careplan_ledger_seal_no_delete")
    rows("DELETE FROM careplan_ledger_seal")
    assert careplan("audit", "verify").code == 6
    assert careplan("audit", "sign").code == 0
    assert careplan("audit", "verify").code == 0, "from then on somebody vouches for it again"


def test_what_is_not_signed_yet_is_counted(careplan: Any, key: str, synced: Callable[[], None]) -> None:
    synced()
    synced()
    verdict = careplan("audit", "verify", "--json").json
    left = verdict["entries"] - verdict["signed"]
    assert left > 0
    assert f"The {left} after it are not signed yet." in careplan("audit", "verify").out


def test_a_head_signed_by_another_key_is_found(careplan: Any, key: str, synced: Callable[[], None]) -> None:
    synced()
    Path("other.pub").write_text(careplan("audit", "key", "new", "--out", "other.pem").out)
    result = careplan("audit", "verify", "--public-key", "other.pub")
    assert result.code == 6
    assert "signed by a key that is not known here" in result.out
    assert careplan("audit", "verify", "--public-key", "other.pub", "--public-key", key).code == 0


def test_a_key_can_be_retired_at_an_entry(
    careplan: Any, key: str, synced: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced()
    last = careplan("audit", "sign", "--json").json["statement"]["seq"]
    Path("next.pub").write_text(careplan("audit", "key", "new", "--out", "next.pem").out)
    monkeypatch.setenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE", "next.pem")
    assert careplan("audit", "verify").code == 6, "the old key is not believed unless it is named"
    monkeypatch.setenv("CAREPLAN_LEDGER__PUBLIC_KEYS", json.dumps([f"{key}@{last}"]))
    synced()
    assert careplan("audit", "sign").code == 0
    assert careplan("audit", "verify").code == 0
    both = ("--public-key", "next.pub", "--public-key")
    assert careplan("audit", "verify", *both, f"{key}@{last}").code == 0
    assert careplan("audit", "verify", *both, f"{key}@{last - 1}").code == 6


def test_a_check_goes_on_from_the_newest_signed_head(careplan: Any, key: str, synced: Callable[[], None]) -> None:
    synced()
    head = careplan("audit", "sign").out.split()[0]
    synced()
    for since in ("signed", head):
        verdict = careplan("audit", "verify", "--since", since, "--json").json
        assert verdict["since"] == int(head.split(":")[0])
        assert verdict["entries"] > verdict["since"]
        assert "Only what comes after entry" in careplan("audit", "verify", "--since", since).out
    assert careplan("audit", "verify", "--since", f"1:{'0' * 64}").code == 6
    assert careplan("audit", "verify", "--since", "x").code == 2
    early = careplan("audit", "verify", "--since", head, "--kept", f"1:{'0' * 64}")
    assert (early.code, early.out) == (2, "")
    careplan("audit", "export", "--out", "ledger.ndjson")
    assert careplan("audit", "verify", "--since", "signed", "--file", "ledger.ndjson").code == 2


def test_without_a_signed_head_there_is_nothing_to_go_on_from(careplan: Any, synced: Callable[[], None]) -> None:
    synced()
    assert careplan("audit", "verify", "--since", "signed").code == 2


def test_an_exported_file_is_verified_elsewhere_with_the_public_key_alone(
    careplan: Any, key: str, synced: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced()
    careplan("audit", "sign")
    careplan("audit", "export", "--out", "ledger.ndjson")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("ledger.ndjson", key):
        (elsewhere / name).write_bytes(Path(name).read_bytes())
    monkeypatch.delenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE")
    monkeypatch.chdir(elsewhere)
    command = ("audit", "verify", "--file", "ledger.ndjson", "--public-key", key)
    assert careplan(*command).code == 0
    assert not Path("careplan.db").exists(), "it opens no database"
    lines = Path("ledger.ndjson").read_text().splitlines(keepends=True)
    Path("ledger.ndjson").write_text("".join(lines).replace("exchange.failed", "exchange.finished"))
    assert careplan(*command).code == 6
    assert careplan("audit", "verify", "--file", "absent.ndjson").code == 2


# --- damage


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM careplan_ledger_head", "The ledger has lost its head"),
        ("UPDATE careplan_ledger_head SET seq = 1", "The ledger goes on past its head"),
    ],
)
def test_what_cannot_be_recorded_is_not_written(
    careplan: Any, hospital: Any, patient: str, statement: str, says: str
) -> None:
    assert careplan("sync", "-e", hospital.url, "-p", "unknown").code == 3
    for trigger in ("head_no_delete", "head_forward"):
        rows(f"DROP TRIGGER careplan_ledger_{trigger}")
    rows(statement)
    result = careplan("sync", "-e", hospital.url, "-p", patient)
    assert result.code == 2
    assert says in result.said
    assert "careplan audit verify" in result.said
    assert Server(hospital.url).authored("CarePlan", patient) == []
    assert careplan("audit", "verify").code == 6


# --- retention


@pytest.fixture
def aged(careplan: Any, key: str, synced: Callable[[], None]) -> int:
    """A ledger with entries of 2001 and a signed head; how many they are."""
    with pytest.MonkeyPatch.context() as then:
        then.setattr("careplan_exchange.bootstrap.SystemClock.now", lambda _: datetime(2001, 1, 1, tzinfo=UTC))
        synced()
        return int(careplan("audit", "sign", "--json").json["statement"]["seq"])


def test_a_retention_says_what_would_go_and_removes_nothing_by_itself(careplan: Any, aged: int) -> None:
    result = careplan("audit", "retain", "--older-than", "10y")
    assert result.code == 0
    assert f"Would remove {aged} entries (1 to {aged})" in result.out
    assert careplan("audit", "retain", "--older-than", "10y", "--json").json["entries"] == aged
    assert rows("SELECT count(*) FROM careplan_ledger") == [(aged,)]


def test_a_retention_that_is_confirmed_leaves_a_signed_tombstone(
    careplan: Any, aged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = careplan("audit", "retain", "--older-than", "10y", "--yes", "--by", "An Auditor")
    assert (result.code, result.err) == (0, "")
    assert f"Removed {aged} entries" in result.out
    assert rows("SELECT count(*) FROM careplan_ledger") == [(0,)]
    ((document,),) = rows("SELECT document FROM careplan_ledger_seal WHERE kind = 'tombstone'")
    said = json.loads(document)["statement"]
    assert (said["by"], said["first"], said["seq"], said["policy"]) == ("An Auditor", 1, aged, "older than 10y")
    verified = careplan("audit", "verify")
    assert verified.code == 0
    assert f"Entries 1 to {aged} were removed under a signed tombstone." in verified.out
    assert "Nothing is old enough" in careplan("audit", "retain", "--older-than", "10y").out
    assert careplan("doctor", "--json").code == 0
    monkeypatch.delenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE")
    assert careplan("audit", "verify").code == 6, "a tombstone is not believed without a key"


def test_a_person_is_asked_and_may_say_no(careplan: Any, aged: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "asks", lambda: True)
    for answer, left in ((False, aged), (True, 0)):

        def confirm(text: str, answer: bool = answer, **_: Any) -> None:
            import typer

            assert "cannot be brought back" in text
            if not answer:
                raise typer.Abort

        monkeypatch.setattr("typer.confirm", confirm)
        careplan("audit", "retain", "--older-than", "10y", "--by", "x")
        assert rows("SELECT count(*) FROM careplan_ledger") == [(left,)]


@pytest.mark.parametrize("age", ["soon", "10", "0y"])
def test_what_is_no_age_is_refused(careplan: Any, key: str, age: str) -> None:
    result = careplan("audit", "retain", "--older-than", age)
    assert (result.code, result.out) == (2, "")


def test_nothing_is_removed_without_a_key(careplan: Any, synced: Callable[[], None]) -> None:
    synced()
    result = careplan("audit", "retain", "--older-than", "1d", "--yes")
    assert (result.code, "audit key new" in result.said) == (2, True)


# --- roles and tenants


def test_the_roles_of_postgresql_are_printed_as_sql(careplan: Any) -> None:
    sql = careplan("audit", "roles", "--application", "careplan_app").out
    assert "GRANT SELECT, INSERT ON public.careplan_ledger TO careplan_app;" in sql
    assert "UPDATE, DELETE ON public.careplan_ledger TO" not in sql
    assert careplan("audit", "roles", "--application", "x; DROP").code == 2


def test_a_tenant_has_a_chain_of_its_own(
    careplan: Any, synced: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced()
    monkeypatch.setenv("CAREPLAN_LEDGER__TENANT", "north")
    assert careplan("audit", "verify", "--json").json["entries"] == 0
    synced()
    assert rows("SELECT DISTINCT tenant FROM careplan_ledger ORDER BY 1") == [("default",), ("north",)]
    assert careplan("audit", "verify").code == 0
    monkeypatch.setenv("CAREPLAN_LEDGER__TENANT", "North Hospital")
    assert careplan("audit", "verify").code == 2
