"""Servers that are killed by SIGKILL and started again on what they stored, by a script as a user would have it.

Each context starts one and gives what a drill needs: where it is, and the script. What the script starts has no
parent any more, so it is ended here by the process id that it left.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.postgres import PostgresServer, prepared, settings_of, wait_until_ready
from tests.support.servers import LOGS, free_port, require_hapi
from tests.support.shared import ROOT

_SECONDS = 600

_KILL = """#!/bin/sh
# Kills what runs, with all that it has started, waits until it is gone, and starts it anew.
cd {state} || exit 1
alive() {{
  for one in "$@"; do
    [ -d "/proc/$one" ] && ! grep -q "^State:.*Z" "/proc/$one/status" && return 0
  done
  return 1
}}
if [ -f pid ]; then
  pid=$(cat pid)
  kill -STOP "$pid"
  all="$(cat "/proc/$pid/task/$pid/children") $pid"
  kill -KILL $all
  while alive $all; do sleep 0.05; done
  echo "$pid" >>killed
fi
"""


@dataclass(frozen=True)
class Restartable:
    """`url` is the server's; `script` kills it and starts it again."""

    url: str
    script: Path
    state: Path

    @property
    def kills(self) -> int:
        """How often it was killed so far."""
        killed = self.state / "killed"
        return len(killed.read_text().split()) if killed.exists() else 0

    def run(self) -> None:
        """As the drill runs it; the first time it only starts."""
        said = self.state / "script.log"
        with said.open("wb") as sink:
            done = subprocess.run(
                [self.script], stdout=sink, stderr=sink, timeout=_SECONDS, start_new_session=True, check=False
            )
        if done.returncode != 0:
            pytest.fail(f"the server did not start: {said.read_text()[-1000:]}", pytrace=False)


@contextmanager
def restartable_sandbox() -> Iterator[Restartable]:
    """Our sandbox on a file of its own."""
    port = free_port()
    command = f"{sys.executable} -m careplan_exchange sandbox --port {port} --database sandbox.db"
    with _started(f"env PYTHONPATH={ROOT / 'service'} {command}") as (state, script):
        server = Restartable(f"http://127.0.0.1:{port}/fhir", script, state)
        server.run()
        _wait_for(server.url)
        yield server


@contextmanager
def restartable_hapi() -> Iterator[Restartable]:
    """HAPI on an H2 file. H2 stores half a second after it has said so, unless it is told not to."""
    start = require_hapi()
    port = free_port()
    command = f'{start} --db "$PWD/h2;WRITE_DELAY=0" --state "$PWD" --port {port}'
    # `start` gives up after 90 seconds; on a busy machine the server comes up all the same.
    with _started(f'{command} || kill -0 "$(cat pid)"', own_pid=True) as (state, script):
        server = Restartable(f"http://127.0.0.1:{port}/fhir", script, state)
        server.run()
        _wait_for(server.url)
        yield server


@contextmanager
def restartable_postgres() -> Iterator[tuple[PostgresServer, Restartable]]:
    """A PostgreSQL of its own, fit for what it is asked here: it syncs nothing, which SIGKILL does not notice."""
    binaries, home, account = prepared()
    port = free_port()
    options = " ".join(f"-c {name}={value!r}" for name, value in settings_of(port).items())
    as_account = f"setpriv --reuid {account} --regid {account} --clear-groups" if account is not None else ""
    # What was killed leaves its own lock behind, and a number that another process may have by now.
    command = f"env -C {home} LC_ALL=C {as_account} {binaries / 'postgres'} -D {home / 'data'} {options}"
    try:
        before = f"rm -f {home / 'data' / 'postmaster.pid'}"
        with _started(command, before, last=signal.SIGQUIT) as (state, script):
            server = PostgresServer(port)
            restartable = Restartable(server.url("postgres"), script, state)
            restartable.run()
            wait_until_ready(port, state / "log")
            yield server, restartable
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _started(
    command: str, before: str = ":", *, own_pid: bool = False, last: signal.Signals = signal.SIGKILL
) -> Iterator[tuple[Path, Path]]:
    """A folder and the script in it. `own_pid`: the command goes to the background by itself, and leaves its pid.
    `last` ends it in the end, with all that it has started."""
    state = Path(tempfile.mkdtemp(prefix="restartable-"))
    LOGS.append(state / "log")
    start = command if own_pid else f"{command} >log 2>&1 </dev/null &\necho $! >pid"
    script = state / "restart"
    script.write_text(f"{_KILL.format(state=state)}{before}\n{start}\n")
    script.chmod(0o755)
    try:
        yield state, script
    finally:
        pid = state / "pid"
        if pid.exists():
            with suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), last)


def _wait_for(url: str) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/metadata", timeout=_SECONDS).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"{url} does not answer", pytrace=False)
