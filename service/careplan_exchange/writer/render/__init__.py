"""From a Proposal to the resources that would be written, in R4 or R5. Pure: same arguments, same bytes.

In: a Proposal, a RenderContext, the release of the target. Out: Rendered resources, each with our identifier, the
CarePlan last because it points at the others; nothing where no protocol applies. They refer to one another by
`urn:uuid:`. A line of the proposal keeps its element id (`CarePlan.activity.id`, `Goal.target.id`) from run to
run, so that a merge can match it. Only `period.start`, `created`, `startDate`, due dates and
`identifiedDateTime` depend on the day. Read r4.py first; wording.py and narrative.py hold the sentences.
"""

from careplan_exchange.errors import HypotheticalPlanError
from careplan_exchange.model.changes import Rendered
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import FhirRelease

from . import r4, r5
from .context import RenderContext

__all__ = ["RenderContext", "render"]


def render(proposal: Proposal, context: RenderContext, release: FhirRelease) -> tuple[Rendered, ...]:
    """Raises HypotheticalPlanError for a plan that rests on assumptions."""
    if proposal.assumed:
        raise HypotheticalPlanError(
            "A plan that rests on assumptions is never written.", mend="Plan again without --assume."
        )
    if not proposal.protocols:
        return ()
    return r4.render(proposal, context) if release == "R4" else r5.render(proposal, context)
