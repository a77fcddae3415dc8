"""Activities that a person wants otherwise than they were proposed, before the safety gate once more."""

from collections.abc import Collection, Sequence

from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .bindings import Bindings
from .policies import Policies
from .safety import Checked, check, recognised


def hazards(
    activities: Sequence[Checked],
    edited: Collection[str],
    snapshot: Snapshot,
    vocabulary: Vocabulary,
    policies: Policies,
) -> tuple[DetectedIssue, ...]:
    """What speaks against these activities standing together: every rule that would hold back one of those that
    were `edited` (by key), and of each edited medicine that the rules do not know that nothing could be checked.
    Empty where nothing was edited, or where no rules were loaded."""
    gate = policies.safety
    if gate is None or not edited:
        return ()
    found = check(activities, Bindings(snapshot, vocabulary, policies.risks), gate)
    held = tuple(one for one in found if one.action == "withheld" and set(one.activities) & set(edited))
    unknown = tuple(_unknown(one) for one in activities if one.key in edited and not recognised(one, gate))
    return (*held, *unknown)


def _unknown(activity: Checked) -> DetectedIssue:
    return DetectedIssue(
        key=f"safety/unknown/{activity.key}",
        rule="unknown-medicine",
        hazard="missing",
        severity="high",
        action="withheld",
        certain=False,
        title=activity.title,
        detail="The safety rules do not know this medicine by its code, so nothing could be checked",
        mitigation="Name the product by a code that the rules know.",
        reasons=(),
        citations=(),
        activities=(activity.key,),
    )
