"""From a fact that `careplan map` shows to the very version it came from, by a click or by a copied address."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, command, environment
from tests.support.servers import SandboxServer

LINK = re.compile(r"\x1b\]8;[^;]*;(?P<target>[^\x1b]+)\x1b\\(?P<shown>.*?)\x1b\]8;;\x1b\\")
"""A hyperlink of a terminal (OSC 8)."""


@pytest.fixture
def arguments(sandbox: SandboxServer) -> tuple[str, ...]:
    patient = Server(sandbox.url).load(synthetic("02-older-adult-si-units"))
    return ("map", "-e", sandbox.url, "-p", patient, "--today", SYNTHETIC_TODAY)


def facts(folder: Path, arguments: tuple[str, ...]) -> list[dict[str, Any]]:
    done = careplan(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["facts"]
    return found


def read(address: str) -> dict[str, Any]:
    answer = httpx.get(address, timeout=10)
    assert answer.status_code == 200, address
    found: dict[str, Any] = answer.json()
    return found


def test_each_printed_address_gives_the_resource_in_the_version_of_the_fact(
    sandbox: SandboxServer, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    shown = careplan(tmp_path, *arguments).stdout
    printed = set(re.findall(r"http://\S+", shown))
    for fact in facts(tmp_path, arguments):
        for evidence in (fact["evidence"], *fact["inputs"][:5]):
            address = f"{sandbox.url}/{evidence['reference']}/_history/{evidence['versionId']}"
            assert address in printed
            resource = read(address)
            assert f"{resource['resourceType']}/{resource['id']}" == evidence["reference"]
            assert resource["meta"]["versionId"] == evidence["versionId"]


def test_an_address_still_leads_to_what_was_read_after_the_resource_was_changed(
    sandbox: SandboxServer, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (fact,) = (one for one in facts(tmp_path, arguments) if one["concept"] == "potassium")
    evidence = fact["evidence"]
    copied = f"{sandbox.url}/{evidence['reference']}/_history/{evidence['versionId']}"
    before = read(copied)
    changed = {**before, "valueQuantity": {**before["valueQuantity"], "value": 5.9}}
    assert Server(sandbox.url).put(changed, version=evidence["versionId"]).status_code == 200
    assert read(copied)["valueQuantity"] == before["valueQuantity"]
    (now,) = (one for one in facts(tmp_path, arguments) if one["concept"] == "potassium")
    assert now["value"] == 5.9
    assert now["evidence"]["versionId"] != evidence["versionId"]


def test_on_a_terminal_each_address_is_a_link_to_itself(arguments: tuple[str, ...], tmp_path: Path) -> None:
    links = LINK.findall(on_a_terminal(tmp_path, arguments))
    assert links
    assert all(target == re.sub(r"\x1b\[[0-9;]*m", "", shown) for target, shown in links)
    assert {target for target, _ in links} >= {
        f"{arguments[2]}/{fact['evidence']['reference']}/_history/{fact['evidence']['versionId']}"
        for fact in facts(tmp_path, arguments)
    }


def on_a_terminal(folder: Path, arguments: tuple[str, ...]) -> str:
    """What the command writes where it believes a person to watch."""
    ours, theirs = pty.openpty()
    env = environment({"TERM": "xterm-256color", "NO_COLOR": ""})
    process = subprocess.Popen(
        command(*arguments), cwd=folder, env=env, stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    pieces = []
    try:
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return b"".join(pieces).decode()
