"""The receipt: what one exchange came to, for whoever asked for it."""

from collections.abc import Sequence

import msgspec

from careplan_exchange.model.changes import WrittenResource
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.review import Decision


def receipt_of(
    exchange: str, proposal: Proposal, decision: Decision, written: Sequence[WrittenResource]
) -> Receipt:
    """Every resource once: as it was written, as it waits, or as it stands; every Issue of every step. What a
    person is asked is told by `naming`."""
    resources = {
        resource.identity: ReceiptResource(
            reference=f"{resource.type}/{resource.id}", version_id=resource.version_id, action=resource.action
        )
        for resource in written
    }
    for change, waits in (
        *((change, False) for change in decision.write.changes),
        *((change, change.action != "unchanged") for change in decision.wait.changes),
    ):
        resources.setdefault(
            change.identity,
            ReceiptResource(
                reference=change.reference,
                version_id=change.version_id,
                action="pending" if waits else change.action,
            ),
        )
    lost = (issue for resource in written for issue in resource.issues)
    issues = (
        *proposal.issues,
        *lost,
        *decision.write.issues,
        *decision.wait.issues,
    )
    return Receipt(
        outcome="review" if decision.waits else "written" if written else "unchanged",
        resources=tuple(resources.values()),
        issues=tuple(dict.fromkeys(issues)),
        exchange=exchange,
    )


def naming(receipt: Receipt, review: str, why: Sequence[str]) -> Receipt:
    """The receipt with the review under which a person finds what waits, and an Issue for each sentence why. This
    is the only place where one is made: whatever waits is told in the same way."""
    issues = dict.fromkeys((*receipt.issues, *(_waiting(sentence, review) for sentence in why)))
    return msgspec.structs.replace(receipt, review=review, issues=tuple(issues))


def _waiting(sentence: str, review: str) -> Issue:
    return Issue(
        severity="warning",
        code="business-rule",
        key="review.waiting",
        detail=sentence,
        mend=f"See `careplan review show {review}`.",
    )
