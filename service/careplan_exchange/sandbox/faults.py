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
    "late_answer",
    "cut_body",
    "missing_next",
    "expired_page",
    "stale_search",
    "unauthorized",
    "token_down",
]
"""What happens to a request.

- `latency`: it is carried out and answered `seconds` later.
- `late_answer`: it is carried out at once, and answered `seconds` later.
- `status`: it is answered with `status` (and `retry_after`) and not carried out; in a batch it strikes
entries too. - `html`, `empty`, `huge`: it is answered 200 with a page of HTML, nothing, or `size` bytes, and
not carried out. - `reset_before_commit`, `reset_after_commit`: the connection is dropped instead of it, or
instead of its answer. - `reset_in_answer`: the connection is dropped in the middle of its answer. -
`cut_body`: the JSON of its answer ends half-way, though the HTTP answer is whole. - `missing_next`: a page
has lost its `next` link. - `expired_page`: a further page of a search is 410. - `stale_search`: a search
answers from before the last write. - `unauthorized`: it is answered 401 and not carried out, whatever it
carries. - `token_down`: a request to the token endpoint is answered with `status` and `retry_after`; nothing
else meets it."""

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault: the first `skip` requests that match pass, the next `times` meet it.

    `method` None: any. `path` is a regular expression, searched for in `path?query` below the base URL:
    `^Observation` or `^$`, a posted Bundle. `retry_after` is in seconds from now, sent as such or as an
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
