"""The reasons of a line in a few words: what of this patient's record brought it into the plan."""

from collections.abc import Sequence

from careplan_exchange.model.grounds import Reason

_ABOUT_ANYBODY = {"age", "sex"}
"""Variables that hold of most patients alike; they are shown with the whole of the reasons."""


def because(reasons: Sequence[Reason], *, most: int = 2) -> str:
    """The first `most` reasons that hold by something recorded and are about more than age and sex, without the
    clauses that were told already. Where there is none: the last that holds, which is nearest to the line, or
    the first."""
    told: list[str] = []
    seen: set[str] = set()
    holding = [reason for reason in reasons if reason.result == "true"]
    for reason in holding:
        clauses = [clause.strip(" .") for clause in reason.text.split(";")]
        new = [clause for clause in clauses if clause.casefold() not in seen]
        if new and _tells(reason):
            told.append(_sentence("; ".join(new)))
        seen |= {clause.casefold() for clause in clauses}
    nearest = holding[-1:] or reasons[:1]
    return " ".join(told[:most] or [reason.text for reason in nearest])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _tells(reason: Reason) -> bool:
    """What is recorded as absent holds nothing back, but brings nothing into a plan either."""
    return any(
        used.evidence and used.variable not in _ABOUT_ANYBODY and not used.value.startswith("absent")
        for used in reason.used
    )
