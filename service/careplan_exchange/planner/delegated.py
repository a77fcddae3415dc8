"""Reading what another engine answered to `$apply`: a CarePlan with a RequestGroup inside, or a Bundle of R5.

In: its JSON. Out: the actions in their order, and what it said of its own errors. Nothing of it is judged.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from careplan_exchange.model.delegated import DelegatedAction

from .elements import Element, items, text

_GROUPS = frozenset({"RequestGroup", "RequestOrchestration"})


def actions_of(answer: Element) -> tuple[DelegatedAction, ...]:
    """The innermost actions of every group that no action of another one stands for."""
    resources = _resources(answer)
    groups = [found for found in resources.values() if found.get("resourceType") in _GROUPS]
    inner = {
        id(resources[reference])
        for group in groups
        for action in _walk(items(group, "action"))
        if (reference := (action.get("resource") or {}).get("reference", "")) in resources
    }
    outer = [group for group in groups if id(group) not in inner]
    return tuple(action for group in outer for action in _actions(items(group, "action"), resources))


def said_in(answer: Element) -> tuple[str, ...]:
    """What its OperationOutcomes say."""
    return tuple(
        str(issue.get("diagnostics") or text(issue.get("details")) or issue.get("code"))
        for found in _resources(answer).values()
        if found.get("resourceType") == "OperationOutcome"
        for issue in items(found, "issue")
    )


def _resources(answer: Element) -> Mapping[str, Element]:
    """Every resource of the answer by the reference that it may be called by there."""
    found: dict[str, Element] = {}
    entries = [entry["resource"] for entry in items(answer, "entry") if "resource" in entry]
    for resource in (answer, *entries):
        found[f"{resource.get('resourceType')}/{resource.get('id')}"] = resource
        for inner in items(resource, "contained"):
            found[f"#{inner.get('id')}"] = inner
    return found


def _walk(actions: list[Any]) -> Iterator[Element]:
    for action in actions:
        yield action
        yield from _walk(items(action, "action"))


def _actions(actions: list[Any], resources: Mapping[str, Element]) -> Iterator[DelegatedAction]:
    for action in actions:
        request = resources.get((action.get("resource") or {}).get("reference", ""), {})
        if request.get("resourceType") in _GROUPS:
            yield from _actions(items(request, "action"), resources)
        elif items(action, "action"):
            yield from _actions(items(action, "action"), resources)
        else:
            yield DelegatedAction(
                title=action.get("title")
                or text(request.get("code"))
                or action.get("description")
                or "(no title)",
                description=action.get("description"),
                resource_kind=request.get("resourceType"),
            )
