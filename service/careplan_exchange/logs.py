"""Events and how they are logged. Every event is a constant; nothing that identifies a person gets through.

Events are structlog calls with a name from this file and plain values: counts, states, durations, classes
of errors. A patient, a resource or an endpoint appears only as `hashed(...)`.
"""

import hashlib
import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

EXCHANGE_STARTED = "exchange.started"
EXCHANGE_PLANNED = "exchange.planned"
EXCHANGE_COMPARED = "exchange.compared"
EXCHANGE_UNCHANGED = "exchange.unchanged"
EXCHANGE_WRITTEN = "exchange.written"
EXCHANGE_SETTLED = "exchange.settled"
EXCHANGE_FINISHED = "exchange.finished"
EXCHANGE_FAILED = "exchange.failed"
EXCHANGE_REFUSED = "exchange.refused"
WRITE_INTENT = "exchange.write.intent"
WRITE_CONFLICT = "exchange.write.conflict"
WRITE_PARTLY = "exchange.write.partly"
WRITE_UNKNOWN = "exchange.write.unknown"
EXCHANGE_REVERTING = "exchange.reverting"
WRITE_TAKEN_BACK = "exchange.write.taken-back"
WRITE_PUT_BACK = "exchange.write.put-back"
REVIEW_WAITING = "review.waiting"
REVIEW_DECIDED = "review.decided"
LETTER_KEPT = "deadletter.kept"
LETTER_RESOLVED = "deadletter.resolved"
LETTER_REPLAYED = "deadletter.replayed"
LETTER_DROPPED = "deadletter.dropped"
MEMORY_ADOPTED = "store.adopted"
REVIEW_STEP = "review.step"
FHIR_REQUEST = "fhir.request"
FHIR_RETRY = "fhir.retry"
FHIR_GIVEN_UP = "fhir.given-up"
FHIR_CAPABILITIES = "fhir.capabilities"
FHIR_TOKEN = "fhir.token"  # noqa: S105 - the name of an event
FHIR_KEY_KEPT = "fhir.key-kept"
FHIR_CIRCUIT = "fhir.circuit"
FHIR_SLOTS = "fhir.slots"
AUDIT_UNKEPT = "audit.unkept"
AUDIT_SENT = "audit.sent"
AUDIT_UNSENT = "audit.unsent"
STORE_MIGRATED = "store.migrated"
LEDGER_UNSIGNED = "ledger.unsigned"
SANDBOX_STARTED = "sandbox.started"
SANDBOX_FAULT = "sandbox.fault"
API_REQUEST = "api.request"
API_STARTED = "api.started"
JOB_RESUMED = "jobs.resumed"

_ALLOWED_KEYS = frozenset(
    {
        "event", "level", "timestamp", "logger", "exchange", "patient", "endpoint", "target", "outcome", "count",
        "counts", "issues", "kind", "method", "type", "status", "attempt", "attempts", "wait", "seconds",
        "reason", "error", "request_id", "release", "software", "port", "state", "route", "fault", "revision",
        "bytes", "pages", "entries",
    }
)  # fmt: skip


def hashed(value: str) -> str:
    """A short, stable stand-in for an id: the same value gives the same text, and it cannot be read back."""
    return hashlib.sha256(value.encode()).hexdigest()[:12]


def _only_known_keys(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drops every key that this file does not list, so that a careless call cannot leak; says that it did."""
    dropped = [key for key in event if key not in _ALLOWED_KEYS]
    for key in dropped:
        del event[key]
    if dropped:
        event["reason"] = f"{len(dropped)} unlisted key(s) withheld"
    return event


def configure(level: str = "WARNING", *, json: bool | None = None) -> None:
    """Logs go to standard error: lines for a person at a terminal, JSON otherwise (`json` decides if given).

    The loggers of libraries stay at WARNING: httpx and SQLAlchemy would write URLs and parameters.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    number = logging.getLevelNamesMapping().get(level.upper(), logging.WARNING)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known_keys,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Lossy(sys.stderr))),
        cache_logger_on_first_use=False,
    )


class _Lossy:
    """Where there is no room for a line, the line is lost: no exchange ends because of its log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def get_logger() -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
