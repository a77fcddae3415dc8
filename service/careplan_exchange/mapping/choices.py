"""value[x] is a choice of one (http://hl7.org/fhir/R4/formats.html#choice): of two, none is certain."""

from operator import attrgetter

from careplan_exchange.model.record import Resource

from .context import Context
from .wire import Valued

_NAMES = tuple(name for name in Valued.__struct_fields__ if name.startswith("value_"))
_values = attrgetter(*_NAMES)


def has_several_values(context: Context, resource: Resource, valued: Valued, expression: str) -> bool:
    """Whether there is more than one value[x]: then none is used, and an issue says so."""
    if _values(valued).count(None) >= len(_NAMES) - 1:
        return False
    context.note(
        resource,
        "value.several",
        "An Observation has more than one value[x], where FHIR allows one, so none was used.",
        severity="error",
        code="structure",
        expression=f"{expression}.value",
        mend="Correct the resource on the server, or report the server.",
    )
    return True
