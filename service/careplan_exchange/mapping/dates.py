"""FHIR dates of any precision (http://hl7.org/fhir/R4/datatypes.html#dateTime), against the run's "today"."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal

from .wire import Period

_DATE = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d|:60)?(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})?)?)?)?"
)


@lru_cache(maxsize=4096)
def fault(text: str, today: date) -> Literal["unreadable", "future"] | None:
    """What is wrong with a recorded date, or None. A moment counts as future only if it is after today both
    where it was recorded and in UTC, so that no time zone makes yesterday's value a thing of tomorrow."""
    span = span_of(text)
    if span is None:
        return "unreadable"
    earliest = span[0]
    if earliest <= today:
        return None
    if "T" in text:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:  # an offset that no clock has
            return "unreadable"
        try:
            if moment.tzinfo is not None and moment.astimezone(UTC).date() <= today:
                return None
        except OverflowError:  # the last day that there is, later still in UTC
            return "future"
    return "future"


@lru_cache(maxsize=4096)
def span_of(text: str) -> tuple[date, date] | None:
    """The first and last day that a date of any precision allows; None where it is no date."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = int(match[1]), match[2], match[3]
    try:
        if day is not None:
            exact = date(year, int(month), int(day))
            return exact, exact
        if month is not None:
            return date(year, int(month), 1), _last_day(year, int(month))
        return date(year, 1, 1), date(year, 12, 31)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def is_before(text: str, other: str) -> bool:
    """Whether every day that the one date allows is before every day that the other does."""
    one, two = span_of(text), span_of(other)
    return one is not None and two is not None and one[1] < two[0]


@lru_cache(maxsize=4096)
def instant_of(text: str) -> datetime | None:
    """The earliest moment that a date of any precision allows. A date without a time, and a time without an
    offset, count in UTC. None where it is no date."""
    span = span_of(text)
    if span is None:
        return None
    if "T" not in text:
        return datetime(span[0].year, span[0].month, span[0].day, tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # an offset that no clock has, or a leap second
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except OverflowError:  # the first or the last day that there is
        return None


def ages(birth_date: str, today: date) -> tuple[int, int] | None:
    """The lowest and highest age in whole years that a birth date allows today; None where it is no date."""
    span = span_of(birth_date)
    if span is None:
        return None
    youngest, oldest = (
        today.year - born.year - ((today.month, today.day) < (born.month, born.day)) for born in reversed(span)
    )
    return youngest, oldest


def latest(period: Period | None) -> Iterable[str | None]:
    """The ends of a period, the later first."""
    return (period.end, period.start) if period is not None else ()


def _last_day(year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)
