"""What the linter asks of the actions of a PlanDefinition, and of what they point at."""

from collections.abc import Collection, Iterator
from typing import get_args

from careplan_exchange.model.issue import Finding
from careplan_exchange.model.proposal import Citation
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.spelling import did_you_mean, nearest

from . import elements
from .elements import Element, extension, items
from .library import Entry, Library
from .lint_conditions import Path, lint_condition, lint_dynamic
from .protocol import Priority, Selection

_IGNORED = {
    "trigger": "protocols are applied on request",
    "input": "conditions name their own variables",
    "output": "conditions name their own variables",
    "participant": "a person assigns the proposal",
    "transform": "there is no StructureMap engine here",
    "requiredBehavior": "a person decides on every line",
    "cardinalityBehavior": "every action is proposed once",
    "precheckBehavior": "nothing is pre-ticked",
    "timingDateTime": "only a timingTiming is used",
    "timingAge": "only a timingTiming is used",
    "timingPeriod": "only a timingTiming is used",
    "timingDuration": "only a timingTiming is used",
    "timingRange": "only a timingTiming is used",
    "definitionUri": "only a definitionCanonical is followed",
}
"""Elements that the core does not act on: one of them in a protocol of ours would promise what is not kept."""


def lint_actions(entry: Entry, library: Library, vocabulary: Vocabulary, used: set[str]) -> Iterator[Finding]:
    """`used` grows by the canonicals of the definitions that are pointed at."""
    actions = list(_walk(items(entry.resource, "action"), ("action",)))
    ids = [str(action.get("id")) for action, _ in actions]
    goals = {str(goal.get("id")) for goal in items(entry.resource, "goal")}
    document = entry.document
    for action, path in actions:
        if ids.count(str(action.get("id"))) > 1 or "id" not in action:
            yield document.finding("The action has no id of its own.", "Give it a unique id.", *path)
        for what, name, known, place in _names(action, ids, goals):
            if name not in known:
                yield document.finding(
                    f"There is no {what} '{name}'.", f"Mend the name.{did_you_mean(name, known)}", *path, *place
                )
        for element, why in _IGNORED.items():
            if element in action:
                yield document.finding(
                    f"The core does not act on {element}: {why}.", "Remove it.", *path, element
                )
        for index, condition in enumerate(items(action, "condition")):
            yield from lint_condition(condition, (*path, "condition", index), document, vocabulary)
        for index, dynamic in enumerate(items(action, "dynamicValue")):
            yield from lint_dynamic(dynamic, (*path, "dynamicValue", index), document, vocabulary)
        yield from _definition(action, path, entry, library, used)


def _names(action: Element, ids: list[str], goals: set[str]) -> Iterator[tuple[str, str, Collection[str], Path]]:
    """Everything in an action that must name something that is there, and where in the action it stands."""
    keys = {goal.split(".")[0] for goal in goals}
    yield from (("goal", goal, goals, ("goalId", n)) for n, goal in enumerate(items(action, "goalId")))
    yield from (("goal", goal, keys, ("extension",)) for goal in elements.extensions(action, elements.SUPPORTS))
    yield from (
        ("action", str(found.get("actionId")), ids, ("relatedAction", n, "actionId"))
        for n, found in enumerate(items(action, "relatedAction"))
    )
    for what, allowed, usual in (
        ("selectionBehavior", get_args(Selection), "any"),
        ("priority", get_args(Priority), "routine"),
    ):
        yield what, action.get(what, usual), allowed, (what,)


def _definition(action: Element, path: Path, entry: Entry, library: Library, used: set[str]) -> Iterator[Finding]:
    document = entry.document
    cited: tuple[Citation, ...] = elements.citations(items(action, "documentation"))
    canonical = action.get("definitionCanonical")
    if canonical is None:
        children = items(action, "action")
        if not children and not items(action, "goalId"):
            yield document.finding(
                "The action does nothing.", "Give it a definitionCanonical or a goalId.", *path
            )
        if not children and not cited:
            yield document.finding("The action has no citation.", "Add documentation of type citation.", *path)
        return
    target = library.find(canonical, entry)
    if target is None:
        used.add(nearest(canonical, library.canonicals()) or "")  # the one that was probably meant is not unused
        yield document.finding(
            f"Nothing has the canonical '{canonical}'.",
            f"Add the definition, or mend it.{did_you_mean(canonical, library.canonicals())}",
            *path,
            "definitionCanonical",
        )
        return
    used.add(f"{target.resource.get('url')}|{target.resource.get('version')}")
    if target.resource.get("resourceType") == "PlanDefinition":
        if _reaches(target, str(entry.resource.get("url")), library, set()):
            yield document.finding(
                "The plan comes back to itself.", "Break the circle.", *path, "definitionCanonical"
            )
        return
    if not cited and not elements.citations(items(target.resource, "relatedArtifact")):
        yield document.finding("The action has no citation.", "Add documentation of type citation.", *path)
    if extension(target.resource, elements.AVOID) and len(items(action, "goalId")) != 1:
        yield document.finding("A restriction has no goal of avoidance.", "Give the action one goalId.", *path)


def _reaches(entry: Entry, url: str, library: Library, seen: set[str]) -> bool:
    """Whether following definitions from here comes to that plan."""
    here = str(entry.resource.get("url"))
    if here == url:
        return True
    if here in seen:
        return False
    seen.add(here)
    targets = (
        library.find(action["definitionCanonical"], entry)
        for action, _ in _walk(items(entry.resource, "action"), ("action",))
        if "definitionCanonical" in action
    )
    return any(_reaches(target, url, library, seen) for target in targets if target is not None)


def _walk(actions: list[Element], path: Path) -> Iterator[tuple[Element, Path]]:
    for index, action in enumerate(actions):
        here = (*path, index)
        yield action, here
        yield from _walk(items(action, "action"), (*here, "action"))
