"""What the gate asks of the protocols: an activity that it cannot place, it cannot check."""

from collections.abc import Iterator, Sequence

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import elements
from careplan_exchange.planner.elements import items
from careplan_exchange.spelling import did_you_mean

from .classes import Classes, classes_of
from .lint import involves_codes


def lint_activities(
    protocols: Sequence[Document], safety: Sequence[Document], vocabulary: Vocabulary
) -> tuple[Finding, ...]:
    """Activities that name a medicine or an `involves` code that there is not, and medicines of which the gate
    would not know what they are. `safety` are the files of `protocols/safety/`."""
    codes = involves_codes(safety)
    classes = classes_of(vocabulary)
    return tuple(
        finding
        for document in protocols
        if isinstance(document.content, dict) and document.content.get("resourceType") == "ActivityDefinition"
        for finding in _activity(document, classes, codes)
    )


def _activity(document: Document, classes: Classes, codes: frozenset[str]) -> Iterator[Finding]:
    content = document.content
    for index, found in enumerate(items(content, "extension")):
        name = str(found.get("valueCode"))
        known, what = {
            elements.MEDICINE: (frozenset(classes.titles), "medication concept"),
            elements.INVOLVES: (codes, "involves code"),
        }.get(str(found.get("url")), (frozenset({name}), ""))
        if name not in known:
            mend = f"Mend it.{did_you_mean(name, known)}"
            yield document.finding(f"There is no {what} '{name}'.", mend, "extension", index)
    named = elements.extensions(content, elements.MEDICINE)
    coded = classes.of_codings(elements.codings(content.get("productCodeableConcept")))
    if content.get("kind") == "MedicationRequest" and not named and not coded:
        yield document.finding(
            "The safety rules cannot tell what medicine this is.",
            f"Add {elements.MEDICINE} with a medication concept of profiles/, or the code of an ingredient.",
            "productCodeableConcept",
        )
