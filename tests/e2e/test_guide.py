"""docs/connect-your-server.md, followed to the letter: every command of the page is run, and every doctor is green.

The test reads the page. It changes three things in what stands there: the address of the reader's own server, the id of
their patient, and the port of the sandbox, which is a free one here.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from careplan_exchange.sandbox import PATIENTS
from tests.support.patients import synthetic
from tests.support.product import Server, environment
from tests.support.servers import announced_url, start_sandbox
from tests.support.shared import ROOT

PAGE = ROOT / "docs/connect-your-server.md"
OWN_SERVER = "http://localhost:8080/fhir"
OUR_SANDBOX = "http://127.0.0.1:8090/fhir"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    kind: str
    text: str


def sections() -> dict[str, list[Block]]:
    """The fenced blocks of the page, by the heading above; those before the first heading under an empty one."""
    first, *rest = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    named = {part.partition("\n")[0]: part for part in rest}
    return {
        name: [Block(*found) for found in _FENCE.findall(part)] for name, part in ({"": first} | named).items()
    }


class Reader:
    """Somebody who types what the page says, in an empty folder with the environment active."""

    def __init__(self, folder: Path, stack: ExitStack, **instead: str) -> None:
        self._folder = folder / "work"
        self._folder.mkdir()
        tools = folder / "bin"
        tools.mkdir()
        for name, start in {"careplan": "-m careplan_exchange", "python": ""}.items():
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n')
            (tools / name).chmod(0o755)
        self._env = environment({"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"})
        self._stack = stack
        self._instead = instead
        (self._before,) = sections()[""]

    def follow(self, blocks: list[Block]) -> int:
        """How many commands were typed."""
        typed = 0
        for block in blocks:
            text = block.text
            for written, true in self._instead.items():
                text = text.replace(written, true)
            if block.kind == "toml":
                (self._folder / "careplan.toml").write_text(text)
            elif text.startswith("careplan sandbox"):
                self._instead[OUR_SANDBOX] = self._stack.enter_context(self._sandbox(text))
                typed += 1
            else:
                typed += self._type(text)
        return typed

    def _type(self, text: str) -> int:
        script = f"set -eu\n{self._before.text}\n{text}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        if "careplan doctor" in text:
            assert re.search(r"^ok ", done.stdout, re.MULTILINE)
            assert not re.search(r"^mend ", done.stdout, re.MULTILINE), done.stdout
        return len(re.findall(r"^careplan ", text, re.MULTILINE))

    @contextmanager
    def _sandbox(self, text: str) -> Iterator[str]:
        """The other terminal."""
        _, _, *options = text.replace('"$PATIENTS"', str(PATIENTS)).replace("8090", "0").split()
        options = [str(self._folder / one) if one.endswith(".json") else one for one in options]
        log = self._folder / "sandbox.log"
        process = start_sandbox(log, *options)
        try:
            yield announced_url(process, log)
        finally:
            process.terminate()
            process.wait()


def test_the_page_has_the_three_ways_a_place_for_the_patients_and_what_comes_before_writing() -> None:
    assert len(sections()) == 5
    assert [block.kind for block in sections()[""]] == ["sh"]
    assert {block.kind for blocks in sections().values() for block in blocks} == {"sh", "toml"}


@pytest.mark.parametrize(
    "server", ["sandbox", pytest.param("hapi_r4", marks=[pytest.mark.hapi, pytest.mark.slow])]
)
def test_a_server_without_a_sign_in(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    own: Any = request.getfixturevalue(server)
    patient = Server(own.url).load(synthetic("02-older-adult-si-units"))
    with ExitStack() as stack:
        reader = Reader(tmp_path, stack, **{OWN_SERVER: own.url, "PATIENT_ID": patient})
        assert reader.follow(section("A server without a sign-in")) == 5


def test_a_server_with_smart_backend_services(tmp_path: Path) -> None:
    with ExitStack() as stack:
        assert Reader(tmp_path, stack).follow(section("A server with SMART Backend Services")) == 9


def test_a_folder_of_bundles(tmp_path: Path) -> None:
    with ExitStack() as stack:
        assert Reader(tmp_path, stack).follow(section("A folder of Bundles")) == 7


def section(heading: str) -> list[Block]:
    (found,) = (blocks for name, blocks in sections().items() if name.startswith(heading))
    return found
