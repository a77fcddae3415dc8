"""What cannot both be done, by the rules of `protocols/combine/`; what no rule names goes to a person."""

from collections.abc import Sequence

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, Conflict, GoalProposal, Reason
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.deciding import merged
from careplan_exchange.planner.matching import Answer, ask, can_fall, is_ruled_out, protocol_of

from . import falling, joining
from .measures import Measures
from .rules import Clash, Combining


def settle(whole: Lines, policy: Combining, bindings: Bindings, measures: Measures) -> None:
    """Apply each rule in turn to what still stands, then ask about the opposites that no rule settled."""
    for rule in policy.conflicts:
        _apply(rule, whole, bindings, measures)
    for pair in policy.opposites:
        _oppose(
            whole,
            f"combine/opposite/{pair.first}/{pair.second}",
            "Advice that pulls two ways",
            [line for line in whole.activities if pair.first in line.involves],
            [line for line in whole.activities if pair.second in line.involves],
        )
    for stop in policy.stops:
        stopping = [line for line in whole.activities if stop.match.holds(line)]
        starting = [line for line in whole.activities if not set(stop.medicines).isdisjoint(line.medicines)]
        medicines = "-".join(stop.medicines)
        _oppose(whole, f"combine/stop/{medicines}", "One protocol starts what another stops", starting, stopping)


def _apply(rule: Clash, whole: Lines, bindings: Bindings, measures: Measures) -> None:
    if rule.when is not None and is_ruled_out(rule.when, bindings):
        return
    firsts = [line for line in whole.activities if rule.first.holds(line)]
    seconds = [line for line in whole.activities if rule.second is not None and rule.second.holds(line)]
    seconds = [line for line in seconds if line not in firsts]
    goals: list[GoalProposal] = [
        goal
        for goal in whole.goals
        if goal.category != "safety" and not set(rule.goals).isdisjoint(measures.goal(goal))
    ]
    if not (firsts or goals) or (rule.second is not None and not seconds):
        return
    keys = [line.key for line in firsts] or [goal.key for goal in goals]
    answer = None
    if rule.when is not None:
        answer = ask(rule.when, bindings, about=rule.title, question=rule.ask, needed_by=keys)
        if answer.result == "unknown" and rule.unknown == "go-on":
            return
        if answer.result == "unknown":
            _wonder(whole, firsts, answer, rule)
            return
    why = Reason(
        text=rule.text,
        rule=f"combine: conflict {rule.id}",
        result="false",
        used=answer.reason.used if answer else (),
    )
    if rule.policy == "ask":
        _question(whole, [*firsts, *seconds], rule.ask or rule.text)
    else:
        falling_now = {"first": seconds, "second": firsts, "neither": [*firsts, *seconds]}[rule.policy]
        gone = [line.key for line in falling_now if can_fall(line)]
        falling.drop(whole, gone, (why,), severity=rule.severity, detail=rule.text)
        if rule.policy != "first":
            falling.drop_goals(whole, [goal.key for goal in goals], (why,))
    whole.conflicts.append(
        Conflict(
            key=f"combine/conflict/{rule.id}",
            title=rule.title,
            text=rule.text,
            policy=rule.policy,
            lines=(*(line.key for line in (*firsts, *seconds)), *(goal.key for goal in goals)),
            citations=(rule.source.citation,),
            reasons=(answer.reason,) if answer else (),
        )
    )


def _wonder(whole: Lines, firsts: Sequence[ActivityProposal], answer: Answer, rule: Clash) -> None:
    """It is not known whether the condition holds: the lines stay, and wait for the answer."""
    questions = tuple(gap.ask for gap in answer.gaps) or (rule.ask or rule.text,)
    for line in firsts:
        one = msgspec.structs.replace(
            line,
            questions=joining.both(line.questions, questions),
            missing=merged((*line.missing, *answer.gaps)),
        )
        whole.activities = [one if each.key == line.key else each for each in whole.activities]
    whole.gaps += answer.gaps


def _question(whole: Lines, lines: Sequence[ActivityProposal], question: str) -> None:
    keys = {line.key for line in lines}
    whole.activities = [
        msgspec.structs.replace(line, questions=joining.both(line.questions, (question,)))
        if line.key in keys
        else line
        for line in whole.activities
    ]


def _oppose(
    whole: Lines, key: str, title: str, firsts: Sequence[ActivityProposal], seconds: Sequence[ActivityProposal]
) -> None:
    """Both stay, and a person is asked which holds."""
    pairs = [
        (first, second)
        for first in firsts
        for second in seconds
        if first.key != second.key and protocol_of(first.key) != protocol_of(second.key)
    ]
    if not pairs:
        return
    lines = tuple(dict.fromkeys(line.key for pair in pairs for line in pair))
    named = [line for line in whole.activities if line.key in lines]
    said = "; ".join(f"'{line.title}' ({line.protocol.title})" for line in named)
    text = f"These do not go together: {said}. Which holds for this patient?"
    _question(whole, named, text)
    whole.conflicts.append(
        Conflict(
            key=key,
            title=title,
            text=text,
            policy="ask",
            lines=lines,
            citations=tuple(dict.fromkeys(citation for line in named for citation in line.citations)),
        )
    )
