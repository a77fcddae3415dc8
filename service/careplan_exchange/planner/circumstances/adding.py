"""An activity of a rule's own, for the lines that it stands in for or helps with."""

from collections.abc import Sequence

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, Citation, ProtocolRef, Reason
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.combine import joining
from careplan_exchange.planner.deciding import merged

from .rules import Circumstances

_PRIORITIES = ("stat", "asap", "urgent", "routine")


def add(
    whole: Lines,
    policy: Circumstances,
    name: str,
    lines: Sequence[ActivityProposal],
    *,
    reasons: tuple[Reason, ...],
    citations: tuple[Citation, ...],
    in_place: bool,
) -> str:
    """The template `name` as an activity, once a plan, for the goals of these lines; its key. One that stands
    `in_place` of them takes over what speaks for them, their urgency and benefit, and their open questions."""
    template, about = policy.template(name), policy.about[0]
    activity = ActivityProposal(
        key=f"circumstances/action/{template.id}",
        protocol=ProtocolRef(url=about.url, version=about.version, title=about.title),
        kind=template.kind,
        resource_kind="ServiceRequest",
        title=template.title,
        description=template.description,
        patient_text=template.patient_text,
        patient_texts={"es": template.patient_text_es},
        priority="routine",
        reasons=reasons,
        citations=joining.both((template.source.citation,), citations),
        codings=tuple(Coding(system=c.system, code=c.code, display=c.display) for c in template.codes),
        involves=template.involves,
        goals=tuple(dict.fromkeys(goal for line in lines for goal in line.goals)),
        addresses=tuple(dict.fromkeys(found for line in lines for found in line.addresses)),
    )
    if in_place:
        activity = msgspec.structs.replace(
            activity,
            reasons=joining.both(reasons, tuple(reason for line in lines for reason in line.reasons)),
            citations=joining.both(
                activity.citations, tuple(cited for line in lines for cited in line.citations)
            ),
            priority=min((line.priority for line in lines), key=_PRIORITIES.index),
            benefit=max((line.benefit for line in lines if line.benefit is not None), default=None),
            missing=merged(gap for line in lines for gap in line.missing),
            questions=tuple(dict.fromkeys(question for line in lines for question in line.questions)),
        )
    place = next((n for n, line in enumerate(whole.activities) if line.key == activity.key), None)
    if place is None:
        whole.activities.append(activity)
    else:
        there = whole.activities[place]
        whole.activities[place] = joining.activities(there, activity, there)
    return activity.key
