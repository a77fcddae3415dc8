"""From a CodeableConcept anywhere in a resource to the concepts of some kinds; issues name the element."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact, FactKind, FactState

from .coding import meanings, read_concept
from .conditions import note_narrower
from .context import Context
from .notes import a
from .readings import Reading
from .wire import CodeableConcept


class Understood(NamedTuple):
    readings: tuple[Reading, ...]
    agree: bool = True

    def is_plain(self, reading: Reading) -> bool:
        """Whether it is said for certain, of now and of this patient."""
        return self.agree and reading.certain and reading.situation == "present"


def understand(
    context: Context,
    resource: Resource,
    concept: CodeableConcept | None,
    kinds: Iterable[FactKind],
    element: str,
) -> Understood:
    """What the element at the FHIRPath `element` means. Issues as of `read_concept`."""
    return Understood(*read_concept(context, resource, concept, kinds, element))


def facts_of(
    context: Context,
    resource: Resource,
    understood: Understood,
    effective: str | None,
    *,
    state: FactState = "present",
    active: bool = True,
) -> Iterable[Fact]:
    """A fact of each reading: unknown where the codes disagree or leave it open, and where a text around its name
    says that it was, may be or is not."""
    for reading in understood.readings:
        if not reading.certain:
            note_narrower(context, resource, reading)
        yield context.fact(
            resource,
            context.concepts[reading.concept],
            reading.coding,
            effective,
            state=state if understood.is_plain(reading) else "unknown",
            active=active,
        )


def of_code(context: Context, kind: FactKind, system: str, code: str) -> tuple[str, ...]:
    """The concepts of this kind that a code of FHIR itself stands for (a resource type, a status)."""
    return tuple(meaning.concept for meaning in meanings(context, kind, Coding(system=system, code=code)))


def note_idea(context: Context, resource: Resource, what: str, element: str) -> None:
    """It was thought of, or forbidden, and not ordered: `what` with its article."""
    context.note(
        resource,
        "status.idea",
        f"{a(resource.type)} is {what}: it does not say that it is to be done.",
        severity="information",
        code="informational",
        expression=f"{resource.type}.{element}",
    )


def note_not_used(context: Context, resource: Resource, status: str | None, known: Collection[str]) -> None:
    """Its status keeps it from counting."""
    is_known = status is not None and status in known
    shown = status if is_known else "of a status that FHIR does not know"
    context.note(
        resource,
        "status.not-used",
        f"{a(resource.type)} is {shown} and was not used.",
        severity="information" if is_known else "warning",
        code="informational" if is_known else "incomplete",
        expression=f"{resource.type}.status",
        mend=None if is_known else "Correct its status in the record.",
    )
