"""Real servers for the session: HAPI from ../shared, our sandbox in a process of its own. Loopback, random ports."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.shared import ROOT, SHARED, require_shared

_HAPI_SECONDS = 600  # the first start builds it
_SANDBOX_SECONDS = 30
_MEDPLUM_SECONDS = 60
_NPM_SECONDS = 180
_JDK = 17

LOGS: list[Path] = []
"""What the servers of this session wrote; kept, and named at the end, where a test failed."""


@dataclass(frozen=True)
class TestServer:
    """`url` is the FHIR base URL; `log` the file with what the server said."""

    __test__ = False

    url: str
    log: Path | None = None


@dataclass(frozen=True)
class SandboxServer(TestServer):
    """Our sandbox, with its control route for faults."""

    def fault(self, **fault: Any) -> None:
        """Arm one fault: the fields of sandbox.Fault."""
        answer = httpx.post(f"{self.url}/$faults", json=fault, timeout=10)
        assert answer.status_code == 200, answer.text

    def calm(self) -> None:
        """Disarm every fault."""
        assert httpx.delete(f"{self.url}/$faults", timeout=10).status_code == 200


_HEAP = "-Xmx2500m"
"""It overrides the script's own: with all fixture patients in it, an R5 server of 1 GiB does little but collect garbage."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_hapi() -> Path:
    """The script that starts one. Skips where it, or what it needs, cannot be had."""
    start = require_shared("servers/hapi/start")
    if shutil.which("mvn") is None or _java() < _JDK:
        pytest.skip(f"HAPI needs JDK {_JDK} or newer and Maven on the PATH")
    return start


@contextmanager
def hapi(release: str) -> Iterator[TestServer]:
    """A HAPI JPA server, or the one that HAPI_R4_URL / HAPI_R5_URL names. Skips where it cannot be had."""
    running = os.environ.get(f"HAPI_{release.upper()}_URL")
    if running:
        yield TestServer(running.rstrip("/"))
        return
    start = require_hapi()
    state = Path(tempfile.mkdtemp(prefix=f"hapi-{release}-"))
    LOGS.append(state / "log")
    options = ["--us-core", "610"] if release == "r4" else ["--fhir", "r5"]
    try:
        result = subprocess.run(
            [str(start), *options, "--state", str(state)],
            capture_output=True,
            text=True,
            timeout=_HAPI_SECONDS,
            check=False,
            env={**os.environ, "_JAVA_OPTIONS": _HEAP},
        )
        if result.returncode != 0:
            pytest.fail(
                f"HAPI did not start; its log is {state / 'log'}:\n{result.stderr[-2000:]}", pytrace=False
            )
        yield TestServer(result.stdout.strip().splitlines()[-1], state / "log")
    finally:
        if (state / "pid").exists():
            subprocess.run([str(SHARED / "servers/hapi/stop"), "--state", str(state)], check=False)


@contextmanager
def medplum_router() -> Iterator[TestServer]:
    """Medplum's router over its memory, or the one that MEDPLUM_URL names. Skips where it cannot be had.

    A weak server on purpose: no `rest` in its CapabilityStatement, no `_include`, no pages, no atomic transaction.
    """
    running = os.environ.get("MEDPLUM_URL")
    if running:
        yield TestServer(running.rstrip("/"))
        return
    script = require_shared("servers/medplum/server.mjs")
    packages = _medplum_packages()
    state = Path(tempfile.mkdtemp(prefix="medplum-"))
    LOGS.append(state / "log")
    # It looks for its packages beside itself.
    shutil.copy(script, state / script.name)
    (state / "node_modules").symlink_to(packages)
    port = free_port()
    with (state / "log").open("wb") as sink:
        process = subprocess.Popen(
            ["node", script.name],
            cwd=state,
            env={**os.environ, "PORT": str(port)},
            stdout=sink,
            stderr=sink,
        )
    try:
        yield TestServer(_answering(process, f"http://127.0.0.1:{port}/fhir", state / "log"), state / "log")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _medplum_packages() -> Path:
    """Its npm packages, fetched once into `.build/`. Skips where Node, npm or the packages cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Medplum needs Node and npm on the PATH")
    packages = ROOT / ".build" / "medplum" / "node_modules"
    if packages.is_dir():
        return packages
    packages.parent.mkdir(parents=True, exist_ok=True)
    fetched = Path(tempfile.mkdtemp(prefix="npm-", dir=packages.parent))
    names = [f"@medplum/{name}@4" for name in ("fhir-router", "core", "definitions", "mock")]
    try:
        result = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fetched), *names],
            capture_output=True,
            text=True,
            timeout=_NPM_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            pytest.skip(f"Medplum's npm packages cannot be had: {result.stderr.strip()[-300:]}")
        with suppress(OSError):  # another session was quicker
            (fetched / "node_modules").rename(packages)
    except subprocess.TimeoutExpired:
        pytest.skip(f"Medplum's npm packages did not come within {_NPM_SECONDS} s: is npm's registry reachable?")
    finally:
        shutil.rmtree(fetched, ignore_errors=True)
    return packages


def _answering(process: "subprocess.Popen[bytes]", url: str, log: Path) -> str:
    deadline = time.monotonic() + _MEDPLUM_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/metadata", timeout=5).status_code == 200:
                return url
        time.sleep(0.1)
    pytest.fail(f"The server did not come up; its log is {log}:\n{log.read_text()[-2000:]}", pytrace=False)


def _java() -> int:
    """The release of the JDK on the PATH, 0 without one."""
    if shutil.which("java") is None:
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


@contextmanager
def sandbox_process(release: str = "R4", *options: str) -> Iterator[SandboxServer]:
    """Our sandbox as its users start it: `careplan sandbox --faults` in a process of its own."""
    log = Path(tempfile.mkdtemp(prefix="sandbox-")) / "log"
    LOGS.append(log)
    process = start_sandbox(log, "--port", "0", "--fhir", release, "--faults", *options)
    try:
        yield SandboxServer(announced_url(process, log), log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_sandbox(log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CAREPLAN_")}
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "careplan_exchange", "sandbox", *arguments],
            cwd=log.parent,
            env=clean,
            stdout=sink,
            stderr=sink,
        )


def announced_url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The base URL that the sandbox prints once it answers."""
    deadline = time.monotonic() + _SANDBOX_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"^http://\S+/fhir$", log.read_text(), re.MULTILINE):
            return found[0]
        time.sleep(0.05)
    pytest.fail(f"The sandbox did not come up; its log is {log}:\n{log.read_text()[-2000:]}", pytrace=False)
