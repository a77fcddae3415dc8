"""Plans from elsewhere: any PlanDefinition of R4 or R5, alone or in a Bundle with what it points at.

They are compiled as our own are, without our linter's demands on what a protocol of ours must say. Whatever
cannot be used of one is told with its plan; what makes it unfit takes that plan alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ProtocolRef

from . import elements
from .conditions import FHIRPATH
from .elements import Element, items
from .library import Entry, Library
from .loading import protocol_of
from .protocol import Protocol
from .shapes import misshapen

Path = tuple[str | int, ...]

_DEEPEST_BUNDLE = 4


def compile_foreign(documents: Sequence[Document]) -> tuple[Protocol, ...]:
    """The plans of these files that no other plan of them points at, ordered by id.

    Raises KnowledgeError for a file that is no FHIR resource, and where no file holds a PlanDefinition.
    """
    roots, library = _roots(documents)
    protocols = sorted((_compiled(plan, library) for plan in roots), key=lambda one: (one.id, one.ref.canonical))
    counts = Counter(protocol.id for protocol in protocols)
    return tuple(
        msgspec.structs.replace(protocol, faults=(*protocol.faults, _fault(protocol.id, "it shares its id")))
        if counts[protocol.id] > 1
        else protocol
        for protocol in protocols
    )


def plan_resources(documents: Sequence[Document]) -> tuple[Element, ...]:
    """The same plans as they are written, for an engine elsewhere. Raises alike."""
    return tuple(plan.resource for plan in _roots(documents)[0])


def _roots(documents: Sequence[Document]) -> tuple[list[Entry], Library]:
    found = [part for document in documents for part in _resources(document)]
    library = Library(found)
    plans = [Entry(resource=part.content, document=part) for part in found if _kind(part) == "PlanDefinition"]
    if not plans:
        first = documents[0]
        raise KnowledgeError(
            [first.finding("There is no PlanDefinition here.", "Name the file that holds the plan.")]
        )
    used = {id(target.resource) for plan in plans for target in _pointed_at(plan, library) if target is not None}
    return [plan for plan in plans if id(plan.resource) not in used] or plans, library


def _resources(document: Document, depth: int = 0) -> Iterator[Document]:
    """Each resource of a file as a document of its own, with the lines where it stands."""
    if not isinstance(document.content, dict) or "resourceType" not in document.content:
        raise KnowledgeError(
            [document.finding("This is no FHIR resource.", "Give a PlanDefinition, or a Bundle that holds one.")]
        )
    if _kind(document) != "Bundle":
        yield document
        return
    if depth >= _DEEPEST_BUNDLE:
        said = f"Bundles stand more than {_DEEPEST_BUNDLE} deep inside each other."
        raise KnowledgeError([document.finding(said, "Give the plan alone, or in one Bundle.")])
    for index, entry in enumerate(items(document.content, "entry")):
        if isinstance(entry, dict) and "resource" in entry:
            yield from _resources(_inside(document, ("entry", index, "resource"), entry["resource"]), depth + 1)


def _inside(document: Document, path: tuple[str | int, ...], content: Element) -> Document:
    lines = {place[len(path) :]: line for place, line in document.lines.items() if place[: len(path)] == path}
    return Document(path=document.path, content=content, lines=lines)


def _kind(document: Document) -> str:
    return str(document.content["resourceType"])


def _pointed_at(plan: Entry, library: Library) -> Iterator[Entry | None]:
    waiting = [action for action in items(plan.resource, "action") if isinstance(action, dict)]
    while waiting:
        action = waiting.pop()
        if isinstance(canonical := action.get("definitionCanonical"), str):
            target = library.find(canonical, plan)
            if target is None or target.resource is not plan.resource:
                yield target
        waiting += [child for child in items(action, "action") if isinstance(child, dict)]


def _compiled(entry: Entry, library: Library) -> Protocol:
    reached = list(_reached(entry, library))
    for found in reached:
        if (said := misshapen(found.resource)) is not None:
            place = f"{found.document.path}, line {found.document.line()}"
            return _unreadable(entry, f"what stands at {place} has not the shape that FHIR gives it: {said}")
    try:
        protocol = protocol_of(entry, library, foreign=True, problems=(_notice(entry.resource),))
    except (AttributeError, TypeError, KeyError, ValueError, ArithmeticError, RecursionError) as error:
        return _unreadable(entry, f"it cannot be read ({type(error).__name__})")
    faults = [_fault(protocol.id, said, mend) for said, mend in _unreadable_conditions(reached)]
    if entry.resource.get("status") == "retired":
        faults.append(_fault(protocol.id, "its status is retired"))
    return msgspec.structs.replace(protocol, faults=(*protocol.faults, *faults))


def _reached(entry: Entry, library: Library) -> Iterator[Entry]:
    """The plan and all that it points at, each once, through nested plans."""
    seen: set[int] = set()
    waiting = [entry]
    while waiting:
        found = waiting.pop(0)
        if id(found.resource) not in seen:
            seen.add(id(found.resource))
            yield found
            waiting += [target for target in _pointed_at(found, library) if target is not None]


def _unreadable_conditions(reached: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Every applicability condition that is in another language (CQL): without its answer the plan would be half
    of one. A start or stop condition decides nothing here."""
    for plan in reached:
        if plan.resource.get("resourceType") != "PlanDefinition":
            continue
        for condition, path in _conditions(items(plan.resource, "action"), ("action",)):
            language = (condition.get("expression") or {}).get("language")
            if condition.get("kind", "applicability") == "applicability" and language not in {FHIRPATH, None}:
                place = f"{plan.document.path}, line {plan.document.line(*path)}"
                yield (
                    f"the condition at {place} is in {language}, which is not evaluated here",
                    f"Write it in {FHIRPATH}, or send the plan to a server that offers $apply (--apply-at).",
                )


