"""The circuit breaker of one endpoint, as others see it: in the log, in `/metrics`, and in a note for `doctor`.

Each process decides for itself. The note says what one of them met last, so that a process that has just begun
can tell a person about it.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from careplan_exchange import logs

from . import metrics
from .breaker import Breaker, Note
from .slots import make_private

_FILE = "circuit.json"
_GAUGE = {"closed": 0, "half-open": 1, "open": 2}


def watched(where: str, endpoint: str, folder: Path | None, now: Callable[[], datetime]) -> Breaker:
    """A breaker whose changes are told. `where` is the origin, `endpoint` its hash; `folder` holds the note."""
    gauge = metrics.CIRCUIT.labels(endpoint)
    gauge.set(_GAUGE["closed"])

    def tell(note: Note) -> None:
        gauge.set(_GAUGE[note.state])
        logs.get_logger().warning(logs.FHIR_CIRCUIT, endpoint=endpoint, state=note.state, error=note.error)
        if folder is not None:
            with suppress(OSError):
                _keep(folder, note)

    return Breaker(where, now, tell)


def noted(folder: Path | None) -> Note | None:
    """What a process of this host met last; None where the last thing that any met was an answer."""
    if folder is None:
        return None
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=Note)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _keep(folder: Path, note: Note) -> None:
    file = folder / _FILE
    if note.state == "closed":
        file.unlink(missing_ok=True)
        return
    make_private(folder)
    new = folder / f"{_FILE}.{os.getpid()}"
    new.write_bytes(msgspec.json.encode(note))
    new.replace(file)
