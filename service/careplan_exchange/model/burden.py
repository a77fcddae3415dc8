"""What a plan asks of a patient: visits, doses and tasks, each counted as far as it can be."""

from decimal import Decimal

import msgspec


class Count(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A number of things; with `at_least` there are more that nobody can count (no timing, no dosage)."""

    amount: Decimal
    at_least: bool = False


class Burden(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`visits_a_year` and `tasks_a_week` are of the plan alone; `doses_a_day` of the medicines that the plan
    would add. `medicines_now` is how many the patient takes already: the record's dosages are not read, so
    their doses come on top, uncounted."""

    visits_a_year: Count
    doses_a_day: Count
    tasks_a_week: Count
    medicines_now: int


def in_words(burden: Burden) -> str:
    """One sentence, for every place where a plan is shown."""
    parts = (
        _counted(burden.visits_a_year, "visit", "a year"),
        _counted(burden.doses_a_day, "dose", "a day of new medicines"),
        _counted(burden.tasks_a_week, "task", "a week"),
    )
    now = burden.medicines_now
    taken = f" On top of that the patient takes {now} medicine{_s(now)} already." if now else ""
    return f"This plan takes {', '.join(parts)}.{taken}"


def _s(number: Decimal | int) -> str:
    return "" if number == 1 else "s"


def _counted(count: Count, what: str, when: str) -> str:
    """`at least 3 visits a year`."""
    least = "at least " if count.at_least else ""
    return f"{least}{count.amount:f} {what}{_s(count.amount)} {when}"
