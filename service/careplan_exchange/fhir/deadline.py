"""The time that one patient may take in all: every request, every retry and every wait of reading one record."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from careplan_exchange.errors import EndpointUnreachableError

_NAMED = 5
_at_work: ContextVar[Counter[str] | None] = ContextVar("at_work", default=None)


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Ends what is done in it after so many seconds: EndpointUnreachableError, which names the requests that were
    under way."""
    at_work: Counter[str] = Counter()
    before = _at_work.set(at_work)
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            yield
    except TimeoutError:
        if not timeout.expired():
            raise
        raise _over(seconds, at_work) from None
    finally:
        _at_work.reset(before)


@contextmanager
def under_way(what: str) -> Iterator[None]:
    """Names a request for as long as it lasts; one that is cut off keeps its name for the error."""
    at_work = _at_work.get()
    if at_work is None:
        yield
        return
    at_work[what] += 1
    try:
        yield
    except Exception:
        at_work[what] -= 1
        raise
    at_work[what] -= 1


def _over(seconds: float, at_work: Counter[str]) -> EndpointUnreachableError:
    names = sorted(+at_work)
    said = "; ".join(names[:_NAMED]) + (f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return EndpointUnreachableError(
        f"The record was not read within {seconds:g} seconds, which is all that one patient may take. "
        f"Under way: {said or 'no request'}.",
        mend="Try when the server is less busy, or raise patient_deadline_seconds of the endpoint.",
    )
