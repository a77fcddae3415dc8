"""What can go wrong on request: each fault strikes the next so many requests that match it, then is gone."""

import re
import threading
from collections.abc import Collection, Iterable
from typing import Annotated, Literal

import msgspec

Kind = Literal[
    "latency",
    "status",
    "html",
    "empty",
    "huge",
    "reset_before_commit",
    "reset_after_commit",
    "reset_in_answer",
    "cut_body",
    "missing_next",
    "expired_page",
    "stale_search",
]
"""latency: answers `seconds` later. status: answers `status` (with `retry_after`) and does nothing; inside a batch it
strikes single entries too. html, empty, huge: answers 200 with a page of HTML, no body, or `size` bytes. reset_…: the
connection is dropped before anything is done, after all is done, or in the middle of the answer. cut_body: the JSON
ends half-way, though the HTTP answer is whole. missing_next: a page has lost its `next` link. expired_page: a further
page is 410. stale_search: the answer is from before the last write."""

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. `method` None: any. `path` is a regular expression that is searched for in `path?query` below the
    base URL (`Observation?patient=…`; the empty text for a Bundle). `retry_after` in seconds from now, sent as such
    or as an HTTP-date. `size` None: without an end."""

    kind: Kind
    times: Positive = 1
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
                if fault.kind in kinds and fault.matches(method, path):
                    if fault.times == 1:
                        del self._armed[index]
                    else:
                        self._armed[index] = msgspec.structs.replace(fault, times=fault.times - 1)
                    return fault
        return None
