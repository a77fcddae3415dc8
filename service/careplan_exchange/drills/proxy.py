"""The fault proxy: between the product and the server, on real sockets, with the faults of a plan.

The product is given `url`; addresses of the server in bodies and headers are rewritten both ways, so that the
product never leaves the proxy by itself. What a clinician does, and what the checker reads, goes past it.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

import httpx

from . import lies
from .faults import Fault, Habit, On, Plan
from .wire import Answered, Asked, put_answer, read_request, without_hops

_STATUSES = (500, 502, 503, 504)
_FORWARD_SECONDS = 60.0
_HELD_SECONDS = 0.03
_CROSSING_SECONDS = 0.3
_LATEST_READ = 7
"""A request that lands late does so before one of so many reads: in the exchange that sent it, or the next."""


_SLOW: Mapping[str, Fault] = {"before": "late-forward", "after": "delay"}
_KILLS: Mapping[str, frozenset[Fault]] = {
    "before": frozenset({"kill-before", "kill-lands-late"}),
    "after": frozenset({"kill-after", "edit-kill"}),
}
_EDITS: Mapping[str, frozenset[Fault]] = {
    "before": frozenset({"edit-before", "edit-kill", "edit-drop"}),
    "after": frozenset({"edit-after"}),
}
_CLOSES: Mapping[str, frozenset[Fault]] = {
    "before": frozenset({"drop-before", "lands-late", *_KILLS["before"]}),
    "after": frozenset({"drop-after", "edit-drop", *_KILLS["after"]}),
}


class _ClosedError(Exception):
    """The connection is closed without an answer."""


async def _nothing() -> None:
    """What a hook does where nobody has set one."""


def _ignored(_: On) -> None:
    """The same, for a hook that is told of a request."""


class FaultProxy:
    """Forwards to the server at `target` (a FHIR base URL). `rng` decides what the plan leaves open.

    `on_kill` ends the process that is drilled, `on_edit` is a clinician at work; both are called in the middle
    of a request. `on_request` is told of each request that comes in, before anything is done about it.
    `strange_calls` counts what reached the foreign server of `foreign-next`, and `strange_tokens` how often a
    token came with it. `shown` are the credentials that the product sent last.
    """

    def __init__(
        self,
        target: str,
        rng: random.Random,
        *,
        habits: frozenset[Habit] = frozenset(),
        verify: str | bool = True,
    ) -> None:
        parts = urlsplit(target)
        self._real = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/")
        self._rng = rng
        self._verify = verify
        self.habits = habits
        self.plan = Plan()
        self.shown: dict[str, str] = {}
        self.url = ""
        self.stranger: lies.Json | None = None
        self.strange_calls = 0
        self.strange_tokens = 0
        self.on_kill: Callable[[], Awaitable[None]] = _nothing
        self.on_edit: Callable[[], Awaitable[None]] = _nothing
        self.on_request: Callable[[On], None] = _ignored
        self._cached: dict[bytes, Answered] = {}
        self._kept: list[Asked] = []
        self._late: list[tuple[Asked, int]] = []
        self._crossing: tuple[Answered, asyncio.Future[Answered]] | None = None
        self._partial_left = 1
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answers at `url` until the block ends."""
        verify = (
            ssl.create_default_context(cafile=self._verify) if isinstance(self._verify, str) else self._verify
        )
        if not self._real.startswith("https"):
            verify = False  # saves reading the authorities, which takes longer than a whole exchange
        limits = httpx.Limits(max_connections=40, max_keepalive_connections=20)
        async with AsyncExitStack() as stack:
            client = httpx.AsyncClient(verify=verify, timeout=_FORWARD_SECONDS, limits=limits)
            self._upstream = await stack.enter_async_context(client)
            stack.push_async_callback(self._end_connections)
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=256 * 1024)
            stack.callback(server.close)
            stranger = await asyncio.start_server(self._strange, "127.0.0.1", 0)
            stack.callback(stranger.close)
            self._ours = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self._foreign = f"http://127.0.0.1:{stranger.sockets[0].getsockname()[1]}"
            self.url = self._ours + self._path
            yield

    async def _end_connections(self) -> None:
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed by the loop, in its next round

    async def resend_kept(self) -> None:
        """A gateway sends what it kept once more, as it was."""
        kept, self._kept = self._kept, []
        for asked in kept:
            with suppress(httpx.HTTPError):
                await self._forward(asked)

    async def _land_late(self) -> None:
        """Before a read: what is due is carried out, whoever sent it."""
        due = [asked for asked, reads in self._late if reads == 0]
        self._late = [(asked, reads - 1) for asked, reads in self._late if reads > 0]
        for asked in due:
            with suppress(httpx.HTTPError):
                await self._written(asked, None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while (asked := await read_request(reader)) is not None:
                answer = await self._answer(asked)
                put_answer(writer, answer)
                await writer.drain()
                if answer.cut:
                    break
        except (ConnectionError, httpx.HTTPError, _ClosedError, asyncio.CancelledError):
            pass  # the client has gone, or has to be left without an answer
        finally:
            writer.transport.abort()

    async def _strange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await read_request(reader)
        if asked is not None:
            self.strange_calls += 1
            self.strange_tokens += "authorization" in asked.headers
            put_answer(writer, Answered(200, {"content-type": "application/fhir+json"}, lies.EMPTY_SEARCH))
        writer.close()

    async def _answer(self, asked: Asked) -> Answered:
        """Raises _ClosedError where the connection is closed without an answer."""
        self.shown = {name: value for name, value in asked.headers.items() if name == "authorization"}
        if asked.target.partition("?")[0].endswith("/metadata"):
            return await self._forward(asked)
        on: On = "read" if lies.is_read(asked) else "write"
        self.on_request(on)
        fault = self.plan.take(on)
        if fault == "busy":
            return Answered(429, {"retry-after": "0"})
        if fault == "error-before":
            # A write that is told to come again at once would be sent again; a read is, anyway.
            return Answered(self._rng.choice(_STATUSES), {"retry-after": "0"} if on == "read" else {})
        if fault in {"lands-late", "kill-lands-late"}:
            self._late.append((asked, self._rng.randrange(_LATEST_READ)))
        await self._around(fault, "before")
        if on == "read":
            await self._land_late()
        answer = await (self._read if on == "read" else self._written)(asked, fault)
        await self._around(fault, "after")
        if fault == "error-after":
            return Answered(self._rng.choice(_STATUSES))
        body = answer.body[: len(answer.body) // 2] if fault == "cut-json" else answer.body
        return Answered(answer.status, answer.headers, body, cut=fault == "cut-body")

    async def _around(self, fault: Fault | None, when: Literal["before", "after"]) -> None:
        """What happens before a request is carried out, or after, to whoever waits for it."""
        if fault in _KILLS[when]:
            await self.on_kill()
        if fault in _EDITS[when]:
            await self.on_edit()
        if fault in _CLOSES[when]:
            raise _ClosedError
        if fault == _SLOW[when]:
            await asyncio.sleep(_HELD_SECONDS)

    async def _written(self, asked: Asked, fault: Fault | None) -> Answered:
        asked, left_out = self._misunderstood(asked)
        if fault == "resend-later":
            self._kept.append(asked)
        if fault == "duplicate":
            await self._forward(asked)
        answer = await self._forward(asked)
        if left_out:
            answer = lies.with_failures(answer, left_out, self._rng.choice((422, 500)))
        if "silent" in self.habits and answer.status < 300:
            answer = lies.without_body(answer)
        return answer

    async def _read(self, asked: Asked, fault: Fault | None) -> Answered:
        key = f"{asked.method} {asked.target}\n".encode() + asked.body
        told_not_to = "no-cache" in asked.headers.get("cache-control", "")
        if key in self._cached and (fault == "replica" or ("cache" in self.habits and not told_not_to)):
            return self._cached[key]
        answer = await self._forward(asked)
        self._cached.setdefault(key, answer)
        match fault:
            case "crossed":
                return await self._cross(answer)
            case "foreign-next":
                return lies.going_on_at(answer, f"{self._foreign}{self._path}")
            case "stranger":
                return lies.with_stranger(answer, self.stranger)
            case "missing-entry":
                return lies.with_a_failed_search(answer, self._rng)
        return answer

    async def _cross(self, answer: Answered) -> Answered:
        """The answer of another request that is crossed at the same time, which gets this one; this one itself,
        where none comes in time."""
        if self._crossing is not None and not self._crossing[1].done():
            first, waiting = self._crossing
            waiting.set_result(answer)
            return first
        mine = self._crossing = (answer, asyncio.get_running_loop().create_future())
        try:
            return await asyncio.wait_for(mine[1], _CROSSING_SECONDS)
        except TimeoutError:
            return answer
        finally:  # also where its client has gone
            if self._crossing is mine:
                self._crossing = None

    def _misunderstood(self, asked: Asked) -> tuple[Asked, tuple[int, ...]]:
        """The write as this server takes it, and the entries that it will say it has refused."""
        if "no-if-match" in self.habits:
            asked = lies.without_if_match(asked)
        if "no-if-none-exist" in self.habits:
            asked = lies.without_if_none_exist(asked)
        if "forgetful" in self.habits:
            asked = lies.forgetting(asked)
        if "partial" in self.habits and self._partial_left and lies.is_transaction(asked):
            self._partial_left -= 1
            return lies.in_part(asked, self._rng)
        return asked, ()

    async def _forward(self, asked: Asked) -> Answered:
        headers = {
            name: value for name, value in asked.headers.items() if name not in {"host", "accept-encoding"}
        }
        answer = await self._upstream.request(
            asked.method,
            self._real + asked.target,
            content=asked.body.replace(self._ours.encode(), self._real.encode()),
            headers={**headers, "accept-encoding": "identity"},
        )
        kept = {
            name: value.replace(self._real, self._ours)
            for name, value in without_hops(answer.headers).items()
            if name not in {"content-encoding", "date", "server"}
        }
        return Answered(
            answer.status_code, kept, answer.content.replace(self._real.encode(), self._ours.encode())
        )
