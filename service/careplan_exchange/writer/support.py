"""What is asked of a target's CapabilityStatement before anything is sent to it."""

from collections.abc import Sequence

from careplan_exchange.errors import UnsupportedServerError, WrongPatientError
from careplan_exchange.fhir import Capabilities
from careplan_exchange.model.changes import Json, ResourceChange


def require_support(changes: Sequence[ResourceChange], capabilities: Capabilities) -> None:
    """Raises UnsupportedServerError where the target says that it does not take one of these, or cannot find it
    again by its identifier: then nothing could be repeated safely."""
    for change in changes:
        if not supports(capabilities, change.type, change.action):
            raise UnsupportedServerError(
                f"The target does not list {change.action} of {change.type} as supported; nothing was sent.",
                mend="Use another server as --target: a plan needs CarePlan and Goal, and what they point at.",
            )
        if capabilities.parameters.get(change.type) and not capabilities.searchable(change.type, "identifier"):
            raise UnsupportedServerError(
                f"The target cannot search {change.type} by identifier, so a write could not be repeated safely; "
                "nothing was sent.",
                mend="Have that search parameter switched on, or use another server as --target.",
            )


def require_versions(changes: Sequence[ResourceChange]) -> None:
    """Raises UnsupportedServerError where nothing could tell the server which version an update is meant for."""
    for change in changes:
        if change.action != "create" and not change.version_id:
            raise UnsupportedServerError(
                f"The target gives no version for {change.reference}, so an update could overwrite somebody "
                "else's change unnoticed; nothing was sent.",
                mend=f"Have versioning of {change.type} switched on, or use another server as --target.",
            )


def require_one_patient(changes: Sequence[ResourceChange]) -> None:
    """Raises WrongPatientError where what stands under our identity is about another patient than what we would
    write: an id means nothing in another tenant, and a record may have been merged or made anew."""
    about = {_subject(change.ours) or _subject(change.body) for change in changes} - {None}
    for change in changes:
        if change.theirs and _subject(change.theirs) not in about:  # empty: it is made, as a person wants it
            raise WrongPatientError(
                f"{change.reference} carries our identifier and is about another patient; nothing was sent.",
                mend="If both are one person's records, have them merged there; otherwise see that `identity` of "
                "the endpoint is that of no other server.",
            )
    if len(about) > 1:
        raise WrongPatientError(
            "One write would be about several patients; nothing was sent.",
            mend="Report it with the exchange's id: it is a defect of this software.",
        )


def _subject(body: Json) -> str | None:
    reference = (body.get("subject") or body.get("patient") or {}).get("reference")
    return reference.rpartition("/")[2] if isinstance(reference, str) else None


def supports(capabilities: Capabilities, resource_type: str, interaction: str) -> bool:
    """A statement that lists no resource at all says nothing about any."""
    return capabilities.says_nothing or capabilities.supports(resource_type, interaction)
