"""Faults of a server that is read, as tables: after which nothing is planned, and after which the record is whole."""

from typing import Any, NamedTuple

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    CareplanError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    IncompleteRecordError,
    NotFhirError,
    RefusedError,
    UnsupportedServerError,
    WrongPatientError,
)
from careplan_exchange.sandbox.faults import Kind

SEARCH = "^Observation"
BATCH_OR_SEARCH = r"^(Observation|$)"
"""A fault below FHIR strikes the batch of all searches first, and what is asked on its own after that."""

ALWAYS = 1000


def fault(kind: Kind, path: str = SEARCH, *, times: int = ALWAYS, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "path": path, "times": times, **more}


def once(kind: Kind, path: str = SEARCH, **more: Any) -> dict[str, Any]:
    return fault(kind, path, times=1, **more)


PAGES_OF_TWO = fault("small_pages", size=2)


class Ends(NamedTuple):
    """Faults under which nothing is planned. The error says each of `says`; `issue` is among what the server said."""

    says: tuple[str, ...]
    error: type[CareplanError] | tuple[type[CareplanError], ...]
    faults: tuple[dict[str, Any], ...]
    issue: str | None = None


class Heals(NamedTuple):
    """Faults after which the record is the one of a calm server."""

    faults: tuple[dict[str, Any], ...]


ENDS = {
    # A server's pages
    "a page that expires each time": Ends(
        ("Observation", "expired"), IncompleteRecordError, (PAGES_OF_TWO, fault("expired_page"))
    ),
    "a page that has lost its next link": Ends(
        ("Observation", "6 matches", "2 came"), IncompleteRecordError, (PAGES_OF_TWO, once("missing_next"))
    ),
    "a next link to another server": Ends(
        ("next page", "another server"), IncompleteRecordError, (PAGES_OF_TWO, once("foreign_next"))
    ),
    "a next link to the page it stands on": Ends(
        ("Observation", "circle"), IncompleteRecordError, (PAGES_OF_TWO, once("looping_next"))
    ),
    "a next link that goes round at the second page": Ends(
        ("Observation", "circle"), IncompleteRecordError, (PAGES_OF_TWO, once("looping_next", skip=1))
    ),
    "a total that shrinks each time": Ends(
        ("Observation", "shrank"), IncompleteRecordError, (PAGES_OF_TWO, fault("shrinking_total"))
    ),
    # Epic warns with code 4119 that a result may be partial
    "the warning 4119 among the matches": Ends(
        ("Observation", "may be incomplete"), IncompleteRecordError, (once("partial_warning"),), issue="4119"
    ),
    "the warning 4119 on the second page": Ends(
        ("Observation", "may be incomplete"),
        IncompleteRecordError,
        (PAGES_OF_TWO, once("partial_warning", skip=1)),
        issue="4119",
    ),
    "the warning 4119 beside the patient": Ends(
        ("Patient", "may be incomplete"),
        IncompleteRecordError,
        (once("partial_warning", "^Patient"),),
        issue="4119",
    ),
    # Whose it is
    "an Observation of another patient among the matches": Ends(
        ("Observation", "another patient"), WrongPatientError, (once("another_patient"),)
    ),
    "an Observation of another patient on the second page": Ends(
        ("Observation", "another patient"), WrongPatientError, (PAGES_OF_TWO, once("another_patient", skip=1))
    ),
    "a second Patient for one id": Ends(
        ("Patient", "another patient"), WrongPatientError, (once("another_patient", "^Patient"),)
    ),
    # What is no FHIR, or no end of it
    "half of the JSON": Ends(("Observation",), NotFhirError, (fault("cut_body", BATCH_OR_SEARCH),)),
    "an HTML page with status 200": Ends(("Observation",), NotFhirError, (fault("html", BATCH_OR_SEARCH),)),
    "an empty answer with status 200": Ends(
        ("Observation", "empty"), NotFhirError, (fault("empty", BATCH_OR_SEARCH),)
    ),
    "an OperationOutcome with status 200": Ends(
        ("Observation",), IncompleteRecordError, (fault("outcome_200", BATCH_OR_SEARCH),)
    ),
    "an answer of two gigabytes": Ends(("larger than 1 MB",), NotFhirError, (fault("huge", BATCH_OR_SEARCH),)),
    "an answer without an end": Ends(
        ("larger than 1 MB",), NotFhirError, (fault("huge", BATCH_OR_SEARCH, size=None),)
    ),
    "a gzip bomb": Ends(("larger than 1 MB",), NotFhirError, (fault("gzip_bomb", BATCH_OR_SEARCH),)),
    "a gzip bomb without an end": Ends(
        ("larger than 1 MB",), NotFhirError, (fault("gzip_bomb", BATCH_OR_SEARCH, size=None),)
    ),
    # Retries that came to their end
    **{
        f"status {status} each time": Ends(
            (str(status),), error, (fault("status", BATCH_OR_SEARCH, status=status),)
        )
        for status, error in {
            408: EndpointOverloadedError,
            429: EndpointOverloadedError,
            500: EndpointOverloadedError,
            503: EndpointOverloadedError,
            502: EndpointUnreachableError,
            504: EndpointUnreachableError,
        }.items()
    },
    "a Retry-After of an hour": Ends(
        ("left alone", "3600"),
        EndpointOverloadedError,
        (fault("status", BATCH_OR_SEARCH, status=503, retry_after=3600),),
    ),
    "a connection that is dropped before the answer": Ends(
        ("connection",), EndpointUnreachableError, (fault("reset_before_commit", BATCH_OR_SEARCH),)
    ),
    "a connection that is dropped in the answer": Ends(
        ("connection",), EndpointUnreachableError, (fault("reset_in_answer", BATCH_OR_SEARCH),)
    ),
    "an answer that does not come": Ends(
        ("in time",), EndpointUnreachableError, (fault("late_answer", BATCH_OR_SEARCH, seconds=30),)
    ),
    "an answer that comes byte by byte": Ends(
        ("in time",), EndpointUnreachableError, (fault("slow_drip", BATCH_OR_SEARCH, seconds=0.2),)
    ),
    # Refusals are not asked for again
    "a search that the credentials do not allow": Ends(
        ("Observation", "403"), AuthenticationRefusedError, (fault("status", SEARCH, status=403),)
    ),
    "credentials that are refused": Ends(("401",), AuthenticationRefusedError, (once("unauthorized", "^$"),)),
    "a search that is refused": Ends(
        ("Observation", "400"), RefusedError, (fault("status", SEARCH, status=400),)
    ),
    "a search that does not exist": Ends(
        ("Observation", "405"), UnsupportedServerError, (fault("status", SEARCH, status=405),)
    ),
}

