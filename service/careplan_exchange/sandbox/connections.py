"""Hanging up on a client: uvicorn gives an application no way to its connection, so ours are listed here."""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN: dict[tuple[Any, Any], asyncio.Transport] = {}


class ListedProtocol(H11Protocol):
    """uvicorn's protocol over h11, which keeps its connection in the list while it is open."""

    _key: tuple[Any, Any]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        self._key = (_address(transport, "peername"), _address(transport, "sockname"))
        _OPEN[self._key] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        _OPEN.pop(self._key, None)
        super().connection_lost(exc)


def _address(transport: asyncio.Transport, name: str) -> Any:
    return tuple(transport.get_extra_info(name)[:2])


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Resets the connection of this request; the client gets no (further) answer.

    Without a connection of ours (an application called in process) it raises ConnectionResetError to the caller.
    """
    transport = _OPEN.get((tuple(scope["client"] or ()), tuple(scope["server"] or ())))
    if transport is None:
        raise ConnectionResetError("the connection was reset, as a fault had asked for")
    connection = transport.get_extra_info("socket")
    # Closed with unsent data thrown away: the client sees a reset, as from a server that died.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
