"""A plan on one screen: what comes first, what is proposed of each kind, what is withheld, and why."""

from collections.abc import Iterator, Sequence

from rich.padding import Padding

from careplan_exchange.model.burden import in_words
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, Proposal
from careplan_exchange.planner.doses import doses
from careplan_exchange.review.because import because

from .show import escape, out

_KINDS = (
    ("Therapy, referral and surveillance", ("referral", "monitoring")),
    ("Medication, proposed to the clinician", ("medication",)),
    ("Diet", ("diet",)),
    ("Lifestyle", ("lifestyle",)),
)
_SHOWN = 7
"""How many lines of a section, the worthiest first; those left out are counted, and the page has them all."""


def print_summary(proposal: Proposal) -> None:
    """In the order of the page, red flags first. Education, and the full reasons, are left to the page."""
    for flag in proposal.red_flags:
        out.print(f"[bold red]{flag.within.upper()}: {escape(flag.banner)}[/] {escape(flag.action)}")
    titles = {line.key: line.title for line in proposal.activities}
    _print("In the patient's own words", [wish.text for wish in proposal.wishes])
    _print("Start with these", [titles[key] for key in proposal.start_with if key in titles])
    _print("Goals that are measured", [_measured(goal) for goal in proposal.goals if goal.targets])
    _print("Risk, by published equations", list(_risks(proposal)))
    for heading, kinds in _KINDS:
        lines = sorted((line for line in proposal.activities if line.kind in kinds), key=_starts_nothing)
        _print(heading, [_activity(line, proposal) for line in lines])
    _print("Withheld for safety", list(_withheld(proposal)))
    _print("Taken now, and a hazard", list(_taken(proposal)))
    _print("Avoid", [_with(line.avoid, because(line.reasons)) for line in proposal.restrictions])
    _print("Not known, to be asked", [gap.ask for gap in proposal.gaps], shown=3)
    if proposal.burden is not None:
        out.print(escape(in_words(proposal.burden)))
    out.print(f"[dim]{escape(proposal.disclaimer)}[/]")


def _print(heading: str, lines: Sequence[str], *, shown: int = _SHOWN) -> None:
    if not lines:
        return
    out.print(f"[bold]{escape(heading)}[/]")
    for line in lines[:shown]:
        title, _, why = line.partition("\n")
        text = f"• {escape(title)}" + (f" [dim]{escape(why)}[/]" if why else "")
        out.print(Padding(text, (0, 0, 0, 2), expand=False))
    if len(lines) > shown:
        out.print(f"  [dim]and {len(lines) - shown} more on the page[/]")


def _with(title: str, why: str) -> str:
    stop = "" if title.endswith(("?", ".")) else "."
    return f"{title}{stop}\n{why}" if why else title


def _starts_nothing(line: ActivityProposal) -> bool:
    """What would start a medicine comes before what looks at those that are taken."""
    return not line.medicines


def _measured(goal: GoalProposal) -> str:
    trends = [
        f"{', '.join(f'{reading.shown} ({reading.on})' for reading in trend.readings[-3:])}"
        f"{': ' + trend.status.replace('-', ' ') if trend.status else ''}"
        for trend in goal.progress
        if trend.readings
    ]
    return _with(goal.description, "; ".join(trends))


def _risks(proposal: Proposal) -> Iterator[str]:
    for risk in proposal.risks:
        if risk.value is not None:
            yield f"{risk.detail} {risk.band.title.capitalize() if risk.band else ''}".rstrip()


def _activity(line: ActivityProposal, proposal: Proposal) -> str:
    cautions = [
        item.detail for item in proposal.detected if item.action == "warned" and line.key in item.activities
    ]
    dose = doses(line.dosage)
    said = [
        *([f"{dose}."] if dose else []),
        because(line.reasons, most=1),
        *(f"Caution: {caution}" for caution in cautions),
    ]
    return _with(line.title, " ".join(said))


def _withheld(proposal: Proposal) -> Iterator[str]:
    """Once, where several protocols wanted the same."""
    yield from dict.fromkeys(
        _with(line.title, f"{line.detail}{f' Instead: {line.alternative}' if line.alternative else ''}")
        for line in proposal.withheld
    )


def _taken(proposal: Proposal) -> Iterator[str]:
    """Once a medicine, with every hazard that was found of it."""
    found: dict[str, dict[str, None]] = {}
    for item in proposal.detected:
        if item.action == "reported":
            found.setdefault(item.title, {}).update(dict.fromkeys([item.detail]))
    for title, hazards in found.items():
        yield _with(title, " ".join(hazards))
