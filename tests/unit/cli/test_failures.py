"""What a person sees when something fails: one message with its mend on standard error, the exit code, no trace."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import errors
from careplan_exchange.errors import CareplanError, KnowledgeError, PartlyWrittenError, RefusedError
from careplan_exchange.model.issue import Finding, Issue
from tests.support.policies import overlay
from tests.support.product import SYNTHETIC_TODAY, Server, command, environment

NOBODY = "http://127.0.0.1:9/fhir"
FULL = Path("/dev/full")


def kinds(of: type[CareplanError] = CareplanError) -> Iterator[type[CareplanError]]:
    for kind in of.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from kinds(kind)


def an_error(kind: type[CareplanError]) -> CareplanError:
    if issubclass(kind, KnowledgeError):
        return kind([Finding(file="protocols/a.yaml", line=7, message="It has no title.", mend="Give it one.")])
    if issubclass(kind, PartlyWrittenError):
        return kind(RefusedError("This happened.", mend="Do this."), ())
    return kind("This happened.", mend="Do this.")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let `careplan audit list` raise."""

    def fail(error: Exception) -> None:
        def work(_: Any) -> None:
            raise error

        monkeypatch.setattr("careplan_exchange.cli.audit.with_services", work)

    return fail


@pytest.mark.parametrize("kind", tuple(kinds()))
def test_an_error_of_each_kind_is_one_message_with_its_mend(
    careplan: Any, failing: Any, kind: type[CareplanError]
) -> None:
    error = an_error(kind)
    failing(error)
    result = careplan("audit", "list")
    assert (result.code, result.out) == (kind.exit_code, "")
    assert result.said.startswith(f"{kind.title}. {error.detail}")
    assert result.said.endswith(f"Next: {error.mend}")
    assert result.err.count("Next:") == 1
    assert "Traceback" not in result.err


def test_every_finding_of_a_knowledge_error_is_named_with_file_and_line(careplan: Any, failing: Any) -> None:
    found = [Finding(file="mappings/b.yaml", line=n, message=f"Wrong {n}.", mend=f"Mend {n}.") for n in (3, 8)]
    failing(KnowledgeError(found))
    said = careplan("audit", "list").said
    assert "mappings/b.yaml:3: Wrong 3. mend: Mend 3." in said
    assert "mappings/b.yaml:8: Wrong 8. mend: Mend 8." in said


def test_what_a_server_said_of_an_error_is_shown_as_it_is_without_commands_for_the_terminal(
    careplan: Any, failing: Any
) -> None:
    text = "[bold]no[/] markup[/nope] \x1b[31m red \x1b]0;title\x07 \x9b31m end"
    said = Issue(severity="error", code="invalid", key="x", detail=text, source="Goal/1")
    failing(errors.RefusedError("It said so.", mend="Mend.", issues=[said]))
    err = careplan("audit", "list").err
    assert "[bold]no[/] markup[/nope]" in err
    assert "end (Goal/1)" in err
    assert not set(err) & set("\x1b\x07\x9b")


def test_a_text_that_somebody_put_into_a_plan_cannot_command_the_terminal(
    careplan: Any, hospital: Any, patient: str
) -> None:
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    assert careplan("sync", *of_patient, "--approve").code == 0
    server = Server(hospital.url)
    (plan,) = server.authored("CarePlan", patient)
    assert server.put({**plan, "title": "Mine \x1b[2J [/nope]"}).status_code == 200
    (reading,) = (
        one
        for one in server.search(f"Observation?patient=Patient/{patient}")
        if one["code"]["coding"][0]["code"] == "62238-1"
    )
    reading["valueQuantity"]["value"] = 25
    assert server.put(reading).status_code == 200
    receipt = careplan("sync", *of_patient, "--json")
    assert receipt.code == 6
    shown = careplan("review", "show", receipt.json["exchange"])
    assert "Mine " in shown.out
    assert "[/nope]" in shown.out
    assert "\x1b" not in shown.out


def test_a_fault_of_the_program_says_its_class_and_not_its_text(careplan: Any, failing: Any) -> None:
    failing(LookupError("Hildegard"))
    result = careplan("audit", "list")
    assert (result.code, result.out) == (1, "")
    assert "LookupError" in result.err
    assert "Next: set CAREPLAN_LOG_LEVEL=DEBUG" in result.said
    assert "Hildegard" not in result.err
    assert "Traceback" not in result.err


