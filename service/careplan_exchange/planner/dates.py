"""FHIR dates of any precision, and what can be said for certain about them."""

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

CALENDAR_UNITS = frozenset({"d", "wk", "mo", "a"})
"""UCUM units that `after` can add to a date."""

_DATE = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(.+))?)?)?$")


@lru_cache(maxsize=8192)
def days_of(fhir_date: str) -> tuple[date, date] | None:
    """The first and the last day that a FHIR date or dateTime may mean, or None where it is none."""
    match = _DATE.match(fhir_date)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups()[:3])
    try:
        first = date(year or 0, month or 1, day or 1)
        last_month = month or 12
        last = date(first.year, last_month, day or calendar.monthrange(first.year, last_month)[1])
    except ValueError:
        return None
    return first, last


@lru_cache(maxsize=8192)
def instant_of(fhir_date: str) -> datetime | None:
    """The earliest moment that it may mean. A vague date so never outranks a precise one that may be newer.

    A date without a time, and a time without an offset, count in UTC.
    """
    days = days_of(fhir_date)
    if days is None:
        return None
    if "T" in fhir_date:
        try:
            moment = datetime.fromisoformat(fhir_date)
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)


def ages(birth_date: str, on: date) -> tuple[int, int] | None:
    """The youngest and the oldest age in whole years on that day, or None where it is no date or lies ahead."""
    days = days_of(birth_date)
    if days is None or days[0] > on:
        return None
    return _years(min(days[1], on), on), _years(days[0], on)


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def after(start: date, amount: Decimal, unit: str) -> date:
    """`start` plus a FHIR Duration in UCUM days, weeks, months or years. A month ends no later than its last day.

    Raises ValueError for another unit: the lint allows no other.
    """
    count = int(amount)
    if unit in {"d", "wk"}:
        return start + timedelta(days=count * (7 if unit == "wk" else 1))
    if unit not in CALENDAR_UNITS:
        raise ValueError(f"'{unit}' is no calendar unit.")
    months = start.year * 12 + start.month - 1 + count * (12 if unit == "a" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
