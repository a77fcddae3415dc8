"""What a patient's circumstances and preferences change in a plan.

An activity that cannot be done is replaced by one that can, or stays and is named as a barrier with a referral.
What the patient declined is not proposed again: a talk is. What is not known changes nothing.
"""

from collections.abc import Sequence

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, Barrier, Reason
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.combine import falling, joining
from careplan_exchange.planner.deciding import merged
from careplan_exchange.planner.matching import Answer, ask, can_fall, is_ruled_out

from .adding import add
from .language import speak
from .rules import Change, Circumstance, Circumstances


def adapt(whole: Lines, policy: Circumstances, bindings: Bindings) -> None:
    """Change the lines of one combined plan, in the order of the rules: a later one sees what an earlier one put
    in place. A plan without activities is left alone."""
    for circumstance in policy.circumstances:
        if is_ruled_out(circumstance.when, bindings):
            continue
        matched = [(change, _taken(change, whole)) for change in circumstance.changes]
        concerned = [(change, lines) for change, lines in matched if lines]
        if not concerned:
            continue
        keys = [line.key for _, lines in concerned for line in lines]
        answer = ask(
            circumstance.when,
            bindings,
            about=circumstance.title,
            question=circumstance.question,
            needed_by=keys,
        )
        if answer.result == "true":
            for change in circumstance.changes:
                if lines := _taken(change, whole):
                    _change(change, circumstance, whole, policy, lines=lines, why=answer.reason)
        elif answer.result == "unknown" and circumstance.unknown == "ask":
            _ask(whole, concerned, answer)
    speak(whole, policy, bindings.snapshot.patient.language)


def _taken(change: Change, whole: Lines) -> list[ActivityProposal]:
    """A red flag is never replaced and never declined: somebody must look today."""
    takes_out = change.outcome in {"replaced", "declined"}
    return [
        line
        for line in whole.activities
        if (change.match is None or change.match.holds(line)) and (can_fall(line) or not takes_out)
    ]


def _change(
    change: Change,
    circumstance: Circumstance,
    whole: Lines,
    policy: Circumstances,
    *,
    lines: Sequence[ActivityProposal],
    why: Reason,
) -> None:
    told = Reason(
        text=f"{change.text.rstrip('.')}. {why.text}", rule=f"circumstance {circumstance.id}: {why.rule}",
        result="true", used=why.used,
    )  # fmt: skip
    keys = {line.key for line in lines}
    if change.outcome in {"replaced", "declined"}:
        falling.drop(whole, keys, (msgspec.structs.replace(told, result="false"),))
    elif change.match is not None:
        questions = (change.ask,) if change.ask else ()
        whole.activities = [
            msgspec.structs.replace(
                line,
                reasons=joining.both(line.reasons, (told,)),
                questions=joining.both(line.questions, questions),
            )
            if line.key in keys
            else line
            for line in whole.activities
        ]
    for_whom = lines if change.match is not None else ()
    by = None
    if change.by is not None:
        citations = (change.source.citation,)
        in_place = change.outcome == "replaced"
        by = add(whole, policy, change.by, for_whom, reasons=(told,), citations=citations, in_place=in_place)
    number = circumstance.changes.index(change) + 1
    whole.barriers.append(
        Barrier(
            key=f"circumstances/{circumstance.id}/{number}",
            title=circumstance.title,
            text=change.text,
            outcome=change.outcome,
            lines=tuple(line.key for line in for_whom),
            reasons=(why,),
            citations=(change.source.citation,),
            by=by,
        )
    )


def _ask(whole: Lines, concerned: Sequence[tuple[Change, list[ActivityProposal]]], answer: Answer) -> None:
    keys = {line.key for _, lines in concerned for line in lines}
    questions = tuple(gap.ask for gap in answer.gaps)
    whole.activities = [
        msgspec.structs.replace(
            line,
            questions=joining.both(line.questions, questions),
            missing=merged((*line.missing, *answer.gaps)),
        )
        if line.key in keys
        else line
        for line in whole.activities
    ]
    whole.gaps += answer.gaps
