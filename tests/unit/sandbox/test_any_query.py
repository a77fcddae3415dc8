"""Whatever is asked for is answered or refused; nothing that a client sends is an error of the sandbox itself."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.sandbox.calls import Call
from careplan_exchange.sandbox.faults import Faults
from careplan_exchange.sandbox.interactions import answer, create
from careplan_exchange.sandbox.outcomes import RefusalError
from careplan_exchange.sandbox.parameters import RESULT, TYPES, parameters
from careplan_exchange.sandbox.state import Server
from careplan_exchange.sandbox.values import LATEST, span_of

BASE = "http://sandbox.test/fhir"
NAMES = sorted({name for kind in TYPES for name in parameters(kind)} | RESULT | {"_since", "_type", "_has"})
VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["count", "id,meta", "*", "Patient:*", "Observation:subject", "Patient/1", "a|b", "|", ",", "\\"]
    ),
    st.from_regex(
        r"(eq|ne|gt|sa|ap)?[0-9]{1,5}(-[0-9]{1,2}){0,2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?)?", fullmatch=True
    ),
    st.integers().map(str),
    st.just("9" * 5000),
)
PAIRS = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(["", "", ":not", ":exact", ":Patient", ":iterate"]), VALUES
)
PATHS = st.one_of(
    st.sampled_from(
        ["Patient", "Observation", "MedicationRequest", "Patient/1x/$everything", "Patient/1x/_history"]
    ),
    st.builds("Patient/1x/_history/{}".format, VALUES),
    st.builds("{}/{}".format, st.sampled_from(TYPES), VALUES),
    st.just(""),
)


@pytest.fixture(scope="module", params=["R4", "R5"])
def server(request):
    server = Server(
        release=request.param,
        database=None,
        faults=Faults(),
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        ids=lambda: "1x",
        software="test",
    )
    for body in (
        {"resourceType": "Patient", "birthDate": "0001-01-01", "name": [{"family": "Example"}]},
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "Patient/1x"},
            "effectivePeriod": {"start": "0001-01-01T00:00:00+14:00", "end": "9999-12-31T23:59:60Z"},
        },
    ):
        create(
            server, Call(method="POST", path=body["resourceType"], base_url=BASE, body=body), body["resourceType"]
        )
    yield server
    server.close()


@given(path=PATHS, pairs=st.lists(PAIRS, max_size=3), lenient=st.booleans())
def test_any_query_is_answered_or_refused(server, path, pairs, lenient):
    query = urlencode([(name + modifier, value) for name, modifier, value in pairs])
    call = Call(method="GET", path=path, query=query, base_url=BASE, lenient=lenient)
    try:
        status = answer(server, call).status
    except RefusalError as problem:
        status = problem.status
    assert status in {200, 304, 400, 404, 405, 410}


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59Z"])
def test_the_end_of_the_calendar_is_the_end_of_its_last_days(text):
    assert span_of(text).high == LATEST


@pytest.mark.parametrize(
    "text", ["0000", "10000", "99999999999999999999", "2026-1-1-1", "0001-01-01T00:00:00+14:00", ""]
)
def test_what_is_beyond_the_calendar_is_no_date(text):
    with pytest.raises(ValueError):
        span_of(text)
