"""The sentences of a plan that are not a protocol's own. None of them depends on the day or the run."""

from collections.abc import Iterable

from careplan_exchange.model.proposal import Citation, Gap, ProtocolRef, Reason, Withheld

DISCLAIMER = (
    "Draft for review by a clinician. It was made by software from the protocols named below and the record as "
    "it stood. Nothing in it is an order; it does not replace clinical judgement."
)


def why(reasons: Iterable[Reason]) -> str:
    return " ".join(dict.fromkeys(reason.text.strip() for reason in reasons if reason.text.strip()))


def cited(citation: Citation) -> str:
    grade = f" ({citation.grade})" if citation.grade else ""
    return f"{citation.label}{grade}"


def protocol(ref: ProtocolRef) -> str:
    return f"{ref.title}, version {ref.version}"


def explanation(
    reasons: Iterable[Reason], citations: Iterable[Citation], missing: Iterable[Gap], ref: ProtocolRef
) -> str:
    """The reason of one line, for a note of the resource itself: it must be readable where the plan is not."""
    parts = [
        ("Why: ", [why(reasons)]),
        ("Not known: ", [gap.ask for gap in missing]),
        ("Source: ", [f"{cited(c)}, {c.url}" if c.url else cited(c) for c in citations]),
        ("Protocol: ", [protocol(ref)]),
    ]
    lines = (label + "; ".join(text for text in dict.fromkeys(texts) if text) for label, texts in parts)
    return "\n".join(line for line in lines if not line.endswith(": "))


def instruction(description: str, questions: Iterable[str]) -> str:
    """What to do, and what to ask before it is done."""
    asked = " ".join(questions)
    return f"{description} Ask first: {asked}" if asked else description


def withheld_title(item: Withheld) -> str:
    certainty = "Contraindicated" if item.certain else "Held back until a fact is known"
    return f"{certainty}: {item.title}"
