"""The parts of a narrative that rest on numbers: how far the goals have come, and the published equations."""

from careplan_exchange.model.progress import Progress
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.risk import RiskAssessment

from .xhtml import entry

_SHOWN = 3
"""How many of the latest values the text names; the Observations have them all."""


def progress(proposal: Proposal) -> list[str]:
    """Each goal with values on record: its latest ones, oldest first, and when the next is due."""
    items = []
    for goal in proposal.goals:
        trends = [trend for trend in goal.progress if trend.readings]
        if trends:
            said = (goal.achievement or "").replace("-", " ")
            items.append(
                entry(goal.description, *(("Values", _values(trend)) for trend in trends), ("Together", said))
            )
    return items


def worked_out(proposal: Proposal) -> list[RiskAssessment]:
    """The equations that have a result, or a result that is at least so much."""
    return [risk for risk in proposal.risks if risk.state in {"computed", "at-least"}]


def risks(proposal: Proposal) -> list[str]:
    """Each result with its band, its inputs and what it must not be used for. What was not worked out stands in
    the page of the plan: it says nothing about the patient."""
    return [
        entry(
            risk.detail,
            ("What it estimates", risk.outcome),
            ("Band", risk.band.title if risk.band else ""),
            ("From", "; ".join(f"{used.variable} {used.value}" for used in risk.used)),
            ("Limits", risk.limits),
            ("Source", risk.citation.label),
        )
        for risk in worked_out(proposal)
    ]


def _values(trend: Progress) -> str:
    values = ", ".join(f"{reading.shown} ({reading.on})" for reading in trend.readings[-_SHOWN:])
    status = f", {trend.status.replace('-', ' ')}" if trend.status else ""
    due = f"; next by {trend.due}" if trend.due else ""
    return f"{trend.measure} {values}{status}{due}"
