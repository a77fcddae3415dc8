"""What goes with every write, in the same transaction: Provenance, and an AuditEvent per resource written.

Pure. In: the changes that will be sent, the proposal they come from, a CompanionContext, the target's release.
Out: bodies without an id. They hold references, versions and codes only; what was measured, and about whom, stays
in the resources that they point at.
"""

from collections.abc import Iterable
from typing import Literal

from careplan_exchange.model.changes import Action, Json, ResourceChange
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import FhirRelease

from .balp import audit_event
from .context import CompanionContext
from .provenance import provenance

_ACTIVITIES: tuple[tuple[Action, Literal["CREATE", "UPDATE"]], ...] = (("create", "CREATE"), ("update", "UPDATE"))


def companions(
    changes: Iterable[ResourceChange],
    proposal: Proposal,
    context: CompanionContext,
    release: FhirRelease,
) -> tuple[Json, ...]:
    """One Provenance for what is created and one for what is updated, then one AuditEvent per resource where they
    go with the write.

    A reference to a resource that is created in the same transaction is its `urn:uuid:`.
    """
    sent = tuple(change for change in changes if change.action != "unchanged")
    made = [
        provenance(of_kind, activity, proposal, context, release)
        for action, activity in _ACTIVITIES
        if (of_kind := tuple(change for change in sent if change.action == action))
    ]
    events = (audit_event(change, context, release) for change in sent if context.events)
    return (*made, *events)
