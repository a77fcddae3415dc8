"""What holds for every command, by a walk over the commands that there are."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from careplan_exchange.cli.app import app
from careplan_exchange.model.codec import encode
from careplan_exchange.sandbox import Fault
from tests.support.patients import synthetic
from tests.support.policies import overlay
from tests.support.product import SYNTHETIC_TODAY, Server, environment

ROOT = typer.main.get_command(app)
HEAVY = {
    "httpx",
    "fastapi",
    "sqlalchemy",
    "fhir",
    "pydantic",
    "pydantic_settings",
    "fhirpathpy",
    "jinja2",
    "alembic",
}
PRINTS_NO_FACTS = {
    "sandbox": "runs until it is stopped",
    "serve": "runs until it is stopped",
    "init": "writes a file",
    "demo": "is for reading",
    "review reject": "says only that it did",
    "review assign": "says only that it did",
    "audit export": "is NDJSON by itself",
    "audit roles": "is SQL by itself",
    "audit key new": "writes a file, and prints a key by itself",
    "audit key show": "is a key by itself",
    "keys new": "writes a file",
    "deadletter drop": "says only that it did",
    "store key new": "writes a file",
    "knowledge export": "writes files",
    "knowledge describe": "is a page by itself",
    "keys jwks": "is JSON by itself",
    "protocol new": "writes files",
    "protocol docs": "is a page by itself",
}


def walk(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, member in getattr(command, "commands", {}).items():
        yield from walk(member, (*path, name))


EVERY = dict(walk())
GROUPS = [path for path, command in EVERY.items() if hasattr(command, "commands")]
LEAVES = [path for path in EVERY if path not in GROUPS]


def name_of(path: tuple[str, ...]) -> str:
    return " ".join(path) or "careplan"


def takes_json(path: tuple[str, ...]) -> bool:
    return any("--json" in parameter.opts for parameter in EVERY[path].params)


def test_the_walk_finds_the_commands_of_every_depth() -> None:
    assert {("plan",), ("sync",), ("audit", "export"), ("knowledge", "check")} <= set(LEAVES)
    assert {(), ("audit",), ("review",)} <= set(GROUPS)


@pytest.mark.parametrize("path", EVERY, ids=name_of)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_a_help_with_an_example(careplan: Any, path: tuple[str, ...], option: str) -> None:
    result = careplan(*path, option)
    assert (result.code, result.err) == (0, "")
    shown = " ".join(result.out.split())
    assert f"Usage: careplan {' '.join(path)}".strip() in shown
    assert "Example: " in shown
    assert "careplan" in shown.split("Example: ")[1]


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_every_example_is_a_command_line_that_is_understood(path: tuple[str, ...]) -> None:
    example = re.split(r" (?:>>?|\|) ", EVERY[path].epilog.removeprefix("Example: "))[0]
    words = [word for word in shlex.split(example) if not word.startswith("CAREPLAN_")]
    assert words.pop(0) == "careplan"
    assert tuple(words[: len(path)]) == path, "the example is of another command"
    command = ROOT
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    with command.make_context("example", words):
        """It raises where an option is unknown, a value does not fit or an argument is missing."""


@pytest.mark.parametrize("path", EVERY, ids=name_of)
def test_an_unknown_option_is_a_matter_of_usage(careplan: Any, path: tuple[str, ...]) -> None:
    result = careplan(*path, "--no-such-option")
    assert (result.code, result.out) == (2, "")
    assert f"Usage: careplan {' '.join(path)}".strip() in result.said
    assert "--no-such-option" in result.said


@pytest.mark.parametrize("path", GROUPS, ids=name_of)
def test_an_unknown_command_is_a_matter_of_usage(careplan: Any, path: tuple[str, ...]) -> None:
    result = careplan(*path, "no-such-command")
    assert (result.code, result.out) == (2, "")
    assert "Usage: careplan" in result.said
    assert "no-such-command" in result.said


@pytest.mark.parametrize("path", GROUPS, ids=name_of)
def test_a_group_alone_shows_what_it_has(careplan: Any, path: tuple[str, ...]) -> None:
    result = careplan(*path)
    assert result.code == 2
    for member in EVERY[path].commands:
        assert member in result.out + result.err


def test_a_missing_option_is_named(careplan: Any) -> None:
    result = careplan("plan", "--endpoint", "hospital")
    assert (result.code, result.out) == (2, "")
    assert "--patient" in result.said


def test_the_version_is_that_of_the_package(careplan: Any) -> None:
    from importlib.metadata import version

    result = careplan("--version")
    assert (result.code, result.out) == (0, f"careplan-exchange {version('careplan-exchange')}\n")


def test_every_command_that_prints_facts_takes_json() -> None:
    without = {" ".join(path) for path in LEAVES if not takes_json(path)}
    assert without == set(PRINTS_NO_FACTS)


def test_what_is_printed_as_json_is_one_document_and_nothing_else(
    careplan: Any, hospital: Any, patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", str(overlay(tmp_path)))
    of_patient = ("-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY)
    asked: set[tuple[str, ...]] = set()

    def facts(*path: str, arguments: tuple[str, ...] = (), code: int = 0) -> Any:
        asked.add(path)
        result = careplan(*path, *arguments, "--json")
        assert (result.code, result.err) == (code, "")
        return result.json

    assert facts("map", arguments=of_patient)["facts"]
    assert facts("coverage", arguments=of_patient)["patients"] == 1
    assert facts("plan", arguments=of_patient)["goals"]
    assert facts("explain", arguments=of_patient)["items"]
    receipt = facts("sync", arguments=of_patient, code=6)
    assert receipt["outcome"] == "review"
    review = receipt["exchange"]
    assert [one["id"] for one in facts("review", "list")] == [review]
    assert facts("review", "show", arguments=(review,))["id"] == review
    approved = facts("review", "approve", arguments=(review,))
    assert approved["outcome"] == "written"
    other = Server(hospital.url).load(synthetic("01-adult-pregnancy-unknown"))
    second = facts("sync", arguments=("-e", hospital.url, "-p", other, "--today", SYNTHETIC_TODAY), code=6)[
        "review"
    ]
    changes = facts("review", "show", arguments=(second,))["changeSet"]["changes"]
    goal = next(one["identity"] for one in changes if one["type"] == "Goal")
    left_out = (second, "--without", f"Goal/~{goal[:8]}", "--reason", "Not wanted")
    assert facts("review", "modify", arguments=left_out)["state"] == "approved"
    assert [one["outcome"] for one in facts("audit", "list")] == ["review", "written"] * 2
    assert {link["entry"]["exchange"] for link in facts("audit", "show", arguments=(review,))} == {review}
    assert facts("audit", "verify")["problem"] is None
    assert facts("history", arguments=("-e", hospital.url, "-p", patient))["happenings"]
    monkeypatch.setenv("CAREPLAN_AUDIT__EVENTS", "repository")
    monkeypatch.setenv("CAREPLAN_AUDIT__REPOSITORY", hospital.url)
    assert facts("audit", "send")["depth"]["waiting"] == 0
    assert all(check["ok"] for check in facts("doctor"))
    assert facts("knowledge", "check") == []
    hospital.arm(Fault(kind="status", status=403, times=99))
    letter = careplan("sync", *of_patient, "--json").json["exchange"]
    hospital.calm()
    assert [one["id"] for one in facts("deadletter", "list")] == [letter]
    assert facts("deadletter", "show", arguments=(letter,))["error"] == "refused.authentication"
    assert facts("deadletter", "replay", arguments=(letter,))["outcome"] == "unchanged"
    assert facts("store", "recover", arguments=of_patient[:4]) == []
    careplan("store", "key", "new", "--out", "store.key")
    monkeypatch.setenv("CAREPLAN_STORE__KEY_FILE", "store.key")
    assert facts("store", "rekey")["documents"]
    monkeypatch.delenv("CAREPLAN_KNOWLEDGE__OVERLAY")  # its policy holds new plans, which a drill counts as lost
    assert facts("drill", arguments=("--runs", "1", "--modes", "concurrent-creates", "--seed", "1"))["total"] == 0
    careplan("audit", "key", "new", "--out", "ledger.pem")
    monkeypatch.setenv("CAREPLAN_LEDGER__SIGNING_KEY_FILE", "ledger.pem")
    assert facts("audit", "sign")
    assert facts("audit", "retain", arguments=("--older-than", "10y"))
    taken_back = ("--exchange", approved["exchange"], "--reason", "The wrong visit")
    assert facts("revert", arguments=taken_back)["outcome"] == "written"
    careplan("protocol", "new", "gout", "--trigger", "gout", "--overlay", "site")
    Path("patients").mkdir()
    bundle = synthetic("02-older-adult-si-units")
    for number, entry in enumerate(bundle["entry"]):
        entry["resource"]["id"] = f"r{number}"
    Path("patients/1.json").write_bytes(encode({**bundle, "type": "collection"}))
    of_protocol = ("gout", "--overlay", "site")
    of_folder = ("--folder", "patients", "--today", SYNTHETIC_TODAY)
    assert facts("protocol", "lint", arguments=of_protocol) == []
    assert [one["wrong"] for one in facts("protocol", "test", arguments=of_protocol)] == [[], []]
    assert facts("protocol", "preview", arguments=(*of_protocol, *of_folder))["reach"]
    assert facts("protocol", "diff", arguments=("gout", *of_protocol, *of_folder))["changed"] == []
    assert asked == {path for path in LEAVES if takes_json(path)}, "a command that was not asked"


def loaded_by_help(folder: Path, paths: list[tuple[str, ...]]) -> set[str]:
    """The packages that a fresh process has loaded once it has shown the help of these commands."""
    script = """
import json, sys
from careplan_exchange.__main__ import main
for path in json.loads(sys.argv[1]):
    sys.argv = ["careplan", *path, "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0
sys.stderr.write(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    result = subprocess.run(
        [sys.executable, "-c", script, json.dumps(paths)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.count("Usage: ") == len(paths)
    return set(json.loads(result.stderr))


def test_the_help_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by_help(tmp_path, [()])
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_the_help_of_a_command_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by_help(tmp_path, list(EVERY))
    assert loaded & HEAVY <= {"pydantic"}, "only what typer itself loads to read a command's arguments"