def test_a_fault_of_the_program_shows_where_to_who_asks_for_it(
    careplan: Any, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLAN_LOG_LEVEL", "debug")
    failing(LookupError("here"))
    result = careplan("audit", "list")
    assert (result.code, result.out) == (1, "")
    assert "Traceback" in result.err


def test_a_sync_that_fails_gives_its_receipt_as_json_and_its_message_beside_it(
    careplan: Any, tmp_path: Path
) -> None:
    (tmp_path / "careplan.toml").write_text(f'[endpoints.main]\nurl = "{NOBODY}"\nattempts = 1\n')
    result = careplan("sync", "-e", "main", "-p", "1", "--json")
    assert result.code == 5
    receipt = result.json
    assert (receipt["outcome"], receipt["resources"]) == ("failed", [])
    issue = receipt["issues"][0]
    assert (issue["severity"], issue["key"]) == ("error", "unavailable.endpoint")
    assert f"{issue['detail']} Next: {issue['mend']}" in result.said
    (exchange,) = careplan("audit", "list", "--json").json
    assert (exchange["exchange"], exchange["outcome"]) == (receipt["exchange"], "failed")


@pytest.mark.parametrize(
    ("settings", "code", "key"),
    [
        ('[store]\nurl = "sqlite:///no/folder/careplan.db"', 2, "configuration"),
        ("[stoer]", 2, "configuration.settings"),
        ('[endpoints.mian]\nurl = "https://fhir.example.org"', 2, "configuration.settings"),
        ('[knowledge]\noverlay = "nowhere"', 2, "configuration.settings"),
    ],
    ids=["no database", "a misspelt setting", "an unknown endpoint", "no overlay"],
)
def test_a_sync_that_cannot_begin_gives_a_receipt_as_well(
    careplan: Any, tmp_path: Path, settings: str, code: int, key: str
) -> None:
    (tmp_path / "careplan.toml").write_text(settings)
    result = careplan("sync", "-e", "main", "-p", "1", "--json")
    assert result.code == code
    assert (result.json["outcome"], result.json["issues"][0]["key"]) == ("failed", key)
    assert "Next: " in result.err


def test_a_sync_that_fails_prints_nothing_to_standard_output_otherwise(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "careplan.toml").write_text(f'[endpoints.main]\nurl = "{NOBODY}"\nattempts = 1\n')
    result = careplan("sync", "-e", "main", "-p", "1")
    assert (result.code, result.out) == (5, "")


def test_a_change_that_waits_ends_with_six_and_says_where_to_look(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", str(overlay(tmp_path)))
    result = careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    assert result.code == 6
    assert result.out.startswith("review  exchange ")
    assert "Next: careplan review show " in result.out
    assert Server(hospital.url).authored("CarePlan", patient) == []


def test_results_go_to_standard_output_and_logs_to_standard_error(
    careplan: Any, hospital: Any, patient: str
) -> None:
    result = careplan(
        "--log-level", "debug", "sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json"
    )
    assert result.code == 0
    assert result.json["outcome"] == "written"
    events = [json.loads(line)["event"] for line in result.err.splitlines()]
    assert "exchange.finished" in events
    assert "fhir.request" in events


def test_a_today_that_is_no_date_is_a_matter_of_usage(careplan: Any, hospital: Any, patient: str) -> None:
    result = careplan("plan", "-e", hospital.url, "-p", patient, "--today", "24.11.2026")
    assert (result.code, result.out) == (2, "")
    assert "YYYY-MM-DD" in result.said


def piped(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Any:
    """Run it into a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            command(*arguments),
            cwd=folder,
            env=environment(env),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize("arguments", [("audit", "list"), ("audit", "list", "--json"), ("audit", "export")])
def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = piped(tmp_path, *arguments)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_reader_that_has_gone_does_not_change_what_a_sync_came_to(
    tmp_path: Path, hospital: Any, patient: str
) -> None:
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    result = piped(tmp_path, "sync", *of_patient, env={"CAREPLAN_KNOWLEDGE__OVERLAY": str(overlay(tmp_path))})
    assert (result.returncode, result.stderr) == (6, "")


full_disk = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full, which is always full")
"""Output is kept back until the end, or not: the disk is met at another place."""
buffering = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


def into_a_full_disk(folder: Path, *arguments: str, to: str, unbuffered: str) -> Any:
    with FULL.open("wb") as sink:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {to: sink}
        env = environment({"PYTHONUNBUFFERED": unbuffered})
        return subprocess.run(command(*arguments), cwd=folder, env=env, text=True, check=False, **streams)


@full_disk
def test_a_file_on_a_disk_that_is_full_is_named_with_the_reason(careplan: Any) -> None:
    result = careplan("audit", "export", "--out", str(FULL))
    assert (result.code, result.out) == (2, "")
    assert "No space left" in result.said
    assert "make room" in result.said


@full_disk
@buffering
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "JSON"])
def test_output_for_which_there_is_no_room_is_named_with_the_reason(
    tmp_path: Path, form: tuple[str, ...], unbuffered: str
) -> None:
    result = into_a_full_disk(tmp_path, "audit", "verify", *form, to="stdout", unbuffered=unbuffered)
    assert result.returncode == 2
    assert "Standard output cannot be written" in result.stderr
    assert "Exception ignored" not in result.stderr


@full_disk
def test_help_for_which_there_is_no_room_is_named_with_the_reason(tmp_path: Path) -> None:
    result = into_a_full_disk(tmp_path, "--help", to="stdout", unbuffered="")
    assert result.returncode == 2
    assert "Standard output cannot be written" in result.stderr


@full_disk
@buffering
def test_an_error_for_which_there_is_no_room_keeps_its_exit_code(tmp_path: Path, unbuffered: str) -> None:
    result = into_a_full_disk(tmp_path, "plan", "-e", NOBODY, "-p", "1", to="stderr", unbuffered=unbuffered)
    assert (result.returncode, result.stdout) == (5, "")


@full_disk
@buffering
def test_a_log_for_which_there_is_no_room_does_not_change_what_a_sync_came_to(
    tmp_path: Path, hospital: Any, patient: str, unbuffered: str
) -> None:
    synced = (
        "--log-level",
        "debug",
        "sync",
        "-e",
        hospital.url,
        "-p",
        patient,
        "--today",
        SYNTHETIC_TODAY,
        "--json",
    )
    result = into_a_full_disk(tmp_path, *synced, to="stderr", unbuffered=unbuffered)
    assert (result.returncode, json.loads(result.stdout)["outcome"]) == (0, "written")
