"""What a vendor's server demands of a search, for a sandbox that plays it.

Epic: an Observation search names a category or a code (https://open.epic.com/Clinical/Observation), a CarePlan
search a category (the combination that US Core obliges a server to have:
https://hl7.org/fhir/us/core/StructureDefinition-us-core-careplan.html).
"""

from collections.abc import Collection, Mapping

from .outcomes import refusal

OWN_NAME = "careplan-exchange sandbox"

_DEMANDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Epic": {"Observation": ("category", "code"), "CarePlan": ("category",)},
}


def require_demanded(software: str, resource_type: str, names: Collection[str]) -> None:
    """Raises RefusalError (400) where the server that is played would not search by these parameters."""
    wanted = _DEMANDS.get(software, {}).get(resource_type, ())
    if wanted and "_id" not in names and not any(name in wanted for name in names):
        raise refusal(400, "required", f"A search for {resource_type} names one of: {', '.join(wanted)}.")
