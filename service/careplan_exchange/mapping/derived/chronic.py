"""Rules of the kind "chronic-stage": several stages as one, where values show that disease has lasted."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from careplan_exchange.model.snapshot import Coding, Fact

from .desk import Desk, Point
from .rules import Axis, ChronicStaging, Stage, Staging
from .stages import STAGE_SYSTEM, stages_of


class _Course(NamedTuple):
    """What the values of one axis say. `stage` None: not known, and `lasting` None: it cannot be told; `missing`
    is what would tell."""

    stage: Stage | None
    lasting: bool | None
    used: tuple[Fact, ...]
    missing: str


def chronic_stage(desk: Desk, rule: ChronicStaging) -> Iterator[Fact]:
    """The stages of all axes as one, where disease is shown to have lasted. Otherwise unknown, and what is
    missing."""
    courses = [_course(desk, rule, axis) for axis in rule.axes]
    damage = [fact for concept in rule.damage for fact in desk.holds(concept)]
    measured = [fact for course in courses for fact in course.used]
    if not measured:
        return
    newest = max(measured, key=lambda fact: (fact.effective or "", fact.evidence.reference))
    missing = [course.missing for course in courses if course.stage is None]
    if not missing and not any(course.lasting for course in courses):
        open_ = [course.missing for course in courses if course.lasting is None]
        if len(open_) == len(courses):
            missing = open_
        elif not damage:
            missing = open_ or ["a sign of kidney damage: no value has stayed outside normal"]
    if missing:
        desk.note(
            rule,
            newest.evidence,
            "not-shown",
            f"it needs {'; '.join(missing)}.",
            mend="Measure what is missing, if the stage is needed.",
        )
        yield desk.fact(rule, newest, [*measured, *damage], state="unknown")
        return
    codes = [course.stage.code for course in courses if course.stage is not None]
    answer = Coding(system=STAGE_SYSTEM, code="".join(codes), display=f"CKD {' '.join(codes)}")
    yield desk.fact(rule, newest, [*measured, *damage], answer=answer)


def _course(desk: Desk, rule: ChronicStaging, axis: Axis) -> _Course:
    staging = desk.rules.get(axis.category)
    points = desk.points(axis.of)
    if not points or not isinstance(staging, Staging):
        return _Course(None, None, (), f"'{axis.of}'")
    by_day: dict[date, list[Point]] = {}
    for point in points:
        if (points[-1].day - point.day).days <= rule.within.days:
            by_day.setdefault(point.day, []).append(point)
    days = sorted(by_day)
    latest = {one for point in by_day[days[-1]] for one in stages_of(staging, point.bounds)}
    stage = latest.pop() if len(latest) == 1 else None
    early = [day for day in days if (days[-1] - day).days >= rule.apart.days]
    used = _facts(by_day, days[-1:])
    if not early:
        wanted = f"a second '{axis.of}', {rule.apart.days} days apart and within {rule.within.days} days"
        return _Course(stage, None, used, wanted)
    # From the latest day that is far enough back: an earlier one would need the same days, and more.
    since = days[days.index(early[-1]) :]
    if not any(_may_be_normal(axis, staging, point) for day in since for point in by_day[day]):
        return _Course(stage=stage, lasting=True, used=_facts(by_day, since), missing="")
    used += _facts(by_day, early[-1:])
    return _Course(stage=stage, lasting=False, used=used, missing=f"an exact '{axis.of}'")


def _facts(by_day: dict[date, list[Point]], days: list[date]) -> tuple[Fact, ...]:
    return tuple(point.fact for day in days for point in by_day[day])


def _may_be_normal(axis: Axis, staging: Staging, point: Point) -> bool:
    return any(one.code in axis.normal for one in stages_of(staging, point.bounds))
