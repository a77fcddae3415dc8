"""A change as a question: nothing of it is written before a person has agreed."""

import msgspec

from careplan_exchange.model.changes import ElementChange, Held, ResourceChange


def asked(change: ResourceChange, why: str, *, whole: bool = False) -> ResourceChange:
    """The same change with everything of ours a conflict. What already is one keeps its own reason, unless the
    change is one question as a `whole`."""
    if change.action == "create":
        question = ElementChange(
            path=change.type, kind="conflict", ours=change.ours, why=why, line=change.identity
        )
        return msgspec.structs.replace(change, action="unchanged", body={}, elements=(question,))
    if change.theirs is None:
        return change
    elements = tuple(
        msgspec.structs.replace(element, kind="conflict", why=why)
        if element.kind == "ours" or (whole and element.kind == "conflict")
        else element
        for element in change.elements
    )
    return msgspec.structs.replace(change, action="unchanged", body=change.theirs, elements=elements)


def instead_of(change: ResourceChange, after: Held) -> ResourceChange:
    """A new plan that names the one whose place it takes (http://hl7.org/fhir/R4/careplan-definitions.html
    #CarePlan.replaces: a completed or terminated one, so not one that was entered in error)."""
    if after.body.get("status") == "entered-in-error":
        return change
    body = {**change.body, "replaces": [{"reference": after.reference}]}
    return msgspec.structs.replace(change, body=body, ours=body)
