"""From a query plan to the searches for one patient."""

from datetime import date

from careplan_exchange.errors import IncompleteRecordError
from careplan_exchange.fhir import Capabilities, Query
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import shape_of

from .kinds import NEEDED
from .patient import in_part, not_searched
from .plans import Plan, TypePlan

_INCLUDED = {"medication": "Medication", "device": "Device"}


def searchable(plan: Plan, capabilities: Capabilities) -> tuple[tuple[TypePlan, ...], tuple[Issue, ...]]:
    """The types of the plan that the server has, and an Issue for each that it lacks or shows in part.

    Raises IncompleteRecordError for one without which nothing can be planned. Whether the search parameter is
    listed too is not asked: lists are often incomplete, and the search itself tells. A statement that lists no
    type at all says nothing about any: everything is asked for.
    """
    wanted = tuple(kind for kind in plan.types if shape_of(capabilities.release) in kind.releases)
    listed = capabilities.interactions
    present = tuple(k for k in wanted if not listed or capabilities.supports(k.type, "search-type"))
    missing = [kind.type for kind in wanted if kind not in present]
    needed = [name for name in missing if name in NEEDED]
    if needed:
        raise IncompleteRecordError(
            f"The server's CapabilityStatement has no search for {', '.join(needed)}.",
            mend="A plan cannot be made without them: use an endpoint that has them, or a Bundle file.",
        )
    parts = [in_part(kind.type, kind.each.reason) for kind in present if kind.each and not kind.each.whole]
    return present, (*(not_searched(name) for name in missing), *parts)


def queries_for(
    plan: Plan, kind: TypePlan, capabilities: Capabilities, patient_id: str, today: date
) -> tuple[Query, ...]:
    """The searches for one type: one, or one for each of the values that the plan names.

    What only narrows is left out where the server lists the parameters of the type without it: more is found, and
    nothing is lost.
    """
    listed = capabilities.parameters.get(kind.type, frozenset())
    narrowing = [one for one in kind.only if not listed or one.name in listed]
    includes = [i for i in kind.include if _included(plan, capabilities, kind.type, i)]
    always = (
        (kind.parameter, kind.value.replace("<id>", patient_id)),
        *((one.name, one.value.replace("<today>", today.isoformat())) for one in (*kind.also, *narrowing)),
    )
    closing = (*(("_include", include) for include in includes), ("_count", str(kind.count)))
    splits = [((kind.each.parameter, value),) for value in kind.each.values] if kind.each is not None else [()]
    return tuple(
        Query(
            kind.type,
            (*always, *split, *closing),
            included=frozenset(_INCLUDED[include.partition(":")[2]] for include in includes),
            estimates_total=plan.estimates_total,
        )
        for split in splits
    )


def takes_batch(plan: Plan, capabilities: Capabilities) -> bool:
    """Whether the first pages of all searches are asked for in one request."""
    return plan.batch == "yes" or (plan.batch == "as-stated" and capabilities.batch)


def _included(plan: Plan, capabilities: Capabilities, resource_type: str, include: str) -> bool:
    if plan.include != "as-stated":
        return plan.include == "yes"
    return not capabilities.includes.get(resource_type, frozenset()).isdisjoint({include, "*"})
