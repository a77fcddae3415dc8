"""The sandbox on a port of the loopback interface: as a command, or beside other work in a thread."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from careplan_exchange.errors import CareplanError, UsageError
from careplan_exchange.logs import SANDBOX_STARTED, get_logger
from careplan_exchange.model.record import FhirRelease

from .app import BASE, create_app
from .connections import ListedProtocol
from .faults import Fault, Faults
from .loading import load_directory
from .smart import TOKEN_SECONDS, Authorizer
from .state import Server
from .taking import Takes

_HOST = "127.0.0.1"
_START_SECONDS = 30.0


class Sandbox:
    """A sandbox that answers at `url` until its block ends."""

    def __init__(self, url: str, faults: Faults, authorizer: Authorizer | None = None) -> None:
        self.url = url
        self.authorizer = authorizer
        self._faults = faults

    def arm(self, fault: Fault) -> None:
        """Let the next matching requests meet this fault."""
        self._faults.arm(fault)

    def calm(self) -> None:
        """Disarm every fault."""
        self._faults.clear()

    def armed(self) -> tuple[Fault, ...]:
        """The faults that have not struck as often as they may."""
        return self._faults.armed()


def run(
    *,
    port: int = 0,
    load: Path | None = None,
    database: Path | None = None,
    release: FhirRelease = "R4",
    control: bool = False,
    smart: Path | None = None,
    software: str | None = None,
    takes: Takes = "references",
) -> None:
    """Serve until interrupted. Prints the base URL to standard output once it answers.

    `smart`, `software` and `takes` as in `create_app`. Raises UsageError where the port is taken or the folder
    cannot be loaded, StoreVersionError, StoreUnavailableError.
    """
    app = create_app(
        release=release, database=database, control=control, smart=smart, software=software, takes=takes
    )
    server: Server = app.state.server
    try:
        if load is not None:
            loaded = load_directory(server, load)
            brought = ", ".join(f"{count} {name}" for name, count in loaded.resources.items())
            sys.stdout.write(f"Loaded from {loaded.files} files: {brought}\n")
        with _listening(port) as listener, contextlib.suppress(KeyboardInterrupt):
            _Announcing(_config(app), _url_of(listener), release).run([listener])
    finally:
        server.close()


@contextmanager
def serve_in_background(
    load: Path | None = None,
    *,
    database: Path | None = None,
    release: FhirRelease = "R4",
    bearer: str | None = None,
    basic: tuple[str, str] | None = None,
    smart: Path | None = None,
    smart_scopes: str = "system/*.cruds",
    token_seconds: int = TOKEN_SECONDS,
    software: str | None = None,
    takes: Takes = "references",
) -> Iterator[Sandbox]:
    """A sandbox in a thread of this process, on a free port, with the resources of the folder `load`; stopped
    when the block ends. The rest as in `create_app`."""
    faults = Faults()
    app = create_app(
        release=release,
        database=database,
        faults=faults,
        bearer=bearer,
        basic=basic,
        smart=smart,
        smart_scopes=smart_scopes,
        token_seconds=token_seconds,
        software=software,
        takes=takes,
    )
    server: Server = app.state.server
    try:
        if load is not None:
            load_directory(server, load)
        with _listening(0) as listener:
            served = uvicorn.Server(_config(app))
            thread = threading.Thread(target=served.run, args=([listener],), name="sandbox", daemon=True)
            thread.start()
            try:
                _wait_until_started(served, thread)
                yield Sandbox(_url_of(listener), faults, server.authorizer)
            finally:
                served.should_exit = True
                thread.join()
    finally:
        server.close()


class _Announcing(uvicorn.Server):
    """Says where it answers, once it does."""

    def __init__(self, config: uvicorn.Config, url: str, release: FhirRelease) -> None:
        super().__init__(config)
        self._url = url
        self._release = release

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        get_logger().info(SANDBOX_STARTED, release=self._release)
        sys.stdout.write(f"{self._url}\n")
        sys.stdout.flush()


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=ListedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,  # access logs would hold URLs with identifiers
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
    )


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """Bound before the server starts, so that a free port stays ours."""
    # asyncio sets TCP_NODELAY only where the protocol is named; without it the end of an answer waits for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
        except OSError:
            raise UsageError(
                f"Port {port} is taken on {_HOST}.", mend="Give another --port; 0 takes a free one."
            ) from None
        yield listener


def _url_of(listener: socket.socket) -> str:
    return f"http://{_HOST}:{listener.getsockname()[1]}{BASE}"


def _wait_until_started(served: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not served.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise CareplanError("The sandbox did not start.", mend="Try again; if it stays so, report it.")
        time.sleep(0.01)
