"""What can go wrong on request: each fault strikes the next so many requests that match it, then is gone."""

import re
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Literal

import msgspec

Kind = Literal[
    "latency",
    "status",
    "html",
    "empty",
    "huge",
    "outcome_200",
    "reset_before_commit",
    "reset_after_commit",
    "reset_in_answer",
    "late_answer",
    "slow_drip",
    "cut_body",
    "wrong_type",
    "gzip_bomb",
    "stale_search",
    "small_pages",
    "expired_page",
    "missing_next",
    "foreign_next",
    "looping_next",
    "repeated_ids",
    "shrinking_total",
    "partial_warning",
    "another_patient",
    "unauthorized",
    "token_down",
]

MEANING: Mapping[Kind, str] = {
    "latency": "The request is carried out and answered `seconds` later.",
    "status": "It is answered with `status` (and `retry_after`) and not carried out; it strikes entries of a "
    "batch too.",
    "html": "It is answered 200 with a page of HTML, and not carried out.",
    "empty": "It is answered 200 with nothing, and not carried out.",
    "huge": "It is answered 200 with `size` bytes, and not carried out.",
    "outcome_200": "It is answered 200 with an OperationOutcome (severity error), and not carried out; it "
    "strikes entries of a batch too.",
    "reset_before_commit": "The connection is dropped; the request is not carried out.",
    "reset_after_commit": "It is carried out; the connection is dropped instead of its answer.",
    "reset_in_answer": "The connection is dropped in the middle of its answer.",
    "late_answer": "It is carried out at once, and answered `seconds` later.",
    "slow_drip": "Its answer comes byte by byte, one every `seconds`.",
    "cut_body": "The JSON of its answer ends half-way, though the HTTP answer is whole.",
    "wrong_type": "Its answer is whole, and says that it is `text/plain`.",
    "gzip_bomb": "It is answered 200 with gzip that unpacks to `size` bytes, and not carried out.",
    "stale_search": "A search answers from before the last write.",
    "small_pages": "A search comes in pages of `size` at most, whatever `_count` says.",
    "expired_page": "A further page of a search is 410.",
    "missing_next": "A page has lost its `next` link; its total stays.",
    "foreign_next": "The `next` link of a page leads to another server.",
    "looping_next": "The `next` link of a page leads to that page again.",
    "repeated_ids": "A further page begins with the last resource of the page before, in every version that the "
    "server holds, newest first.",
    "shrinking_total": "A further page says that there is one match fewer than the page before said.",
    "partial_warning": "A page holds Epic's warning 4119, that it may not be the entire record, as an outcome.",
    "another_patient": "A page holds one match more than its total counts, about another patient.",
    "unauthorized": "It is answered 401 and not carried out, whatever it carries.",
    "token_down": "A request to the token endpoint is answered with `status` and `retry_after`; nothing else "
    "meets it.",
}
"""What happens to a request. A fault of a page (from `expired_page` on) waits for a page that it can spoil."""

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault: the first `skip` requests that match pass, the next `times` meet it.

    `method` None: any. `path` is a regular expression, searched for in `path?query` below the base URL:
    `^Observation` or `^$`, a posted Bundle; a fault of a page sees the path of the search, on its further pages
    too. `retry_after` is in seconds from now, sent as such or as an
    HTTP-date. `size` None: without an end.
    """

    kind: Kind
    times: Positive = 1
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    method: Literal["GET", "POST", "PUT", "DELETE"] | None = None
    path: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    retry_after_form: Literal["seconds", "date"] = "seconds"
    size: Positive | None = 2 * 1024**3

    def matches(self, method: str, path: str) -> bool:
        return self.method in {None, method} and re.search(self.path, path) is not None


class Faults:
    """The armed faults. They may be armed from another thread than the one that serves."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[Fault] = list(faults)

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def armed(self) -> tuple[Fault, ...]:
        """What is still to come; `times` says how often."""
        with self._lock:
            return tuple(self._armed)

    def take(self, kinds: Collection[Kind], method: str, path: str) -> Fault | None:
        """The first armed fault of these kinds that matches, used up once; None where there is none."""
        with self._lock:
            for index, fault in enumerate(self._armed):
                if fault.kind not in kinds or not fault.matches(method, path):
                    continue
                if fault.skip:
                    self._armed[index] = msgspec.structs.replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times == 1:
                    del self._armed[index]
                else:
                    self._armed[index] = msgspec.structs.replace(fault, times=fault.times - 1)
                return fault
        return None
