"""PlanDefinitions and ActivityDefinitions in YAML or JSON to compiled protocols.

What cannot be compiled becomes a `problem` on the action that it concerns, so that one broken action of a
foreign plan takes nothing else with it. What makes a plan unfit as a whole (a circle, a version that is not
there, two actions with one id, no end of nesting, a target without a measure) becomes a `fault`, and nothing of
it is proposed. Our own protocols have neither: `lint` refuses them before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Issue, Severity
from careplan_exchange.model.proposal import ProtocolRef

from . import behaviours, elements
from .conditions import condition_of, dynamic_of
from .definitions import Defined, defined_by
from .elements import Element, extension, items, several
from .goals import goal_of, not_carried, unmeasured
from .library import Entry, Library
from .protocol import MOST_ACTIONS, MOST_LEVELS, Action, Grouping, Priority, Protocol, Selection
from .timings import when_of

PLAN_FILES = ("plan.yaml", "plan.yml", "plan.json")
_NOT_ACTED_ON = ("trigger", "input", "output", "transform")
_OPPOSITE = frozenset({"remove"})
"""Codes of http://terminology.hl7.org/CodeSystem/action-type by which the action ends what it names."""


def compile_protocols(documents: Sequence[Document]) -> tuple[Protocol, ...]:
    """Every active PlanDefinition in a file called `plan.*`, ordered by id. Definitions elsewhere are what they
    point at. Nothing is checked here beyond what compiling needs."""
    library = Library(documents)
    plans = [
        Entry(resource=document.content, document=document)
        for document in documents
        if document.path.rsplit("/", 1)[-1] in PLAN_FILES and document.content.get("status") == "active"
    ]
    return tuple(sorted((protocol_of(plan, library) for plan in plans), key=lambda protocol: protocol.id))


def protocol_of(
    entry: Entry, library: Library, *, foreign: bool = False, problems: Iterable[Issue] = ()
) -> Protocol:
    """One PlanDefinition with what it points at in `library`. `problems` are told beside those found here."""
    plan = entry.resource
    name = plan.get("id") or plan.get("name") or plan.get("url", "plan")
    compiler = _Compiler(entry, library, _Place(f"{name}/action", f"{name}/goal", ()), _Tally(name))
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
        faults=tuple(dict.fromkeys(compiler.tally.faults)),
        problems=(*problems, *compiler.tally.problems),
        foreign=foreign,
    )


class _Place:
    """Where a plan stands: what its keys begin with, and the plans that it is nested in."""

    def __init__(self, actions: str, goals: str, above: tuple[str, ...]) -> None:
        self.actions, self.goals, self.above = actions, goals, above


