"""A plan that stands as a document: a revision is a new document that replaces the one before it.

`compare` sees a document to create and one that is no more proposed. Here both become one step: the new one says
which it replaces (http://hl7.org/fhir/R4/documentreference.html, `relatesTo`), the old one is superseded. Where a
person has changed, replaced or deleted the old one, it is left alone, and whether a new one is written is theirs
to decide.
"""

from collections.abc import Mapping, Sequence

import msgspec

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Held, Json, ResourceChange
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import FhirRelease

from .notices import DOCUMENT_CHANGED
from .rules import STATUSES

DOCUMENT = "DocumentReference"
_RELATION = "http://hl7.org/fhir/document-relationship-type"


def stands_as_final(held: Sequence[Held]) -> bool:
    """Whether an approved document stands: its revision is not a draft again."""
    return any(
        one.type == DOCUMENT and one.body.get("docStatus") == "final" and one.body.get("status") == "current"
        for one in held
    )


def as_revision(changes: ChangeSet, bases: Mapping[str, Base], release: FhirRelease) -> ChangeSet:
    """`changes` as `compare` gave them for a plan on rung "document"; `bases` what was written last."""
    new = next((one for one in changes.changes if one.type == DOCUMENT and one.action == "create"), None)
    if new is None:
        return changes
    earlier = [one for one in changes.changes if one.type == DOCUMENT and one is not new]
    seen = {one.identity for one in changes.changes}
    gone = [
        f"{base.type}/{base.id}"
        for base in bases.values()
        if base.type == DOCUMENT and base.identity not in seen and base.ours.get("status") == "current"
    ]
    touched = [one.reference for one in earlier if _touched(one)] + gone
    if touched:
        step = _asked(new)
        issues = (*changes.issues, *(_issue(reference) for reference in touched))
    else:
        replaced = [one.reference for one in earlier if one.action == "update"]
        step = _replacing(new, replaced, release) if replaced else new
        issues = changes.issues
    return msgspec.structs.replace(
        changes, changes=tuple(step if one is new else one for one in changes.changes), issues=issues
    )


def _touched(change: ResourceChange) -> bool:
    """By a person: an element that we would supersede over their head, or a status that ended it."""
    if any(element.kind == "conflict" for element in change.elements):
        return True
    ended = (change.theirs or {}).get("status") in STATUSES[DOCUMENT].terminal
    ours_is = (change.base.ours if change.base else change.ours).get("status")
    return ended and ours_is not in STATUSES[DOCUMENT].terminal


def _asked(new: ResourceChange) -> ResourceChange:
    question = ElementChange(path=DOCUMENT, kind="conflict", before=None, theirs=None, ours=new.body)
    return msgspec.structs.replace(new, action="unchanged", body={}, elements=(question,))


def _replacing(new: ResourceChange, references: Sequence[str], release: FhirRelease) -> ResourceChange:
    code = {"coding": [{"system": _RELATION, "code": "replaces"}]} if release == "R5" else "replaces"
    relates: list[Json] = [{"code": code, "target": {"reference": reference}} for reference in references]
    body = {**new.body, "relatesTo": relates}
    return msgspec.structs.replace(new, body=body, ours=body)


def _issue(reference: str) -> Issue:
    return Issue(
        severity="warning",
        code="conflict",
        key=DOCUMENT_CHANGED,
        detail="Somebody has changed, replaced or deleted this document. It is left alone, and no new one is "
        "written in its place.",
        source=reference,
        mend="Approve the review to have the new document written, or reject it to leave it so.",
    )
