"""CarePlan.text: the whole plan in XHTML, for a reader whose system shows nothing else of it.

Every word from a protocol or a record is escaped. There is no name, no date of the run and no id of the
exchange in it, so the same plan always gives the same bytes.
"""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from careplan_exchange.model.changes import Json
from careplan_exchange.model.detected import DetectedIssue, RedFlag
from careplan_exchange.model.patient_text import for_patient
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
from careplan_exchange.planner.doses import doses
from careplan_exchange.planner.phrases import readable

from . import measured, together, wording
from .datatypes import evidence_of, found, lines, without_patient
from .xhtml import XML_FORBIDS
from .xhtml import entry as _item
from .xhtml import escaped as _text


def narrative(proposal: Proposal, title: str) -> Json:
    """Its status is "additional": it says what CarePlan has no element for, such as what is not known."""
    read_in = proposal.language
    sections = (
        ("First of all", [_red_flag(flag, read_in) for flag in proposal.red_flags]),
        ("In the patient's own words", together.wishes(proposal)),
        ("Start with these", together.first(proposal)),
        ("Goals", [_goal(goal, read_in) for goal in proposal.goals]),
        ("How far the goals have come", measured.progress(proposal)),
        ("Activities", [_activity(activity, read_in) for activity in proposal.at_once]),
        ("After this has been looked at", [_activity(activity, read_in) for activity in proposal.later]),
        ("Avoid", [_restriction(restriction, read_in) for restriction in proposal.restrictions]),
        ("Withheld", [_withheld(item) for item in proposal.withheld]),
        ("Hazards found", [_hazard(item) for item in found(proposal) if item.action != "withheld"]),
        ("Risk, by published equations", measured.risks(proposal)),
        ("What does not go together", together.conflicts(proposal)),
        ("Preferences and circumstances", together.barriers(proposal)),
        ("What it takes", together.burden(proposal)),
        ("What is not known", _unknown(proposal)),
        ("Sources", _sources(proposal)),
    )
    body = "".join(f"<h3>{_text(heading)}</h3>{_list(items)}" for heading, items in sections if items)
    div = (
        '<div xmlns="http://www.w3.org/1999/xhtml">'
        f"<h2>{_text(title)}</h2><p><b>{_text(proposal.disclaimer)}</b></p>{body}</div>"
    )
    return {"status": "additional", "div": div}


def _red_flag(flag: RedFlag, language: str | None) -> str:
    return _item(
        wording.banner(flag),
        ("What to do", flag.action),
        ("For the patient", for_patient(flag.patient_text, flag.patient_texts, language)),
        *_grounds(flag.reasons, flag.citations, ()),
    )


def _goal(goal: GoalProposal, language: str | None) -> str:
    aims = "; ".join(_target(target) for target in goal.targets)
    return _item(
        goal.description,
        ("Target", aims),
        ("For the patient", for_patient(goal.patient_text, goal.patient_texts, language)),
        *_grounds(goal.reasons, goal.citations, goal.missing),
    )


def _activity(activity: ActivityProposal, language: str | None) -> str:
    return _item(
        activity.title,
        ("What", activity.description),
        ("Dose", doses(activity.dosage)),
        ("For the patient", for_patient(activity.patient_text, activity.patient_texts, language)),
        ("Ask first", " ".join(activity.questions)),
        *_grounds(activity.reasons, activity.citations, activity.missing),
    )


def _restriction(restriction: Restriction, language: str | None) -> str:
    return _item(
        restriction.avoid,
        ("For the patient", for_patient(restriction.patient_text, restriction.patient_texts, language)),
        *_grounds(restriction.reasons, restriction.citations, restriction.missing),
    )


def _withheld(item: Withheld) -> str:
    return _item(
        wording.withheld_title(item),
        ("What", item.detail),
        ("Severity", item.severity),
        ("Instead", item.alternative or ""),
        *_grounds(item.reasons, item.citations, item.missing),
    )


def _hazard(item: DetectedIssue) -> str:
    return _item(
        wording.issue_title(item),
        ("What", item.detail),
        ("Severity", item.severity),
        ("What to do", " ".join(wording.mitigations(item))),
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
    cited = (*lines(proposal), *proposal.conflicts, *proposal.barriers)
    citations = dict.fromkeys(citation for line in cited for citation in line.citations)
    citations |= dict.fromkeys(risk.citation for risk in measured.worked_out(proposal))
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
    return f"{name} {bounds} {readable(target.unit)}".rstrip()


def _citation(citation: Citation) -> str:
    label = _text(wording.cited(citation))
    if citation.url and urlsplit(citation.url).scheme in {"http", "https"}:
        return f"<a href={quoteattr(citation.url.translate(XML_FORBIDS))}>{label}</a>"
    return f"{label} {_text(citation.url)}" if citation.url else label


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
