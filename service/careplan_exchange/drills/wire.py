"""HTTP/1.1 on the side of the client: one request read from a connection, one answer put on it (RFC 9112).

It serves one client, our own, over loopback: bodies with `Content-Length` only, connections kept alive.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

_LONGEST_HEAD = 64 * 1024
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


@dataclass(frozen=True)
class Asked:
    """A request. `target` is the path with its query; the names in `headers` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answered:
    """An answer. `cut`: the connection is closed after half of the body that `Content-Length` promised."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """The next request; None where the client has closed the connection, or what it sends is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None
    first, *lines = head[:_LONGEST_HEAD].decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    headers = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "0")
    try:
        body = await reader.readexactly(int(length)) if length.isdigit() else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Asked(method, rest.partition(" ")[0], without_hops(headers), body)


def put_answer(writer: asyncio.StreamWriter, answer: Answered) -> None:
    lines = [f"HTTP/1.1 {answer.status} Drilled"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += [f"content-length: {len(answer.body)}", "", ""]
    body = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
    writer.write("\r\n".join(lines).encode("latin-1") + body)


def without_hops(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that go on to the next hop; lengths are counted anew there."""
    return {
        name: value for name, value in headers.items() if name not in _HOP_BY_HOP and name != "content-length"
    }