def _conditions(actions: list[Element], path: Path) -> Iterator[tuple[Element, Path]]:
    for index, action in enumerate(actions):
        for number, condition in enumerate(items(action, "condition")):
            yield condition, (*path, index, "condition", number)
        yield from _conditions(items(action, "action"), (*path, index, "action"))


def _unreadable(entry: Entry, said: str) -> Protocol:
    name = str(entry.resource.get("id") or entry.resource.get("url") or "plan")
    return Protocol(
        id=name,
        ref=ProtocolRef(url=str(entry.resource.get("url", "")), version="", title=name),
        valid_from=None,
        valid_to=None,
        goals=(),
        actions=(),
        citations=(),
        faults=(_fault(name, said),),
        foreign=True,
    )


def _notice(plan: Element) -> Issue:
    """What a person must know before reading a plan that nobody here has reviewed."""
    said = ["it was not reviewed here"]
    if plan.get("status") != "active":
        said.append(f"its status is {plan.get('status', 'not told')}")
    if plan.get("experimental") is True:
        said.append("it is experimental")
    if not elements.citations(items(plan, "relatedArtifact")):
        said.append("it names no source")
    if (subject := _subject(plan)) not in {None, "Patient"}:
        said.append(f"it is made for a {subject} and applied to a patient")
    if "useContext" in plan:
        said.append("whether the patient is in its useContext was not checked")
    return Issue(
        severity="information",
        code="business-rule",
        key="planner.protocol.foreign",
        detail=f"Plan '{plan.get('id') or plan.get('url') or 'plan'}' is from elsewhere: {', '.join(said)}.",
        mend="Read it against its sources before anything of it is used.",
    )


def _subject(plan: Element) -> str | None:
    coded = elements.code(plan.get("subjectCodeableConcept"), "")
    referred = (plan.get("subjectReference") or {}).get("reference", "").split("/")[0]
    canonical = str(plan.get("subjectCanonical", "")).rsplit("/", 1)[-1]
    return coded or referred or canonical or None


def _fault(name: str, said: str, mend: str = "Mend the plan, or take another.") -> Issue:
    return Issue(
        severity="error",
        code="invalid",
        key="planner.protocol.fault",
        detail=f"Nothing of protocol '{name}' is proposed: {said}.",
        mend=mend,
    )
