"""Answers that are larger than anything should be, made while they are sent."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from itertools import repeat

_START = b'{"resourceType":"Bundle","type":"searchset",'
_CHUNK = b" " * 65_536
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
"""RFC 1952 §2.3: deflate, no name, no time."""


async def blanks(size: int | None) -> AsyncIterator[bytes]:
    """JSON that begins like a Bundle and goes on with white space; `size` None: without an end."""
    for piece in _pieces(size):
        yield piece
        await asyncio.sleep(0)  # to hear that the client has gone


async def packed_blanks(size: int | None) -> AsyncIterator[bytes]:
    """The same in gzip, about a thousandth of it."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    check = length = 0
    yield _GZIP_HEADER
    for piece in _pieces(size):
        check, length = zlib.crc32(piece, check), length + len(piece)
        yield pack.compress(piece) + pack.flush(zlib.Z_SYNC_FLUSH)
        await asyncio.sleep(0)
    yield pack.flush() + check.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little")


def _pieces(size: int | None) -> Iterator[bytes]:
    yield _START[:size]
    if size is None:
        yield from repeat(_CHUNK)
        return
    for left in range(size - len(_START), 0, -len(_CHUNK)):
        yield _CHUNK[:left]