HEALS = {
    # A server's pages
    "pages that are smaller than was asked for": Heals((PAGES_OF_TWO,)),
    "a page that has expired once": Heals((PAGES_OF_TWO, once("expired_page"))),
    "pages that have expired twice": Heals((PAGES_OF_TWO, fault("expired_page", times=2))),
    "a total that shrank once": Heals((PAGES_OF_TWO, once("shrinking_total"))),
    "ids that are repeated over pages, in older versions too": Heals((PAGES_OF_TWO, fault("repeated_ids"))),
    # HAPI reuses a search, and Oracle repeats ids over pages: the first page held an old version, the next the new
    "ids that are repeated over pages in a newer version": Heals(
        (PAGES_OF_TWO, once("stale_search"), fault("repeated_ids"))
    ),
    # Retry 408, 429, 500, 502, 503, 504 and transport errors
    **{
        f"status {status} once": Heals((once("status", BATCH_OR_SEARCH, status=status),))
        for status in (408, 429, 500, 502, 503, 504)
    },
    "a search of the batch that failed alone": Heals((once("status", status=503),)),
    "Retry-After in seconds": Heals((once("status", BATCH_OR_SEARCH, status=429, retry_after=7),)),
    "Retry-After as a date": Heals(
        (once("status", BATCH_OR_SEARCH, status=503, retry_after=7, retry_after_form="date"),)
    ),
    "a connection that was dropped once before the request was carried out": Heals(
        (once("reset_before_commit", BATCH_OR_SEARCH),)
    ),
    "a connection that was dropped once instead of the answer": Heals(
        (once("reset_after_commit", BATCH_OR_SEARCH),)
    ),
    "a connection that was dropped once in the answer": Heals((once("reset_in_answer", BATCH_OR_SEARCH),)),
    "a request that was slow once": Heals((once("latency", BATCH_OR_SEARCH, seconds=30),)),
    "an answer that was late once": Heals((once("late_answer", BATCH_OR_SEARCH, seconds=30),)),
    "an answer that came byte by byte once": Heals((once("slow_drip", BATCH_OR_SEARCH, seconds=0.2),)),
    # A batch that brought nothing of use: each search is asked for on its own
    "a batch that came as HTML": Heals((once("html", "^$"),)),
    "a batch that came empty": Heals((once("empty", "^$"),)),
    "a batch that was cut": Heals((once("cut_body", "^$"),)),
    "a batch that was an OperationOutcome": Heals((once("outcome_200", "^$"),)),
    "a search of the batch that was an OperationOutcome": Heals((once("outcome_200"),)),
}
