from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import EndpointOverloadedError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.fhir.retry import (
    BASE_SECONDS,
    CAP_SECONDS,
    LONGEST_RETRY_AFTER,
    Pacing,
    Transient,
    parse_retry_after,
    persist,
    seconds_before,
)

from .wire import NOW, CountingIds, Pauses

ERROR = EndpointOverloadedError("busy", mend="wait")


@given(st.integers(min_value=0, max_value=10**9))
def test_seconds_are_read_as_seconds(seconds):
    assert parse_retry_after(f" {seconds} ", NOW) == seconds


@given(st.integers(min_value=-100_000, max_value=100_000))
def test_a_date_is_read_as_the_seconds_until_then_and_never_as_less_than_none(seconds):
    text = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(text, NOW) == max(0, seconds)


@pytest.mark.parametrize(
    "text", ["Sun, 01 Mar 2026 12:00:30 GMT", "Sunday, 01-Mar-26 12:00:30 GMT", "Sun Mar  1 12:00:30 2026"]
)
def test_all_three_forms_of_an_http_date_are_read(text):
    assert parse_retry_after(text, NOW) == 30


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_or_gives_a_negative_wait(text):
    wait = parse_retry_after(text, NOW)
    assert wait is None or wait >= 0


@pytest.mark.parametrize("text", [None, "", "soon", "-5", "1.5", "٣", "Sun, 99 Foo 2026 12:00:30 GMT"])
def test_what_is_neither_form_is_no_wish(text):
    assert parse_retry_after(text, NOW) is None


@given(
    st.integers(min_value=1, max_value=50),
    st.floats(min_value=0, max_value=1, exclude_max=True),
    st.none() | st.floats(min_value=0, max_value=LONGEST_RETRY_AFTER),
)
def test_a_wait_honours_the_servers_wish_and_is_bounded(attempt, chance, wish):
    wait = seconds_before(attempt, wish, chance)
    if wish is None:
        assert 0 <= wait <= min(CAP_SECONDS, BASE_SECONDS * 2 ** (attempt - 1))
    else:
        assert wish <= wait <= wish + BASE_SECONDS


def test_without_a_wish_the_bound_doubles_up_to_the_cap():
    assert [seconds_before(n, None, 1.0) for n in (1, 2, 3, 4, 9)] == [0.5, 1, 2, 4, CAP_SECONDS]


def failing(*failures):
    """An attempt that fails in these ways and then gives "done"; and the number of calls."""
    left = list(failures)
    calls = []

    async def attempt():
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return attempt, calls


async def run(attempt, *, kind="read", attempts=3):
    pauses, reports = Pauses(), []
    pacing = Pacing(sleep=pauses, now=lambda: datetime.now(UTC), chance=lambda: 0.0)
    try:
        result = await persist(
            attempt, kind=kind, attempts=attempts, pacing=pacing, on_failure=lambda *said: reports.append(said)
        )
    except EndpointOverloadedError as error:
        result = error
    return result, pauses, reports


async def test_a_read_is_repeated_and_each_failed_attempt_is_reported_with_its_reason():
    attempt, calls = failing(
        Transient("429", ERROR, nothing_done=True, wait=7), Transient("timeout", ERROR, nothing_done=False)
    )
    result, pauses, reports = await run(attempt)
    assert (result, len(calls), pauses) == ("done", 3, [7, 0])
    assert reports == [("429", 1, 7), ("timeout", 2, 0)]


async def test_the_last_error_is_raised_when_the_attempts_are_used_up():
    attempt, calls = failing(*[Transient("503", ERROR, nothing_done=False)] * 9)
    result, pauses, reports = await run(attempt)
    assert (result, len(calls), len(pauses)) == (ERROR, 3, 2)
    assert reports == [("503", 1, 0), ("503", 2, 0), ("503", 3, None)]


async def test_a_write_is_repeated_only_where_nothing_was_done():
    attempt, calls = failing(Transient("refused", ERROR, nothing_done=True))
    assert (await run(attempt, kind="write"))[0] == "done"
    attempt, calls = failing(Transient("500", ERROR, nothing_done=False))
    assert (await run(attempt, kind="write"))[0] is ERROR
    assert len(calls) == 1


async def test_a_server_that_wants_an_hour_is_not_waited_for():
    attempt, calls = failing(Transient("429", ERROR, nothing_done=True, wait=LONGEST_RETRY_AFTER + 1))
    result, pauses, reports = await run(attempt)
    assert (result, len(calls), pauses) == (ERROR, 1, [])
    assert reports == [("429", 1, None)]


@pytest.mark.parametrize("hours", [-9, 0, 9])
async def test_a_date_to_come_back_at_is_read_by_the_servers_own_clock(hours):
    answers = [
        httpx.Response(
            429,
            headers={
                "Date": format_datetime(NOW, usegmt=True),
                "Retry-After": format_datetime(NOW + timedelta(seconds=7), usegmt=True),
            },
        ),
        httpx.Response(200, json={"resourceType": "Goal", "id": "g1"}),
    ]
    pauses = Pauses()
    pacing = Pacing(sleep=pauses, now=lambda: NOW + timedelta(hours=hours), chance=lambda: 0.0)
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    connection = Connection(base_url="https://ehr.example.org/fhir")
    async with connect(connection, ids=CountingIds(), transport=transport, pacing=pacing) as client:
        assert (await client.read("Goal", "g1")).id == "g1"
    assert pauses == [7]


async def test_another_exception_is_not_repeated():
    attempt, calls = failing(KeyError("a bug"))
    with pytest.raises(KeyError):
        await run(attempt)
    assert len(calls) == 1
