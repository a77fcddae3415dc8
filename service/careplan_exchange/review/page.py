"""One patient's plan as a page that stands alone: for reading, printing and reviewing. No script, no network."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from careplan_exchange.model.burden import in_words
from careplan_exchange.model.detected import DetectedIssue, RedFlag
from careplan_exchange.model.patient_text import base_of
from careplan_exchange.model.proposal import (
    ActivityProposal,
    Citation,
    GoalProposal,
    Proposal,
    Restriction,
    Target,
    Withheld,
)
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.planner.phrases import readable

from .because import because

_KINDS = (
    ("lifestyle", "Lifestyle"),
    ("diet", "Diet"),
    ("medication", "Medication (proposals only)"),
    ("monitoring", "Monitoring and surveillance"),
    ("referral", "Referral and therapy"),
    ("education", "Education"),
)
_LANGUAGES = {"en": "For the patient, in English", "es": "Para el paciente, en español"}
"""How each language that a protocol may have is announced, in that language."""

_SEVEREST_FIRST = ("high", "moderate", "low")

_RESULTS = {"computed", "at-least"}
"""The states of a RiskAssessment that has a value."""


class Words(NamedTuple):
    """A text for the patient: `language` is a primary subtag (BCP 47), `label` says whom it is for."""

    language: str
    label: str
    text: str


class _Held(NamedTuple):
    """What the gate holds back: one line, however many protocols wanted it; `found` are its DetectedIssues."""

    line: Withheld
    protocols: tuple[str, ...]
    found: tuple[DetectedIssue, ...]


def plan_page(proposal: Proposal, *, receipt: Receipt | None = None, server: str | None = None) -> str:
    """HTML of the whole proposal: each line with its reason, evidence, source and what was missing.

    `receipt` adds what was written, `server` the base URL it stands on. Everything is escaped; the page holds the
    patient's reference, never a name.
    """
    hazards = sorted(
        (item for item in proposal.detected if item.action in {"warned", "reported"}),
        key=lambda item: _SEVEREST_FIRST.index(item.severity),
    )
    held = _held(proposal)
    results = [risk for risk in proposal.risks if risk.state in _RESULTS]
    sources = _sources(proposal, hazards)
    parts = {
        "red-flags": ("First of all", proposal.red_flags),
        "wishes": ("In the patient's own words", proposal.wishes),
        "first": ("Start with these", proposal.start_with),
        "goals": ("Goals", proposal.goals),
        "avoid": ("Avoid", proposal.restrictions),
        "activities": ("Activities", proposal.at_once),
        "later": ("Activities, after the red flags have been looked at", proposal.later),
        "withheld": ("Withheld for safety", held),
        "hazards": ("Hazards found", hazards),
        "risks": ("Risk, by published equations", proposal.risks),
        "conflicts": ("What does not go together", proposal.conflicts),
        "barriers": ("Preferences and circumstances", proposal.barriers),
        "burden": ("What it takes", proposal.burden),
        "gaps": ("What the record does not say", proposal.gaps),
        "issues": ("What could not be used", proposal.issues),
        "sources": ("Sources", sources),
        "written": ("What was written", receipt),
    }
    return _template().render(
        proposal=proposal,
        receipt=receipt,
        server=server,
        parts={name: heading for name, (heading, content) in parts.items() if content},
        at_once=_by_kind(proposal.at_once),
        later=_by_kind(proposal.later),
        first=[line for key in proposal.start_with for line in proposal.activities if line.key == key],
        hazards=hazards,
        held=held,
        results=results,
        not_worked_out=[risk for risk in proposal.risks if risk.state not in _RESULTS],
        sources=sources,
        goals={goal.key: goal.description for goal in proposal.goals},
        target=_target_text,
        unit=readable,
        because=because,
        titles=_titles(proposal),
        cautions=lambda line: [item for item in hazards if line.key in item.activities],
        words=lambda line: words_for(line, proposal.language),
        takes=in_words(proposal.burden) if proposal.burden is not None else "",
    )


def words_for(line: GoalProposal | ActivityProposal | Restriction | RedFlag, language: str | None) -> list[Words]:
    """The line's texts for the patient in each language it has, the patient's own first."""
    texts = {"en": line.patient_text, **line.patient_texts}
    own = base_of(language) or "en"
    ordered = sorted(texts, key=lambda tag: (tag != own, tag != "en", tag))
    return [
        Words(tag, _LANGUAGES.get(tag, f"For the patient ({tag})"), texts[tag]) for tag in ordered if texts[tag]
    ]


def _titles(proposal: Proposal) -> dict[str, str]:
    """What each key of the plan stands for; where it stands no more, what it was."""
    return {
        **{line.key: line.title for line in proposal.not_applied},
        **{line.key: line.title for line in proposal.withheld},
        **{line.key: line.description for line in proposal.goals},
        **{line.key: line.title for line in proposal.activities},
    }


def _held(proposal: Proposal) -> list[_Held]:
    """Two protocols that want the same medicine for the same patient are held back for one reason: said once."""
    same: dict[tuple[object, ...], list[Withheld]] = {}
    for line in proposal.withheld:
        same.setdefault((line.title, line.detail, line.certain, line.alternative), []).append(line)
    held = []
    for lines in same.values():
        keys = {line.key for line in lines}
        found = [
            item
            for item in proposal.detected
            if item.action == "withheld" and (item.key in keys or keys & set(item.activities))
        ]
        once = {(item.hazard, item.severity, item.mitigation): item for item in reversed(found)}
        protocols = tuple(dict.fromkeys(line.protocol.title for line in lines))
        held.append(_Held(lines[0], protocols, tuple(reversed(once.values()))))
    return held


def _sources(proposal: Proposal, hazards: Iterable[DetectedIssue]) -> list[Citation]:
    """Each source once, in the order in which the page names them."""
    cited: tuple[Any, ...] = (
        *proposal.red_flags,
        *proposal.goals,
        *proposal.restrictions,
        *proposal.activities,
        *proposal.withheld,
        *proposal.conflicts,
        *proposal.barriers,
        *hazards,
    )
    equations = (risk.citation for risk in proposal.risks)
    return list(dict.fromkeys([*(one for line in cited for one in line.citations), *equations]))


def _by_kind(activities: Sequence[ActivityProposal]) -> list[tuple[str, list[ActivityProposal]]]:
    """With the heading of each kind that there is."""
    groups = ((title, [each for each in activities if each.kind == kind]) for kind, title in _KINDS)
    return [(title, members) for title, members in groups if members]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("careplan_exchange.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("plan.html")


def _target_text(target: Target) -> str:
    unit = readable(target.unit)
    if target.low is not None and target.high is not None:
        said = f"{target.low} to {target.high}" if target.low != target.high else f"{target.low}"
    elif target.high is not None:
        said = f"at most {target.high}"
    elif target.low is not None:
        said = f"at least {target.low}"
    else:
        return "to be agreed"
    return f"{said} {unit}".rstrip()
