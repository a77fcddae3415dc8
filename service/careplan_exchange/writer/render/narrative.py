"""CarePlan.text: the whole plan in XHTML, for a reader whose system shows nothing else of it.

Every word from a protocol or a record is escaped. There is no name, no date of the run and no id of the
exchange in it, so the same plan always gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from careplan_exchange.model.changes import Json
from careplan_exchange.model.proposal import (
    ActivityProposal,
    Citation,
    Gap,
    GoalProposal,
    Proposal,
    Reason,
    Restriction,
    Target,
    Withheld,
)

from . import wording
from .datatypes import evidence_of, lines, without_patient

_XML_FORBIDS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))
"""Characters that no XML 1.0 document may hold, escaped or not (https://www.w3.org/TR/xml/#charsets)."""


def narrative(proposal: Proposal, title: str) -> Json:
    """Its status is "additional": it says what CarePlan has no element for, such as what is not known."""
    sections = (
        ("Goals", [_goal(goal) for goal in proposal.goals]),
        ("Activities", [_activity(activity) for activity in proposal.activities]),
        ("Avoid", [_restriction(restriction) for restriction in proposal.restrictions]),
        ("Withheld", [_withheld(item) for item in proposal.withheld]),
        ("What is not known", _unknown(proposal)),
        ("Sources", _sources(proposal)),
    )
    body = "".join(f"<h3>{heading}</h3>{_list(items)}" for heading, items in sections if items)
    div = (
        '<div xmlns="http://www.w3.org/1999/xhtml">'
        f"<h2>{_text(title)}</h2><p><b>{_text(wording.DISCLAIMER)}</b></p>{body}</div>"
    )
    return {"status": "additional", "div": div}


def _goal(goal: GoalProposal) -> str:
    aims = "; ".join(_target(target) for target in goal.targets)
    return _item(
        goal.description,
        ("Target", aims),
        ("For the patient", goal.patient_text),
        *_grounds(goal.reasons, goal.citations, goal.missing),
    )


def _activity(activity: ActivityProposal) -> str:
    return _item(
        activity.title,
        ("What", activity.description),
        ("For the patient", activity.patient_text),
        ("Ask first", " ".join(activity.questions)),
        *_grounds(activity.reasons, activity.citations, activity.missing),
    )


def _restriction(restriction: Restriction) -> str:
    return _item(
        restriction.avoid,
        ("For the patient", restriction.patient_text),
        *_grounds(restriction.reasons, restriction.citations, restriction.missing),
    )


def _withheld(item: Withheld) -> str:
    return _item(
        wording.withheld_title(item),
        ("What", item.detail),
        ("Severity", item.severity),
        *_grounds(item.reasons, item.citations, item.missing),
    )


def _unknown(proposal: Proposal) -> list[str]:
    """Each question once, with the lines of the plan that wait for its answer."""
    titles = {line.key: line.description for line in proposal.goals}
    titles |= {line.key: line.title for line in proposal.activities}
    titles |= {line.key: line.title for line in proposal.withheld}
    titles |= {line.key: line.title for line in proposal.not_applied}
    asked: dict[str, dict[str, None]] = {}
    for gap in proposal.gaps:
        asked.setdefault(gap.ask, {}).update(dict.fromkeys(titles.get(key, "") for key in gap.needed_by))
    items = []
    for ask, needed_by in asked.items():
        needed = "; ".join(title for title in needed_by if title)
        items.append(_item(ask, ("Needed for", needed)))
    return items


def _sources(proposal: Proposal) -> list[str]:
    citations = dict.fromkeys(citation for line in lines(proposal) for citation in line.citations)
    protocols = [_text(f"Protocol: {wording.protocol(ref)}, {ref.url}") for ref in proposal.protocols]
    return [*protocols, *(_citation(citation) for citation in citations)]


def _grounds(
    reasons: Sequence[Reason], citations: Sequence[Citation], missing: Sequence[Gap]
) -> tuple[tuple[str, str], ...]:
    evidence = dict.fromkeys(each.reference for each in without_patient(evidence_of(reasons)))
    return (
        ("Why", wording.why(reasons)),
        ("Read from", ", ".join(evidence)),
        ("Not known", " ".join(dict.fromkeys(gap.ask for gap in missing))),
        ("Source", "; ".join(wording.cited(citation) for citation in citations)),
    )


def _target(target: Target) -> str:
    name = target.measure.display or target.measure.code or ""
    match target.low, target.high:
        case None, None:
            return name
        case None, high:
            bounds = f"at most {high:f}"
        case low, None:
            bounds = f"at least {low:f}"
        case low, high:
            bounds = f"{low:f}" if low == high else f"{low:f} to {high:f}"
    return f"{name} {bounds} {target.unit}"


def _citation(citation: Citation) -> str:
    label = _text(wording.cited(citation))
    if citation.url and urlsplit(citation.url).scheme in {"http", "https"}:
        return f"<a href={quoteattr(citation.url.translate(_XML_FORBIDS))}>{label}</a>"
    return f"{label} {_text(citation.url)}" if citation.url else label


def _item(title: str, *details: tuple[str, str]) -> str:
    below = "".join(f"<br/>{label}: {_text(text)}" for label, text in details if text)
    return f"<b>{_text(title)}</b>{below}"


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _text(value: str) -> str:
    return escape(value.translate(_XML_FORBIDS))
