"""Rules of the kind "duration": how long a condition has been there."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from careplan_exchange.mapping.dates import ages, span_of
from careplan_exchange.model.snapshot import Fact

from .desk import Desk
from .rules import Duration


class _Entered(msgspec.Struct, frozen=True, rename="camel"):
    recorded_date: Any = None


_DECODER = msgspec.json.Decoder(_Entered)


def duration(desk: Desk, rule: Duration) -> Iterator[Fact]:
    """Whole years since the earliest onset, dated on the day they were reached: so the fact stays the same until
    the next year is. A condition that only says when it was written down has lasted at least since then."""
    dated = [
        (span, fact)
        for fact in desk.holds(rule.of)
        if fact.effective is not None and (span := span_of(fact.effective)) is not None and span[0] <= desk.today
    ]
    if not dated:
        return
    (_, last), earliest = min(dated, key=lambda one: (one[0], one[1].evidence.reference))
    years = ages((earliest.effective or "")[:10], desk.today) or (0, 0)
    fewest, most = Decimal(max(years[0], 0)), Decimal(years[1])
    at_least = not _tells_onset(desk, earliest)
    known: dict[str, Any] = {"value": fewest} if at_least or fewest == most else {"low": fewest, "high": most}
    reached = _anniversary(min(last, desk.today), int(fewest))
    yield desk.fact(
        rule,
        earliest,
        [earliest],
        **known,
        comparator=">=" if at_least else None,
        effective=reached.isoformat(),
    )


def _tells_onset(desk: Desk, fact: Fact) -> bool:
    """Whether the date of the condition is its onset, and not that of the entry in the record."""
    entered: str | None = _DECODER.decode(desk.resource(fact.evidence).content).recorded_date
    return fact.effective != entered


def _anniversary(start: date, years: int) -> date:
    try:
        return start.replace(year=start.year + years)
    except ValueError:  # it began on a leap day
        return date(start.year + years, 3, 1)
