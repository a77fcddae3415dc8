"""How a proposal looks on a terminal: what must be seen first, then the lines with reason and source."""

from collections.abc import Iterator, Mapping, Sequence

from rich.panel import Panel
from rich.table import Table

from careplan_exchange.model.burden import in_words
from careplan_exchange.model.proposal import (
    ActivityProposal,
    Citation,
    GoalProposal,
    Proposal,
    Reason,
    Restriction,
    Target,
    Withheld,
)
from careplan_exchange.planner.differences import target_text

from . import show
from .show import escape

AFTERWARDS = "Activities, after the red flags have been looked at"
_READINGS_SHOWN = 3
_NEEDED_BY_SHOWN = 3
_DECIDED = {"choice": "the site", "ask": "a person must"}


Line = GoalProposal | ActivityProposal | Restriction | Withheld
Shared = Mapping[str, frozenset[str]]
"""By canonical of a protocol the reasons that all its lines have: they are told once, with the protocol."""


def print_proposal(proposal: Proposal) -> None:
    for flag in proposal.red_flags:
        text = f"{flag.banner}\n{flag.action}\n{_why_plain(flag.reasons)}"
        show.out.print(Panel(escape(text), title=flag.within.upper(), border_style="bold red"))
    head = f"Proposal for {proposal.patient.reference} as of {proposal.as_of}"
    show.out.print(Panel(escape(head), subtitle="a proposal: a clinician decides"))
    show.out.print(f"[dim]{escape(proposal.disclaimer)}[/]")
    shared = _shared(proposal)
    _print_protocols(proposal, shared)
    _print_wishes(proposal)
    _print_goals_and_activities(proposal, shared)
    _print_safety(proposal, shared)
    _print_risks(proposal)
    _print_together(proposal)
    if proposal.gaps:
        shown = show.table("Not known", "what", "question", "needed by")
        for gap in proposal.gaps:
            more = len(gap.needed_by) - _NEEDED_BY_SHOWN
            needed = [*gap.needed_by[:_NEEDED_BY_SHOWN], *([f"and {more} more"] if more > 0 else [])]
            shown.add_row(escape(gap.concept), escape(gap.ask), escape("\n".join(needed)))
        show.out.print(shown)
    show.print_issues(proposal.issues)
    if proposal.protocols:
        show.out.print(
            "[bold]Next:[/] careplan explain --item KEY (why a line is there or not, what would change it)"
        )


def _lines(proposal: Proposal) -> tuple[Line, ...]:
    return (*proposal.goals, *proposal.activities, *proposal.withheld)


def _shared(proposal: Proposal) -> Shared:
    found: dict[str, list[set[str]]] = {}
    for line in _lines(proposal):
        texts = {reason.text for reason in line.reasons}
        found.setdefault(line.protocol.canonical, []).append(texts)
    return {name: frozenset(set.intersection(*texts)) for name, texts in found.items() if len(texts) > 1}


def _print_protocols(proposal: Proposal, shared: Shared) -> None:
    if not proposal.protocols:
        show.out.print("No protocol applies.")
        return
    shown = show.table("Protocols", "protocol", "why")
    for protocol in proposal.protocols:
        told = dict.fromkeys(
            reason.text
            for line in _lines(proposal)
            if line.protocol == protocol
            for reason in line.reasons
            if reason.text in shared.get(protocol.canonical, ())
        )
        shown.add_row(escape(f"{protocol.title} {protocol.version}"), escape("\n".join(told)))
    show.out.print(shown)


def _print_goals_and_activities(proposal: Proposal, shared: Shared) -> None:
    if proposal.goals:
        shown = show.table("Goals", "goal", "target", "why", "source")
        for goal in proposal.goals:
            targets = "\n".join([*(_target(t) for t in goal.targets), *_progress(goal)])
            shown.add_row(escape(goal.description), targets, _own(goal, shared), _sources(goal.citations))
        show.out.print(shown)
    for title, activities in (("Activities", proposal.at_once), (AFTERWARDS, proposal.later)):
        if activities:
            show.out.print(_activities(title, activities, shared))


def _activities(title: str, activities: Sequence[ActivityProposal], shared: Shared) -> Table:
    shown = show.table(title, "kind", "activity", "why", "source")
    for activity in activities:
        text = "\n".join([activity.title, *(f"? {question}" for question in activity.questions)])
        shown.add_row(activity.kind, escape(text), _own(activity, shared), _sources(activity.citations))
    return shown


