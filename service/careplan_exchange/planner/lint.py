"""The protocol linter: a protocol that passes is valid FHIR, cited, complete, and leaves nothing unsaid."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.proposal import ActivityKind
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.spelling import did_you_mean

from . import elements
from .elements import Element, extension, items
from .library import Entry, Library
from .lint_actions import lint_actions
from .lint_conditions import Path, lint_dynamic
from .lint_goals import lint_goals
from .loading import PLAN_FILES, protocol_of

_REQUIRED = ("url", "version", "title", "approvalDate", "lastReviewDate", "effectivePeriod", "author")


def lint(documents: Sequence[Document], vocabulary: Vocabulary, *, sound: bool = True) -> tuple[Finding, ...]:
    """Everything that is wrong with these protocol files, by file and line; none means that they load.

    Of a vocabulary that is not `sound` (profiles/ has findings of its own) a code may be missing through no fault
    of the protocol: then it is not asked whether profiles/ knows the codes of goals.
    """
    definitions = [document for document in documents if _kind(document)]
    findings = [
        document.finding(
            "This is neither a PlanDefinition nor an ActivityDefinition.", "Set resourceType, or move the file."
        )
        for document in documents
        if not _kind(document)
    ]
    library = Library(definitions)
    used: set[str] = set()
    unread = False
    for document in definitions:
        invalid = list(_valid(document))
        findings += invalid
        if invalid:
            unread = unread or _kind(document) == "PlanDefinition"
            continue
        findings += _extensions(document.content, (), document)
        if _kind(document) == "PlanDefinition":
            entry = Entry(resource=document.content, document=document)
            findings += _plan(entry, library, vocabulary, used, sound=sound)
        else:
            findings += _activity(document.content, document, vocabulary)
    findings += _identities(definitions)
    if not unread:  # a plan that cannot be read may be the one that points at it
        findings += _unused(definitions, used)
    return tuple(sorted(set(findings), key=lambda found: (found.file, found.line, found.message)))


def _kind(document: Document) -> str | None:
    kind = document.content.get("resourceType") if isinstance(document.content, dict) else None
    return kind if kind in {"PlanDefinition", "ActivityDefinition"} else None


def _valid(document: Document) -> Iterator[Finding]:
    """Valid FHIR R4, by fhir.resources (imported here: it takes a third of a second)."""
    from fhir.resources.R4B.activitydefinition import ActivityDefinition
    from fhir.resources.R4B.plandefinition import PlanDefinition
    from pydantic import ValidationError

    model: Any = PlanDefinition if _kind(document) == "PlanDefinition" else ActivityDefinition
    try:
        model.model_validate(document.content)
    except ValidationError as error:
        for found in error.errors():
            path = found["loc"]
            shown = ".".join(str(part) for part in path)
            suggested = ""
            if found["type"] == "extra_forbidden":
                suggested = did_you_mean(str(path[-1]), _beside(model, path[:-1]))
            yield document.finding(
                f"Not valid FHIR at {shown}: {found['msg']}.", f"Mend the element.{suggested}", *path
            )


def _beside(model: Any, path: Path) -> tuple[str, ...]:
    """The names that an element at this path below a `model` of fhir.resources may have."""
    from fhir.resources.R4B import get_fhir_model_class

    for step in path:
        if isinstance(step, str):
            field = next((found for found in model.model_fields.values() if found.alias == step), None)
            kind = re.search(r"(\w+)Type\b", str(field.annotation if field else ""))
            if kind is None:
                return ()
            model = get_fhir_model_class(kind[1])
    return tuple(model.elements_sequence())


def _extensions(element: Any, path: Path, document: Document) -> Iterator[Finding]:
    """A misspelt extension of ours would be passed over without a word."""
    if isinstance(element, dict):
        for index, found in enumerate(items(element, "extension")):
            url = str(found.get("url", ""))
            if url.startswith("urn:careplan-exchange:") and url not in elements.EXTENSIONS:
                yield document.finding(
                    f"There is no extension '{url}'.",
                    f"See docs/apply.md for those there are.{did_you_mean(url, elements.EXTENSIONS)}",
                    *path,
                    "extension",
                    index,
                )
        for name, value in element.items():
            yield from _extensions(value, (*path, name), document)
    elif isinstance(element, list):
        for index, value in enumerate(element):
            yield from _extensions(value, (*path, index), document)


def _plan(
    entry: Entry, library: Library, vocabulary: Vocabulary, used: set[str], *, sound: bool
) -> Iterator[Finding]:
    plan, document = entry.resource, entry.document
    for name in _REQUIRED:
        if not plan.get(name):
            yield document.finding(f"The protocol has no {name}.", f"Add {name}.")
    if not (plan.get("effectivePeriod") or {}).get("end"):
        yield document.finding("The protocol never expires.", "Add effectivePeriod.end, the day to review it by.")
    if not extension(plan, elements.DISCLAIMER):
        yield document.finding("The protocol has no disclaimer.", f"Add the extension {elements.DISCLAIMER}.")
    if not elements.citations(items(plan, "relatedArtifact")):
        yield document.finding("The protocol names no source.", "Add a relatedArtifact of type citation.")
    for fault in protocol_of(entry, library).faults:
        if fault.code == "too-long":  # the others are found where they stand
            yield document.finding(fault.detail, fault.mend or "", "action")
    yield from lint_goals(plan, document, vocabulary, sound=sound)
    yield from lint_actions(entry, library, vocabulary, used)


def _activity(definition: Element, document: Document, vocabulary: Vocabulary) -> Iterator[Finding]:
    kind = definition.get("kind")
    topics = [found.code for topic in items(definition, "topic") for found in elements.codings(topic)]
    demands: tuple[tuple[str, str, bool], ...] = (
        *(
            (f"has {name}", name, bool(definition.get(name)))
            for name in ("url", "version", "title", "description")
        ),
        (
            "has kind ServiceRequest or MedicationRequest",
            "kind",
            kind in {"ServiceRequest", "MedicationRequest"},
        ),
        (
            "has intent proposal: a person approves everything",
            "intent",
            definition.get("intent") == "proposal",
        ),
        (
            "has no doNotPerform, which means its opposite to a client that ignores it",
            "doNotPerform",
            "doNotPerform" not in definition,
        ),
        (
            "has a productCodeableConcept where it is a medication",
            "kind",
            kind != "MedicationRequest" or "productCodeableConcept" in definition,
        ),
        (
            f"has a topic in {elements.KIND_SYSTEM}",
            "topic",
            any(code in get_args(ActivityKind) for code in topics),
        ),
        (
            f"has {elements.PATIENT_TEXT}",
            "extension",
            bool(extension(definition, elements.PATIENT_TEXT)),
        ),
        (
            "has a relatedArtifact of type citation",
            "relatedArtifact",
            bool(elements.citations(items(definition, "relatedArtifact"))),
        ),
    )
    for demand, where, met in demands:
        if not met:
            yield document.finding(
                f"Every activity {demand}; this one does not.", "See protocols/README.md.", where
            )
    for index, found in enumerate(items(definition, "dynamicValue")):
        yield from lint_dynamic(found, ("dynamicValue", index), document, vocabulary)


def _identities(documents: Sequence[Document]) -> Iterator[Finding]:
    """Keys begin with the protocol's id, and canonicals name one thing: neither may stand twice."""
    ids = Counter(doc.content.get("id") for doc in documents if doc.path.rsplit("/", 1)[-1] in PLAN_FILES)
    canonicals = Counter(_canonical(document) for document in documents)
    for document in documents:
        name = document.content.get("id")
        if document.path.rsplit("/", 1)[-1] in PLAN_FILES and (not name or ids[name] > 1):
            yield document.finding(
                f"The protocol's id '{name}' is not one of its own.", "Give it a unique id.", "id"
            )
        if canonicals[_canonical(document)] > 1:
            yield document.finding(
                f"'{_canonical(document)}' stands in more than one file.",
                "Give each its own url or version.",
                "url",
            )


def _unused(documents: Sequence[Document], used: set[str]) -> Iterator[Finding]:
    for document in documents:
        is_plan = document.path.rsplit("/", 1)[-1] in PLAN_FILES
        if not is_plan and _canonical(document) not in used:
            yield document.finding(
                "No action points at this definition.", "Use it in a plan, or remove the file."
            )


def _canonical(document: Document) -> str:
    return f"{document.content.get('url')}|{document.content.get('version')}"
