"""A TCP proxy that a test turns into a black hole: connections stay open, and nothing goes through any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class BlackHole:
    """Between a client and `port` on this machine. `swallow()` cuts the network in both directions."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._through = asyncio.Event()
        self._through.set()
        self.port = 0

    def swallow(self) -> None:
        self._through.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            for end in (writer, back):
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._through.wait()
                writer.write(data)
                await writer.drain()
        if self._through.is_set():
            writer.close()


@contextlib.asynccontextmanager
async def black_hole(port: int) -> AsyncIterator[BlackHole]:
    hole = BlackHole(port)
    tasks: set[asyncio.Task] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await hole.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
