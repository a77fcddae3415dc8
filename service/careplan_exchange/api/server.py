"""Bind, serve, and stop in order: no new requests, then the exchanges under way, then what the caller closes."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from careplan_exchange import logs
from careplan_exchange.errors import ConfigurationError
from careplan_exchange.jobs import Exchanges

from .app import KeySet, create_app
from .auth import ApiAuth, check_binding

REQUEST_GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 15


async def run(
    services: Exchanges,
    *,
    auth: ApiAuth,
    host: str,
    port: int,
    listening: Callable[[int], None] = lambda _: None,
    published_keys: Callable[[], KeySet] = lambda: {"keys": []},
) -> None:
    """Serve until SIGINT or SIGTERM. `listening` is told the port once it is bound; port 0 takes a free one.

    Raises ConfigurationError where the service would be open to the network, or the address cannot be bound.
    """
    check_binding(host, auth)
    with _bound(host, port) as listener:
        app = create_app(services, auth=auth, published_keys=published_keys)
        # Not uvicorn's lifespan: an error at the start is then ours to explain, and not printed with its stack.
        async with app.router.lifespan_context(app):
            await _serve(app, listener, listening)


async def _serve(app: FastAPI, listener: socket.socket, listening: Callable[[int], None]) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,  # it would write paths, which name patients
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=REQUEST_GRACE_SECONDS,
        )
    )
    port = listener.getsockname()[1]
    logs.get_logger().info(logs.API_STARTED, port=port)
    listening(port)
    await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn sends itself the signal anew once it has stopped, which would end the process before the runner and
    the store are closed. Here the signal only asks it to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"The service cannot listen on port {port} there: {error.strerror or 'the host is unknown'}.",
            mend="Give another server.host or server.port, or stop what listens there.",
        ) from None
    # asyncio sets it only where the socket names its protocol; without it the end of an answer waits for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener
