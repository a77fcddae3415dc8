"""A circuit breaker for one server: after so many failures in a row it is left alone for a while.

Closed: every request goes out. Open: none does, until the time is over. Half-open: one does, once, and decides.
Only failures of availability count; any answer, also a refusal, is a sign of life.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from careplan_exchange.errors import (
    CareplanError,
    CircuitOpenError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    OutcomeUnknownError,
    RecordError,
    RefusedError,
)

State = Literal["closed", "open", "half-open"]

FAILURES = 5
"""Requests in a row, each after all of its attempts."""

COOL_DOWN = timedelta(seconds=30)

_AWAY = (EndpointUnreachableError, EndpointOverloadedError, OutcomeUnknownError)
_TIME = "%H:%M:%S UTC"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """The breaker's state, since when, and while it is not closed until when and why: the last error's key and
    what it said, which names the server."""

    state: State
    since: datetime
    until: datetime | None = None
    error: str = ""
    reason: str = ""

    def __str__(self) -> str:
        if self.state == "closed" or self.until is None:
            return "closed: it is asked as usual"
        until = self.until.strftime(_TIME)
        return f"{self.state} since {self.since.strftime(_TIME)}, left alone until {until}: {self.reason}"


class Breaker:
    """Not for threads. `now` is the clock, in UTC; `on_change` hears of every new state."""

    def __init__(self, where: str, now: Callable[[], datetime], on_change: Callable[[Note], None]) -> None:
        self._where = where
        self._now = now
        self._on_change = on_change
        self._failures = 0
        self.note = Note(state="closed", since=now())

    @contextmanager
    def request(self) -> Iterator[bool]:
        """Around one request, all of its attempts included. Gives whether it is the one that decides. Raises
        CircuitOpenError before anything is sent."""
        decides = self._admit()
        try:
            yield decides
        except _AWAY as error:
            self._failed(error, decides=decides)
            raise
        except (RecordError, RefusedError):
            self._answered()
            raise
        except BaseException:  # given up, or never sent: nothing was learnt of the server
            if decides and self.note.state == "half-open":
                self._become(msgspec.structs.replace(self.note, state="open", since=self._now()))
            raise
        self._answered()

    def _admit(self) -> bool:
        if self.note.state == "closed":
            return False
        if self.note.state == "open" and self.note.until is not None and self._now() >= self.note.until:
            self._become(msgspec.structs.replace(self.note, state="half-open", since=self._now()))
            return True
        raise self._left_alone()

    def _answered(self) -> None:
        self._failures = 0
        if self.note.state != "closed":
            self._become(Note(state="closed", since=self._now()))

    def _failed(self, error: CareplanError, *, decides: bool) -> None:
        self._failures += 1
        if decides or (self.note.state == "closed" and self._failures >= FAILURES):
            now = self._now()
            until = now + COOL_DOWN
            self._become(Note(state="open", since=now, until=until, error=error.key, reason=error.detail))

    def _become(self, note: Note) -> None:
        self.note = note
        self._on_change(note)

    def _left_alone(self) -> CircuitOpenError:
        when = "once the one request that is under way has been answered"
        if self.note.state == "open" and self.note.until is not None:
            left = max(1, round((self.note.until - self._now()).total_seconds()))
            when = f"at {self.note.until.strftime(_TIME)}, in {left} seconds"
        return CircuitOpenError(
            f"{self._where} is left alone, and nothing was sent: its last {self._failures} requests failed. "
            f"{self.note.reason}",
            mend=f"It is tried again {when}; `careplan doctor` tries at once. Look after the server first.",
        )
