"""`audit`: what was done, and whether the record of it holds, here and in an export."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .conftest import UNKNOWN


@pytest.fixture
def done(careplan: Any, hospital: Any) -> str:
    """One exchange, of a patient who is not there; its id."""
    result = careplan("sync", "-e", hospital.url, "-p", "unknown", "--json")
    assert result.code == 3
    return str(result.json["exchange"])


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
