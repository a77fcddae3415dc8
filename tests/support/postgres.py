"""A PostgreSQL of our own for the session: the installed binaries, a folder in /tmp, a free loopback port.

It asks for a password, so that a wrong one can be tested, and does not sync, since nothing here outlives the
session. The server is stopped at the end, and by the kernel where the session is killed.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

PASSWORD = "made-up-for-tests"
USER = "careplan"
_START_SECONDS = 60


@dataclass(frozen=True)
class PostgresServer:
    """`url(name)` is a database on it, as a user writes it into `store.url`; the password goes beside."""

    port: int
    password: str = PASSWORD

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    async def connect(self, url: str | None = None) -> asyncpg.Connection:
        return await asyncpg.connect(url or self.url("postgres"), password=self.password)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"t{uuid.uuid4().hex}"

        async def create() -> None:
            connection = await self.connect()
            try:
                await connection.execute(f"CREATE DATABASE {name}")
            finally:
                await connection.close()

        _apart(create())
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server a session, or a skip that says what is missing."""
    with _SHARED.used() as server:
        yield server


class _Shared:
    """Each conftest that imports the fixture has one of its own: they share the server, the last one ends it."""

    def __init__(self) -> None:
        self._users = 0
        self._ending = contextlib.ExitStack()
        self._server: PostgresServer | None = None

    @contextlib.contextmanager
    def used(self) -> Iterator[PostgresServer]:
        self._users += 1
        try:
            if self._server is None:
                self._server = self._ending.enter_context(_served())
            yield self._server
        finally:
            self._users -= 1
            if self._users == 0:
                self._server = None
                self._ending.close()


_SHARED = _Shared()


def prepared() -> tuple[Path, Path, str | None]:
    """The binaries, a new folder with an empty cluster in `data`, and whom to run it as (None: ourselves). Skips
    where PostgreSQL is not installed."""
    folder = _binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed here (no `initdb` on PATH or below /usr/lib/postgresql)")
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="careplan-postgres-"))
    if account is not None:
        shutil.chown(home, account)
    try:
        _init(folder, home, account)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return folder, home, account


def settings_of(port: int) -> dict[str, str]:
    """What a server of ours is started with."""
    return {
        "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", "fsync": "off",
        "full_page_writes": "off", "max_connections": "100", "shared_buffers": "32MB",
    }  # fmt: skip


@contextlib.contextmanager
def _served() -> Iterator[PostgresServer]:
    folder, home, account = prepared()
    try:
        with _running(folder, home, account) as port:
            yield PostgresServer(port)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return next((path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)


def _account() -> str | None:
    """PostgreSQL refuses to run as root: whom to run it as, None for ourselves."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _init(folder: Path, home: Path, account: str | None) -> None:
    secret = home / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    done = subprocess.run(
        [folder / "initdb", "--pgdata", home / "data", "--username", USER, "--pwfile", secret,
         "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"],
        user=account, cwd=home, capture_output=True, text=True, check=False,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(f"initdb failed: {done.stderr[-400:]}")


@contextlib.contextmanager
def _running(folder: Path, home: Path, account: str | None) -> Iterator[int]:
    port = _free_port()
    command = [str(folder / "postgres"), "-D", str(home / "data")]
    for name, value in settings_of(port).items():
        command += ["-c", f"{name}={value}"]
    log = (home / "log").open("wb")
    server = subprocess.Popen(
        command, user=account, cwd=home, stdout=log, stderr=log,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, and there is no other way to it
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )  # fmt: skip
    try:
        wait_until_ready(port, home / "log", server)
        yield port
    finally:
        server.send_signal(signal.SIGQUIT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(port: int, log: Path, server: subprocess.Popen | None = None) -> None:
    """Returns when it takes connections; fails where `server` has ended."""

    async def answers() -> None:
        connection = await asyncpg.connect(f"postgresql://{USER}@127.0.0.1:{port}/postgres", password=PASSWORD)
        await connection.close()

    until = time.monotonic() + _START_SECONDS
    while True:
        if server is not None and server.poll() is not None:
            pytest.fail(f"PostgreSQL ended at once: {log.read_text(errors='replace')[-400:]}")
        try:
            _apart(answers())
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _apart(work: Coroutine[None, None, None]) -> None:
    """Runs it in a thread of its own: fixtures are set up beside event loops that are not ours."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
