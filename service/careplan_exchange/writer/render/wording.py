"""The sentences of a plan that are not a protocol's own. None of them depends on the day or the run."""

from collections.abc import Iterable

from careplan_exchange.model.detected import DetectedIssue, RedFlag
from careplan_exchange.model.proposal import ActivityProposal, Citation, Gap, ProtocolRef, Reason, Withheld
from careplan_exchange.planner.doses import doses

_FOUND = {"withheld": "Contraindicated", "warned": "Caution", "reported": "Taken now", "asked": "To be asked"}


def why(reasons: Iterable[Reason]) -> str:
    return " ".join(dict.fromkeys(reason.text.strip() for reason in reasons if reason.text.strip()))


def cited(citation: Citation) -> str:
    grade = f" ({citation.grade})" if citation.grade else ""
    return f"{citation.label}{grade}"


def protocol(ref: ProtocolRef) -> str:
    return f"{ref.title}, version {ref.version}"


def explanation(
    reasons: Iterable[Reason], citations: Iterable[Citation], missing: Iterable[Gap], ref: ProtocolRef | None
) -> str:
    """The reason of one line, for a note of the resource itself: it must be readable where the plan is not.
    What a safety rule found belongs to no protocol."""
    parts = [
        ("Why: ", [why(reasons)]),
        ("Not known: ", [gap.ask for gap in missing]),
        ("Source: ", [f"{cited(c)}, {c.url}" if c.url else cited(c) for c in citations]),
        ("Protocol: ", [protocol(ref)] if ref is not None else []),
    ]
    lines = (label + "; ".join(text for text in dict.fromkeys(texts) if text) for label, texts in parts)
    return "\n".join(line for line in lines if not line.endswith(": "))


def instruction(proposed: ActivityProposal) -> str:
    """What to do, in which dose, and what to ask before it is done."""
    said = [proposed.description]
    if dose := doses(proposed.dosage):
        said.append(f"Dose: {dose}.")
    if proposed.questions:
        said.append(f"Ask first: {' '.join(proposed.questions)}")
    return " ".join(said)


def withheld_title(item: Withheld) -> str:
    certainty = "Contraindicated" if item.certain else "Held back until a fact is known"
    return f"{certainty}: {item.title}"


def issue_title(item: DetectedIssue) -> str:
    if item.action == "withheld" and not item.certain:
        return f"Held back until a fact is known: {item.title}"
    return f"{_FOUND[item.action]}: {item.title}"


def mitigations(item: DetectedIssue) -> tuple[str, ...]:
    """What to do, and what a source names instead."""
    return (item.mitigation, *((f"Instead: {item.alternative}",) if item.alternative else ()))


def banner(flag: RedFlag) -> str:
    return f"{'NOW' if flag.within == 'now' else 'TODAY'}: {flag.banner}"
