"""When a request is sent again, after what wait, and what is raised when that is over.

Reads (GET, and a batch of GETs) are repeated after 408, 429, 500, 502, 503, 504 and transport errors. A write is
repeated only where it is certain that nothing was done:

- no connection was made, so nothing was sent;
- 429: the limiter turned the request away (RFC 6585 §4);
- 503 with `Retry-After`: the server says that it cannot handle the request now and when it can (RFC 9110
  §15.6.4, §10.2.3). A 503 without it may come from a proxy that gave up waiting for the server: not repeated.

Every other failure of a write is ambiguous: OutcomeUnknownError, and the caller looks before it sends anything.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from careplan_exchange.errors import CareplanError

Kind = Literal["read", "write"]
T = TypeVar("T")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
BASE_SECONDS = 0.5
CAP_SECONDS = 20.0
LONGEST_RETRY_AFTER = 60.0
"""A server that wants to be left alone for longer is not waited for: the caller hears of it and may come back."""


class Transient(Exception):  # noqa: N818 - it is a state of one attempt, never seen outside this folder
    """One attempt failed in a way that another may not. `error` is raised if there is no other attempt.

    `nothing_done` says that the server certainly did nothing. `wait` is its own wish, in seconds.
    """

    def __init__(
        self, reason: str, error: CareplanError, *, nothing_done: bool, wait: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.nothing_done = nothing_done
        self.wait = wait


class Pacing(NamedTuple):
    """Time and chance, as arguments. `chance` gives numbers from [0, 1)."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    chance: Callable[[], float] = random.random


async def persist(
    attempt: Callable[[], Awaitable[T]],
    *,
    kind: Kind,
    attempts: int,
    pacing: Pacing,
    on_failure: Callable[[str, int, float | None], None],
) -> T:
    """The result of `attempt`, made up to `attempts` times. `on_failure` hears of each that failed: reason,
    attempt number, and the wait before the next one, None where there is none.

    Raises the CareplanError of the last Transient, and whatever else `attempt` raises at once.
    """

    def may_retry(failure: BaseException) -> bool:
        if not isinstance(failure, Transient):
            return False
        if failure.wait is not None and failure.wait > LONGEST_RETRY_AFTER:
            return False
        return kind == "read" or failure.nothing_done

    failures: list[Transient] = []

    async def kept() -> T:
        try:
            return await attempt()
        except Transient as failure:
            failures.append(failure)
            raise

    def wait(state: RetryCallState) -> float:
        return seconds_before(state.attempt_number, failures[-1].wait, pacing.chance())

    def report(state: RetryCallState) -> None:
        on_failure(failures[-1].reason, state.attempt_number, state.upcoming_sleep)

    retrying = AsyncRetrying(
        sleep=pacing.sleep,
        stop=stop_after_attempt(attempts),
        wait=wait,
        retry=retry_if_exception(may_retry),
        before_sleep=report,
        reraise=True,
    )
    try:
        return await retrying(kept)
    except Transient as failure:
        on_failure(failure.reason, len(failures), None)
        raise failure.error from None


def seconds_before(attempt: int, wish: float | None, chance: float) -> float:
    """The wait after failed attempt number `attempt` (from 1): the server's wish plus a little, so that not all
    clients return at once; otherwise exponential backoff with full jitter."""
    if wish is not None:
        return wish + chance * BASE_SECONDS
    return float(chance * min(CAP_SECONDS, BASE_SECONDS * 2 ** (attempt - 1)))


_SECONDS = re.compile(r"[0-9]+", re.ASCII)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from `now`, from either form of `Retry-After` (RFC 9110 §10.2.3); None where it is neither."""
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = parse_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def parse_date(value: str | None) -> datetime | None:
    """An HTTP-date (RFC 9110 §5.6.7); None where it is none. By the server's own `Date` its `Retry-After` means
    what it says also where our clock or the server's is wrong."""
    try:
        moment = parsedate_to_datetime(value or "")
        # An HTTP-date is in GMT; the asctime form does not say so.
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
