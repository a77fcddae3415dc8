"""PlanDefinitions and ActivityDefinitions in YAML or JSON to compiled protocols.

What cannot be compiled becomes a `problem` on the action that it concerns, so that one broken action of a
foreign plan takes nothing else with it. Our own protocols have none: `lint` refuses them before.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast, get_args

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ActivityKind, ProtocolRef
from careplan_exchange.model.snapshot import Coding

from . import elements
from .elements import Element, extension, items
from .expressions import Expression, compiled
from .library import Entry, Library
from .protocol import (
    Action,
    ActivityTemplate,
    Condition,
    DynamicValue,
    GoalTemplate,
    Priority,
    Protocol,
    Selection,
    TargetTemplate,
    Unknown,
)
from .syntax import SyntaxProblemError

PLAN_FILES = ("plan.yaml", "plan.yml", "plan.json")
FHIRPATH = "text/fhirpath"
_TIMINGS = ("timingDateTime", "timingAge", "timingPeriod", "timingDuration", "timingRange")


def compile_protocols(documents: Sequence[Document]) -> tuple[Protocol, ...]:
    """Every active PlanDefinition in a file called `plan.*`, ordered by id. Definitions elsewhere are what they
    point at. Nothing is checked here beyond what compiling needs."""
    library = Library(documents)
    plans = [
        Entry(resource=document.content, document=document)
        for document in documents
        if document.path.rsplit("/", 1)[-1] in PLAN_FILES and document.content.get("status") == "active"
    ]
    return tuple(sorted((_protocol(plan, library) for plan in plans), key=lambda protocol: protocol.id))


def _protocol(entry: Entry, library: Library) -> Protocol:
    plan = entry.resource
    name = plan.get("id") or plan.get("name") or plan.get("url", "plan")
    compiler = _Compiler(entry, library, action_prefix=f"{name}/action", goal_prefix=f"{name}/goal", seen=())
    actions = compiler.actions(items(plan, "action"))
    period = plan.get("effectivePeriod") or {}
    return Protocol(
        id=name,
        ref=ProtocolRef(
            url=plan.get("url", f"urn:careplan-exchange:plan:{name}"),
            version=plan.get("version", ""),
            title=plan.get("title") or name,
        ),
        valid_from=period.get("start"),
        valid_to=period.get("end"),
        goals=tuple(compiler.goals),
        actions=actions,
        citations=elements.citations(items(plan, "relatedArtifact")),
    )


class _Compiler:
    """One PlanDefinition in its place: nested ones get a compiler of their own with longer keys."""

    def __init__(
        self, entry: Entry, library: Library, *, action_prefix: str, goal_prefix: str, seen: tuple[str, ...]
    ) -> None:
        self._entry = entry
        self._library = library
        self._action_prefix = action_prefix
        self._goal_prefix = goal_prefix
        self._seen = (*seen, entry.resource.get("url", entry.document.path))
        self._keys: set[str] = set()
        self.goals: list[GoalTemplate] = [self._goal(goal) for goal in items(entry.resource, "goal")]

    def actions(self, found: list[Element]) -> tuple[Action, ...]:
        return tuple(self._action(action) for action in found)

    def _action(self, action: Element) -> Action:
        canonical: str | None = action.get("definitionCanonical")
        key = self._key(
            action.get("id") or (canonical or "").rsplit("/", 1)[-1].split("|")[0].lstrip("#") or "action"
        )
        problems = [
            self._problem("timing", "not-supported", key, f"its {name} is not used", "Give a timingTiming.")
            for name in _TIMINGS
            if name in action
        ]
        definition: ActivityTemplate | None = None
        children = self.actions(items(action, "action"))
        if canonical is not None:
            target = self._library.find(canonical, self._entry)
            kind = target.resource.get("resourceType") if target else None
            if target is None:
                problems.append(
                    self._problem(
                        "definition", "not-found", key, f"{canonical} is not there", "Add the definition."
                    )
                )
            elif kind == "ActivityDefinition":
                definition, problem = _activity(target.resource)
                if problem:
                    problems.append(
                        self._problem("definition", "not-supported", key, problem, "Use another kind.")
                    )
            elif kind == "PlanDefinition" and target.resource.get("url") not in self._seen:
                children += self._nested(target, key)
            else:
                said = "comes back to itself" if kind == "PlanDefinition" else f"is a {kind}"
                mend = "Point at an ActivityDefinition or at another PlanDefinition."
                problems.append(self._problem("definition", "not-supported", key, f"{canonical} {said}", mend))
        if "definitionUri" in action:
            problems.append(
                self._problem(
                    "definition", "not-supported", key, "a definitionUri is not followed", "Use a canonical."
                )
            )
        return Action(
            key=key,
            title=action.get("title") or (definition.title if definition else None) or key.rsplit("/", 1)[-1],
            title_given="title" in action,
            description=action.get("description"),
            patient_text=extension(action, elements.PATIENT_TEXT),
            priority=cast("Priority | None", action.get("priority")),
            timing=action.get("timingTiming"),
            codings=tuple(coding for concept in items(action, "code") for coding in elements.codings(concept)),
            conditions=tuple(_condition(found) for found in items(action, "condition")),
            goals=tuple(f"{self._goal_prefix}/{goal}" for goal in items(action, "goalId")),
            supports=tuple(
                f"{self._goal_prefix}/{goal}" for goal in elements.extensions(action, elements.SUPPORTS)
            ),
            dynamic_values=tuple(_dynamic(found) for found in items(action, "dynamicValue")),
            citations=elements.citations(items(action, "documentation")),
            selection=cast("Selection", action.get("selectionBehavior", "any")),
            related=tuple(
                (found.get("relationship", "related-to"), f"{self._action_prefix}/{found.get('actionId')}")
                for found in items(action, "relatedAction")
            ),
            definition=definition,
            children=children,
            problems=tuple(problems),
        )

    def _nested(self, target: Entry, key: str) -> tuple[Action, ...]:
        inner = _Compiler(
            target,
            self._library,
            action_prefix=key,
            goal_prefix=f"{self._goal_prefix}/{key.rsplit('/', 1)[-1]}",
            seen=self._seen,
        )
        actions = inner.actions(items(target.resource, "action"))
        self.goals.extend(inner.goals)
        return actions

    def _goal(self, goal: Element) -> GoalTemplate:
        name = goal.get("id") or "goal"
        return GoalTemplate(
            id=f"{self._goal_prefix}/{name}",
            key=f"{self._goal_prefix}/{name.split('.')[0]}",
            description=elements.text(goal.get("description")) or name,
            patient_text=extension(goal, elements.PATIENT_TEXT) or elements.text(goal.get("description")) or name,
            category=elements.code(goal.get("category"), "treatment"),
            priority=elements.code(goal.get("priority"), "medium-priority"),
            citations=elements.citations(items(goal, "documentation")),
            targets=tuple(_target(found) for found in items(goal, "target")),
            addresses=tuple(
                coding for concept in items(goal, "addresses") for coding in elements.codings(concept)
            ),
        )

    def _key(self, name: str) -> str:
        """The key of an action; a name that is there already gets a number, so that no two share one."""
        key, count = f"{self._action_prefix}/{name}", 1
        while key in self._keys:
            count += 1
            key = f"{self._action_prefix}/{name}-{count}"
        self._keys.add(key)
        return key

    def _problem(self, what: str, issue_code: str, key: str, said: str, mend: str) -> Issue:
        return Issue(
            severity="warning",
            code=issue_code,
            key=f"planner.apply.{what}",
            detail=f"Action '{key}': {said}.",
            mend=mend,
        )


def _condition(found: Element) -> Condition:
    expression, problem, source = _expression(found.get("expression") or {})
    return Condition(
        kind=found.get("kind", "applicability"),
        source=source,
        expression=expression,
        problem=problem,
        unknown=cast("Unknown", extension(found, elements.UNKNOWN) or "leave-out"),
        safety=extension(found, elements.SAFETY),
        question=extension(found, elements.QUESTION),
        description=(found.get("expression") or {}).get("description"),
    )


def _dynamic(found: Element) -> DynamicValue:
    expression, problem, source = _expression(found.get("expression") or {})
    return DynamicValue(path=found.get("path", ""), source=source, expression=expression, problem=problem)


def _expression(found: Element) -> tuple[Expression | None, str | None, str]:
    """The compiled expression, or what stands against it, and its text."""
    source: str = found.get("expression") or found.get("name") or ""
    if found.get("language") != FHIRPATH:
        return None, f"its language '{found.get('language')}' is not evaluated here, only {FHIRPATH}", source
    try:
        return compiled(source), None, source
    except SyntaxProblemError as problem:
        return None, f"it is not FHIRPath: {problem}", source


def _target(found: Element) -> TargetTemplate:
    bounds = found.get("detailRange") or {}
    exact = found.get("detailQuantity")
    low, high = bounds.get("low") or {}, bounds.get("high") or {}
    if exact:
        comparator = exact.get("comparator", "")
        low, high = ({} if "<" in comparator else exact), ({} if ">" in comparator else exact)
    due = found.get("due") or {}
    return TargetTemplate(
        measure=next(iter(elements.codings(found.get("measure"))), Coding()),
        unit=low.get("code") or high.get("code") or low.get("unit") or high.get("unit") or "",
        low=elements.number(low.get("value")),
        high=elements.number(high.get("value")),
        due=(Decimal(str(due["value"])), due.get("code", "d")) if "value" in due else None,
    )


def _activity(definition: dict[str, Any]) -> tuple[ActivityTemplate | None, str | None]:
    """The template, or why there is none."""
    resource_kind = definition.get("kind")
    if resource_kind not in {"ServiceRequest", "MedicationRequest"}:
        return None, f"its definition is of kind {resource_kind}, which no activity can be"
    concept = definition.get("productCodeableConcept") or definition.get("code")
    title = definition.get("title") or elements.text(concept) or definition.get("name") or "Activity"
    description = definition.get("description") or title
    kinds = [found.code for topic in items(definition, "topic") for found in elements.codings(topic)]
    fallback = "medication" if resource_kind == "MedicationRequest" else "monitoring"
    return ActivityTemplate(
        title=title,
        description=description,
        patient_text=extension(definition, elements.PATIENT_TEXT) or description,
        kind=cast("ActivityKind", next((kind for kind in kinds if kind in get_args(ActivityKind)), fallback)),
        resource_kind=resource_kind,
        priority=cast("Priority", definition.get("priority", "routine")),
        codings=elements.codings(concept),
        timing=definition.get("timingTiming"),
        dynamic_values=tuple(_dynamic(found) for found in items(definition, "dynamicValue")),
        citations=elements.citations(items(definition, "relatedArtifact")),
        avoid=extension(definition, elements.AVOID),
    ), None
