"""The parts of a narrative about the plan as a whole: what the patient wants, what comes first, what does not go
together, and what it takes."""

from careplan_exchange.model.burden import in_words
from careplan_exchange.model.proposal import Proposal, Reason

from . import wording
from .datatypes import evidence_of, without_patient
from .xhtml import entry, escaped

_SAID_BY = {
    "patient": "The patient",
    "related-person": "Somebody near the patient",
    "professional": "A professional, on the patient's behalf",
}
_DECIDED = {
    "first": "The first stands, by rule.",
    "second": "The second stands, by rule.",
    "neither": "Neither stands, by rule.",
    "choice": "The site has chosen.",
    "ask": "A person decides.",
}
_DONE = {
    "replaced": "Replaced by",
    "referral": "Help",
    "declined": "Declined; offered instead",
    "noted": "To think of",
}


def wishes(proposal: Proposal) -> list[str]:
    """Each with who said it; its words are not ours."""
    return [entry(wish.text, ("Said by", _SAID_BY[wish.by])) for wish in proposal.wishes]


def first(proposal: Proposal) -> list[str]:
    titles = {line.key: line.title for line in proposal.activities}
    return [escaped(titles[key]) for key in proposal.start_with if key in titles]


def conflicts(proposal: Proposal) -> list[str]:
    return [
        entry(
            conflict.title,
            ("What", conflict.text),
            ("Decided", _DECIDED[conflict.policy]),
            *_why(conflict.reasons),
            ("Source", "; ".join(wording.cited(citation) for citation in conflict.citations)),
        )
        for conflict in proposal.conflicts
    ]


def barriers(proposal: Proposal) -> list[str]:
    titles = {line.key: line.title for line in proposal.not_applied}
    titles |= {line.key: line.title for line in proposal.withheld}
    titles |= {line.key: line.title for line in proposal.activities}
    return [
        entry(
            barrier.title,
            ("What", barrier.text),
            ("Concerns", "; ".join(titles[key] for key in barrier.lines if key in titles)),
            (_DONE[barrier.outcome], titles.get(barrier.by or "", "")),
            *_why(barrier.reasons),
            ("Source", "; ".join(wording.cited(citation) for citation in barrier.citations)),
        )
        for barrier in proposal.barriers
    ]


def burden(proposal: Proposal) -> list[str]:
    return [escaped(in_words(proposal.burden))] if proposal.burden is not None else []


def _why(reasons: tuple[Reason, ...]) -> tuple[tuple[str, str], ...]:
    evidence = dict.fromkeys(each.reference for each in without_patient(evidence_of(reasons)))
    return (("Why", wording.why(reasons)), ("Read from", ", ".join(evidence)))