def _own(line: Line, shared: Shared) -> str:
    """The reasons of this line alone; of one that has none, that it is for all to whom the protocol applies."""
    known = shared.get(line.protocol.canonical, frozenset())
    own = [reason for reason in line.reasons if reason.text not in known]
    return _why(own) if own else escape(f"As for '{line.protocol.title}'.")


def _print_wishes(proposal: Proposal) -> None:
    """The patient's own goals come first, as they said them."""
    if proposal.wishes:
        shown = show.table("In the patient's own words", "goal", "said by", "where")
        for wish in proposal.wishes:
            shown.add_row(escape(wish.text), wish.by, escape(wish.evidence.reference))
        show.out.print(shown)


def _print_together(proposal: Proposal) -> None:
    """What is true of the plan as a whole."""
    if proposal.conflicts:
        shown = show.table("What does not go together", "what", "decided by", "lines", "source")
        for conflict in proposal.conflicts:
            text = f"{conflict.title}\n{conflict.text}"
            who = _DECIDED.get(conflict.policy, "rule")
            shown.add_row(escape(text), who, "\n".join(conflict.lines), _sources(conflict.citations))
        show.out.print(shown)
    if proposal.barriers:
        shown = show.table("Preferences and circumstances", "what", "done", "lines", "why")
        for barrier in proposal.barriers:
            done = f"{barrier.outcome}\n{barrier.by or ''}".rstrip()
            text = f"{barrier.title}\n{barrier.text}"
            shown.add_row(escape(text), done, "\n".join(barrier.lines), _why(barrier.reasons))
        show.out.print(shown)
    if proposal.start_with:
        titles = {line.key: line.title for line in proposal.activities}
        show.out.print("[bold]Start with these:[/]")
        for number, key in enumerate(proposal.start_with, 1):
            show.out.print(f"  {number}. {escape(titles.get(key, key))}")
    if proposal.burden is not None:
        show.out.print(escape(in_words(proposal.burden)))


def _print_safety(proposal: Proposal, shared: Shared) -> None:
    if proposal.restrictions:
        shown = show.table("Avoid", "what", "why", "source")
        for restriction in proposal.restrictions:
            shown.add_row(escape(restriction.avoid), _own(restriction, shared), _sources(restriction.citations))
        show.out.print(shown)
    if proposal.withheld:
        shown = show.table("Withheld for safety", "what", "certain", "why", "source")
        for withheld in proposal.withheld:
            certain = "yes" if withheld.certain else "not known"
            instead = f"\nInstead: {withheld.alternative}" if withheld.alternative else ""
            what = escape(withheld.title + instead)
            shown.add_row(what, certain, _own(withheld, shared), _sources(withheld.citations))
        show.out.print(shown)
    found = [item for item in proposal.detected if item.action in {"warned", "reported"}]
    if found:
        shown = show.table("Hazards found", "what", "severity", "what to do", "source")
        for item in found:
            about = "taken now" if item.action == "reported" else "proposed"
            what = f"{item.title} ({about}): {item.detail}"
            shown.add_row(escape(what), item.severity, escape(item.mitigation), _sources(item.citations))
        show.out.print(shown)


def _progress(goal: GoalProposal) -> Iterator[str]:
    """The status, then each measure's last values, oldest first, and when it is due again."""
    if goal.achievement is not None:
        yield f"[bold]{goal.achievement}[/]"
    for trend in goal.progress:
        values = ", ".join(f"{reading.shown} ({reading.on})" for reading in trend.readings[-_READINGS_SHOWN:])
        due = f"; next by {trend.due}" if trend.due else ""
        yield escape(f"{values or 'no value'}{due}")


def _print_risks(proposal: Proposal) -> None:
    if proposal.risks:
        shown = show.table("Risk, by published equations", "what", "result", "source")
        for risk in proposal.risks:
            band = f"\n{risk.band.title}" if risk.band else ""
            text = f"{risk.detail}{band}"
            shown.add_row(escape(risk.outcome), escape(text), _sources([risk.citation]))
        show.out.print(shown)


def _target(target: Target) -> str:
    text = escape(target_text(target))
    return f"{text}\nby {target.due}" if target.due else text


def _why(reasons: Sequence[Reason]) -> str:
    return escape(_why_plain(reasons))


def _why_plain(reasons: Sequence[Reason]) -> str:
    return "\n".join(reason.text for reason in reasons)


def _sources(citations: Sequence[Citation]) -> str:
    return escape("\n".join(f"{c.short or c.label}{f' ({c.grade})' if c.grade else ''}" for c in citations))
