"""From a Proposal to the resources that would be written, in R4, R4B or R5. Pure: same arguments, same bytes.

In: a Proposal, a RenderContext, the form in which the target takes a plan. Out: Rendered resources, each with our
identifier, the CarePlan last because it points at the others; nothing where no protocol applies. On rung
"document" they are the content of one DocumentReference. They refer to one another by `urn:uuid:`. A line of the
proposal keeps its element id (`CarePlan.activity.id`, `Goal.target.id`) from run to run, so that a merge can
match it. Only `period.start`, `created`, `startDate`, due dates and `identifiedDateTime` depend on the day. Read
r4.py first; wording.py and narrative.py hold the sentences.
"""

import msgspec

from careplan_exchange.errors import HypotheticalPlanError
from careplan_exchange.model.changes import Rendered
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.target import TargetForm

from . import r4, r5
from .context import RenderContext
from .document import document

__all__ = ["RenderContext", "render"]


def render(proposal: Proposal, context: RenderContext, form: TargetForm) -> tuple[Rendered, ...]:
    """Raises HypotheticalPlanError for a plan that rests on assumptions."""
    if proposal.assumed:
        raise HypotheticalPlanError(
            "A plan that rests on assumptions is never written.", mend="Plan again without --assume."
        )
    if not proposal.protocols:
        return ()
    if form.rung == "document":
        form = msgspec.structs.replace(form, without=frozenset())  # what is in a document needs no taking
    native = r5 if form.release == "R5" else r4
    rendered = native.render(proposal, context, form)
    return (document(rendered, context, form),) if form.rung == "document" else rendered
