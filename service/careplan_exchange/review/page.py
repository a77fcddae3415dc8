"""One patient's plan as a page that stands alone: for reading, printing and reviewing. No script, no network."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from careplan_exchange.model.proposal import ActivityProposal, Proposal, Target
from careplan_exchange.model.receipt import Receipt

_KINDS = (
    ("lifestyle", "Lifestyle"),
    ("diet", "Diet"),
    ("medication", "Medication (proposals only)"),
    ("monitoring", "Monitoring"),
    ("referral", "Referral"),
    ("education", "Education"),
)


def plan_page(proposal: Proposal, *, receipt: Receipt | None = None, server: str | None = None) -> str:
    """HTML of the whole proposal: each line with its reason, evidence, source and what was missing.

    `receipt` adds what was written, `server` the base URL it stands on. Everything is escaped; the page holds the
    patient's reference, never a name.
    """
    groups: list[tuple[str, list[ActivityProposal]]] = []
    for kind, title in _KINDS:
        members = [activity for activity in proposal.activities if activity.kind == kind]
        if members:
            groups.append((title, members))
    goals = {goal.key: goal.description for goal in proposal.goals}
    return _template().render(
        proposal=proposal, receipt=receipt, server=server, groups=groups, goals=goals, target=_target_text
    )


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
    if target.low is not None and target.high is not None:
        return f"{target.low} to {target.high} {target.unit}"
    if target.high is not None:
        return f"at most {target.high} {target.unit}"
    if target.low is not None:
        return f"at least {target.low} {target.unit}"
    return "to be agreed"