class _Tally:
    """What one protocol and all plans nested in it come to together."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._actions = 0
        self.faults: list[Issue] = []
        self.problems: list[Issue] = []

    def one_more(self, level: int) -> bool:
        """Whether there is room for another action, that deep."""
        self._actions += 1
        if self._actions > MOST_ACTIONS:
            self.fault("too-long", f"it has more than {MOST_ACTIONS} actions", "Use fewer, or split it.")
        elif level > MOST_LEVELS:
            self.fault("too-long", f"its actions are nested deeper than {MOST_LEVELS}", "Write it out flat.")
        return self._actions <= MOST_ACTIONS and level <= MOST_LEVELS

    def fault(self, code: str, said: str, mend: str) -> None:
        self.faults.append(
            Issue(
                severity="error",
                code=code,
                key="planner.protocol.fault",
                detail=f"Nothing of protocol '{self._protocol}' is proposed: {said}.",
                mend=mend,
            )
        )

    def goal(self, goal: str, said: str) -> None:
        self.problems.append(
            Issue(
                severity="information",
                code="not-supported",
                key="planner.goal.not-carried",
                detail=f"Goal '{goal}': {said}.",
                mend="Add it by hand where it matters.",
            )
        )


class _Compiler:
    """One PlanDefinition in its place: nested ones get a compiler of their own with longer keys."""

    def __init__(self, entry: Entry, library: Library, place: _Place, tally: _Tally) -> None:
        self._entry = entry
        self._library = library
        self._place = place
        self._above = (*place.above, _identity(entry))
        self.tally = tally
        self._keys: set[str] = set()
        plan = entry.resource
        self._plan = {name: value for name, value in plan.items() if not isinstance(value, list | dict)}
        self._ids = frozenset(_ids(plan, tally))
        self.goals = [self._goal(goal, name) for goal, name in _named(items(plan, "goal"), tally)]

    def actions(self, found: list[Element], level: int = 1) -> tuple[Action, ...]:
        deep = level + len(self._place.above)
        return tuple(self._action(action, level) for action in found if self.tally.one_more(deep))

    def _action(self, action: Element, level: int) -> Action:
        canonical: str | None = action.get("definitionCanonical")
        key = self._key(
            action.get("id") or (canonical or "").rsplit("/", 1)[-1].split("|")[0].lstrip("#") or "action"
        )
        problems = list(self._problems(action, key))
        children = self.actions(items(action, "action"), level + 1)
        defined = Defined(template=None)
        if canonical is not None:
            defined, nested, found = self._defined(canonical, key)
            children += nested
            problems += found
        template, when = defined.template, when_of(action)
        selection = action.get("selectionBehavior", "any")
        described = action.get("description") or action.get("textEquivalent")
        if "definitionUri" in action:
            described = f"{described or action.get('title') or 'To be done'} (see {action['definitionUri']})"
        ends = elements.code(action.get("type"), "") in _OPPOSITE
        return Action(
            key=key,
            title=action.get("title") or (template.title if template else None) or _words(key),
            title_given="title" in action,
            description=described,
            patient_text=extension(action, elements.PATIENT_TEXT),
            patient_texts=elements.translations(action),
            benefit=extension(action, elements.BENEFIT),
            red_flag=extension(action, elements.RED_FLAG),
            priority=cast("Priority | None", _known(action, "priority")),
            timing=when.timing,
            at_age=when.age,
            codings=tuple(c for concept in several(action, "code") for c in elements.codings(concept)),
            conditions=tuple(condition_of(found) for found in items(action, "condition")),
            goals=tuple(f"{self._place.goals}/{goal}" for goal in items(action, "goalId")),
            supports=tuple(
                f"{self._place.goals}/{goal}" for goal in elements.extensions(action, elements.SUPPORTS)
            ),
            dynamic_values=tuple(dynamic_of(found) for found in items(action, "dynamicValue")),
            citations=elements.citations(items(action, "documentation")),
            selection=cast("Selection", selection if _known(action, "selectionBehavior") else "any"),
            grouping=cast("Grouping | None", _known(action, "groupingBehavior")),
            required=action.get("requiredBehavior") in behaviours.REQUIRED,
            related=tuple(
                behaviours.related_of(found, self._place.actions) for found in items(action, "relatedAction")
            ),
            definition=template,
            children=children,
            problems=tuple(problems),
            refused="Its type says that it ends what it names." if ends else defined.refused,
            notes=behaviours.notes_of(action),
            around=self._around(action),
        )

    def _around(self, action: Element) -> Mapping[str, Mapping[str, Any]]:
        """`%action` without what is nested in it; `%rootResource` is the plan, as HAPI has it."""
        own = {name: value for name, value in action.items() if name not in {"action", "dynamicValue"}}
        return {"action": own, "rootResource": self._plan, "plan": self._plan}

    def _problems(self, action: Element, key: str) -> Iterable[Issue]:
        """What an action says beside what can be done with it."""
        left = [name for name in _NOT_ACTED_ON if name in action]
        if left:
            yield _problem(
                "not-acted-on",
                "not-supported",
                key,
                f"its {', '.join(left)} is not acted on",
                "A plan is made when it is asked for, from the whole record.",
                severity="information",
            )
        if "definitionUri" in action:
            said = "a definitionUri is named in its text and not followed"
            yield _problem("definition", "not-supported", key, said, "Use a canonical.")
        for name, code in behaviours.unknown_codes(action):
            yield _problem(
                "code", "code-invalid", key, f"its {name} '{code}' is no code of FHIR", "It is left out; mend it."
            )
        for found in items(action, "relatedAction"):
            other = found.get("actionId") or found.get("targetId")
            if other not in self._ids:
                said = f"its relatedAction '{other}' is no action of the plan"
                yield _problem("related", "not-found", key, said, "Mend the id.")

    def _defined(self, canonical: str, key: str) -> tuple[Defined, tuple[Action, ...], list[Issue]]:
        """What the canonical gives the action: a template, or the actions of a nested plan."""
        target = self._library.find(canonical, self._entry)
        nothing = Defined(template=None)
        if target is None:
            there = self._library.versions(canonical)
            if there:
                said = f"action '{key}' asks for {canonical}, and there is only {', '.join(there)}"
                self.tally.fault("not-found", said, "Name a version that is there, or add that one.")
            elif "/Questionnaire/" in canonical:
                asked = {"resourceType": "Questionnaire", "url": canonical.split("|", maxsplit=1)[0]}
                return defined_by(asked), (), []
            missing = _problem("definition", "not-found", key, f"{canonical} is not there", "Add the definition.")
            return nothing, (), [missing]
        kind = target.resource.get("resourceType")
        if kind == "PlanDefinition":
            return self._nested(target, canonical, key)
        if kind in {"ActivityDefinition", "Questionnaire"}:
            defined = defined_by(target.resource)
            mend = "Check that nothing is lost by it, or use a ServiceRequest or MedicationRequest."
            said_of = [_problem("definition", "not-supported", key, said, mend) for said in defined.said]
            if defined.refused:
                said_of.append(_refused(defined, key))
            return defined, (), said_of
        mend = "Point at an ActivityDefinition, a Questionnaire or another PlanDefinition."
        return nothing, (), [_problem("definition", "not-supported", key, f"{canonical} is a {kind}", mend)]

    def _nested(self, target: Entry, canonical: str, key: str) -> tuple[Defined, tuple[Action, ...], list[Issue]]:
        """The actions of a plan in the place of one action; its goals join the others."""
        if _identity(target) in self._above:
            said = f"action '{key}' leads back to {canonical}, in which it stands"
            self.tally.fault("processing", said, "Break the circle.")
            return Defined(template=None), (), []
        if target.resource.get("status") == "retired":
            refused = Defined(template=None, refused="The plan that it stands for is retired.")
            return refused, (), [_refused(refused, key)]
        place = _Place(key, f"{self._place.goals}/{key.rsplit('/', 1)[-1]}", self._above)
        inner = _Compiler(target, self._library, place, self.tally)
        actions = inner.actions(items(target.resource, "action"))
        self.goals.extend(inner.goals)
        return Defined(template=None), actions, []

    def _goal(self, goal: Element, name: str) -> Any:
        title = self._plan.get("title") or self._plan.get("name") or self._plan.get("url") or "this plan"
        for said in not_carried(goal):
            self.tally.goal(name, said)
        if unmeasured(goal):
            said = f"a target of goal '{name}' has a value and does not say of what"
            self.tally.fault("required", said, "Give target.measure.")
        return goal_of(goal, name, self._place.goals, title)

    def _key(self, name: str) -> str:
        """The key of an action; a name that is there already gets a number, so that no two share one."""
        key = _numbered(f"{self._place.actions}/{name}", self._keys)
        self._keys.add(key)
        return key


def _identity(entry: Entry) -> str:
    """What a nested plan is told apart by, to find a circle."""
    resource = entry.resource
    return f"{resource.get('url') or (entry.document.path, resource.get('id'))}|{resource.get('version', '')}"


def _ids(plan: Element, tally: _Tally) -> list[str]:
    """The ids of all actions of one plan. One that stands twice is a fault: who names it would mean either."""
    found: list[str] = []
    level = items(plan, "action")
    while level and len(found) <= MOST_ACTIONS:
        found += [action["id"] for action in level if "id" in action]
        level = [child for action in level for child in items(action, "action")]
    for name in sorted({name for name in found if found.count(name) > 1}):
        tally.fault("duplicate", f"the id '{name}' stands on more than one action", "Give each its own id.")
    return found


def _named(goals: list[Element], tally: _Tally) -> Iterable[tuple[Element, str]]:
    """Each goal with its id, or a name that no other has."""
    seen: set[str] = set()
    for goal in goals:
        given = goal.get("id")
        if given is not None and given in seen:
            tally.fault("duplicate", f"the id '{given}' stands on more than one goal", "Give each its own id.")
        name = given or _numbered("goal", seen)
        seen.add(name)
        yield goal, name


def _numbered(name: str, taken: Collection[str]) -> str:
    count, found = 1, name
    while found in taken:
        count += 1
        found = f"{name}-{count}"
    return found


def _known(action: Element, name: str) -> Any:
    """The code that an element has, if FHIR knows it."""
    unknown = {element for element, _ in behaviours.unknown_codes(action)}
    return None if name in unknown else action.get(name)


def _words(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _refused(defined: Defined, key: str) -> Issue:
    said = str(defined.refused).removesuffix(".")
    return _problem("definition", "business-rule", key, said, "Tell it by hand.")


def _problem(
    what: str, issue_code: str, key: str, said: str, mend: str, *, severity: Severity = "warning"
) -> Issue:
    return Issue(
        severity=severity,
        code=issue_code,
        key=f"planner.apply.{what}",
        detail=f"Action '{key}': {said}.",
        mend=mend,
    )
