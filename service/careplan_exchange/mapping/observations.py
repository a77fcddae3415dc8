"""Observation to measurements, and to states that are told by a coded answer."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact

from .choices import has_several_values
from .coding import meanings, note_no_concept, note_text_used, texts_of
from .context import Context
from .dates import fault, is_before, latest, span_of
from .interpretations import judged
from .notes import shown_code
from .origins import AWAY, origin_of
from .tables import Answer, Key, Question, plain
from .values import VALUES, note_no_value, read_value
from .wire import CodeableConcept, Observation, Timing, Valued

OBSERVATION = msgspec.json.Decoder(Observation)

_FINAL = {"final", "amended", "corrected"}


class _Coded(NamedTuple):
    """What is known of a list of codings. `concepts` are the measurements that they name, each with the first of
    the codings that names it, by its place."""

    keys: tuple[Key, ...]
    is_panel: bool
    question: Question | None
    concepts: tuple[tuple[str, int], ...]


def read_observation(context: Context, resource: Resource, observation: Observation) -> Iterator[Fact]:
    """The facts of one Observation. Only a final, amended or corrected one about the patient yields any."""
    if not context.is_about_patient(resource, observation.subject):
        return
    if observation.status not in _FINAL:
        _note_status(context, resource, observation.status)
        return
    if observation.focus:
        context.note(
            resource,
            "subject.focus",
            "An Observation is about something other than the patient (a fetus, a relative), so it was not used.",
            severity="information",
            code="informational",
            expression="Observation.focus",
        )
        return
    code = observation.code
    if code is None or not code.coding:
        _note_no_code(context, resource, code)
        return
    coded = _coded(context, code)
    if coded.is_panel:
        yield from _components(context, resource, observation)
        return
    if observation.component:
        context.note(
            resource,
            "component.not-read",
            f"The components of {shown_code(*coded.keys[0])} were not read: "
            "it is not a panel of mappings/panels.yaml.",
            severity="information",
            code="informational",
            expression="Observation.component",
        )
    if has_several_values(context, resource, observation, "Observation"):
        return
    if coded.question is not None:
        yield from _answer(context, resource, observation, coded.question)
    else:
        yield from _measured(context, resource, observation, observation, code=code, expression="Observation")


def _coded(context: Context, code: CodeableConcept) -> _Coded:
    memo = ("coded", *((coding.system, coding.code) for coding in code.coding))
    known: _Coded | None = context.known.get(memo)
    if known is None:
        keys = tuple(context.key(coding) for coding in code.coding)
        questions = context.mappings.questions
        said: dict[str, int] = {}
        for place, coding in enumerate(code.coding):
            for meaning in meanings(context, "measurement", coding):
                said.setdefault(meaning.concept, place)
        known = context.known[memo] = _Coded(
            keys=keys,
            is_panel=not context.mappings.panels.isdisjoint(keys),
            question=next((questions[key] for key in keys if key in questions), None),
            concepts=tuple(said.items()),
        )
    return known


def _note_no_code(context: Context, resource: Resource, code: CodeableConcept | None) -> None:
    context.note(
        resource,
        "code.text-only" if code is not None and code.text else "code.missing",
        "An Observation has no code, so it was not used: what was measured is never read from its text.",
        code="required",
        expression="Observation.code",
        mend="Add the LOINC code in the record.",
    )


def _note_status(context: Context, resource: Resource, status: str | None) -> None:
    if status in ("entered-in-error", "cancelled"):
        context.note(
            resource,
            f"status.{status}",
            f"An Observation is {status} and was not used.",
            severity="information",
            code="informational",
            expression="Observation.status",
        )
        return
    known = status in ("registered", "preliminary", "unknown", "specimen-in-process", "appended")
    context.note(
        resource,
        "status.not-final",
        f"An Observation is {status if known else 'of a status that FHIR does not know'} and was not used.",
        code="incomplete",
        expression="Observation.status",
        mend="Plan again when the result is final.",
    )


def _components(context: Context, resource: Resource, observation: Observation) -> Iterator[Fact]:
    """The measurements of a panel. One that yields none and says why is told as an issue of the panel."""
    if observation.component and any(getattr(observation, name) is not None for name in VALUES):
        context.note(
            resource,
            "value.of-panel",
            "A panel has a value of its own. Its components were read, the value was not.",
            code="value",
            expression="Observation.value",
            mend="Enter the value under the code of what was measured.",
        )
    if not observation.component and observation.has_member:
        context.note(
            resource,
            "panel.members",
            "A panel has members instead of components: each member is read as an Observation of its own.",
            severity="information",
            code="informational",
            expression="Observation.hasMember",
        )
        return
    if not observation.component:
        note_no_value(context, resource, observation, what="the panel", expression="Observation")
        return
    for component in observation.component:
        if component.modifier_extension or component.code is None or not component.code.coding:
            _note_no_code(context, resource, component.code)
            continue
        if has_several_values(context, resource, component, "Observation.component"):
            continue
        yield from _measured(
            context,
            resource,
            observation,
            component,
            code=component.code,
            expression="Observation.component",
        )


def _measured(
    context: Context,
    resource: Resource,
    observation: Observation,
    valued: Valued,
    *,
    code: CodeableConcept,
    expression: str,
) -> Iterator[Fact]:
    coded = _coded(context, code)
    if not coded.concepts:
        note_no_concept(context, resource, code)
        return
    if len(coded.concepts) > 1:
        named = ", ".join(sorted(id_ for id_, _ in coded.concepts))
        context.note(
            resource,
            "code.conflict",
            f"The codes of an Observation name different measurements: {named}.",
            severity="error",
            code="conflict",
            expression=f"{expression}.code",
            mend="Correct the codes in the record. Until then the value is not used.",
        )
        return
    ((id_, place),) = coded.concepts
    concept = context.concepts[id_]
    value = read_value(context, resource, concept, valued, codes=coded.keys, expression=expression)
    if value is not None and valued.interpretation:
        value = judged(context, resource, concept, valued, value, expression=expression)
    if value is None:
        return
    effective, future = _effective(context, resource, observation)
    if future:
        return
    origin = origin_of(context, observation)
    if origin in AWAY and concept.at_home is not None:
        concept = context.concepts[concept.at_home]
    yield Fact(
        concept=concept.id,
        kind="measurement",
        evidence=Evidence(reference=resource.reference, version_id=resource.version_id, date=effective),
        coding=code.coding[place],
        value=value.value,
        low=value.low,
        high=value.high,
        unit=concept.unit,
        comparator=value.comparator,
        effective=effective,
        origin=origin,
    )


def _answer(context: Context, resource: Resource, observation: Observation, question: Question) -> Iterator[Fact]:
    concept = context.concepts[question.concept]
    value = observation.value_codeable_concept
    if value is None:
        note_no_value(context, resource, observation, what=f"'{concept.id}'", expression="Observation")
        return
    said = _said(context, resource, question, value)
    if said is None:
        return
    answer, coding = said
    effective, future = _effective(context, resource, observation)
    if future:
        return
    if answer.max_age_days is not None and not _within(context, effective, answer.max_age_days):
        context.note(
            resource,
            "answer.outdated",
            f"An answer to '{concept.id}' is older than {answer.max_age_days} days, after which it says nothing.",
            severity="information",
            code="informational",
            expression="Observation.effective",
            mend="Ask again.",
        )
        return
    origin = origin_of(context, observation)
    yield context.fact(resource, concept, coding, effective, state=answer.means, origin=origin)


def _said(
    context: Context, resource: Resource, question: Question, value: CodeableConcept
) -> tuple[Answer, Coding | None] | None:
    """The answer by its codes, else by its text. Codes that disagree make it unknown."""
    found = [
        (answer, coding)
        for coding in value.coding
        if (answer := question.codes.get(context.key(coding))) is not None
    ]
    if len({answer.means for answer, _ in found}) > 1:
        context.note(
            resource,
            "answer.conflict",
            f"The codes of an answer to '{question.concept}' disagree.",
            code="conflict",
            expression="Observation.value",
            mend="Correct the answer in the record. Until then it counts as unknown.",
        )
        return Answer("unknown", None), found[0][1]
    if found:
        return found[0]
    for text, by_display in texts_of(value):
        answer = question.texts.get(plain(text))
        if answer is not None:
            note_text_used(context, resource, plain(text), by_display)
            return answer, by_display
    shown = ", ".join(sorted(shown_code(*context.key(coding)) for coding in value.coding))
    context.note(
        resource,
        "answer.unknown",
        f"No mapping knows the answer {shown or '(told as text alone)'} to '{question.concept}'.",
        code="code-invalid",
        expression="Observation.value",
        mend="Add it to mappings/answers, or correct it in the record.",
    )
    return None


def _is_before_birth(context: Context, at: str) -> bool:
    return context.born is not None and is_before(at, context.born)


def _within(context: Context, effective: str | None, days: int) -> bool:
    span = span_of(effective[:10]) if effective is not None else None
    return span is not None and (context.today - span[0]).days <= days


def _effective(context: Context, resource: Resource, observation: Observation) -> tuple[str | None, bool]:
    """When it was measured, and whether that lies in the future. Without a date the value stands undated, and an
    issue says so: `issued` is when it was told, which is another time."""
    at = observation.effective_date_time
    if at is not None and fault(at, context.today) is None and not _is_before_birth(context, at):
        return at, False
    timing = observation.effective_timing or Timing()
    effective, future = context.dated(
        resource,
        "effective",
        at,
        observation.effective_instant,
        *latest(observation.effective_period),
        *sorted(timing.event, reverse=True),
        *(latest(timing.repeat.bounds_period) if timing.repeat is not None else ()),
    )
    if effective is not None and _is_before_birth(context, effective):
        context.note(
            resource,
            "date.before-birth",
            "An Observation is dated before the patient's birth, so it cannot count as current.",
            code="value",
            expression="Observation.effective",
            mend="Correct the date in the record, or the date of birth.",
        )
        return None, False
    if effective is None and not future:
        context.note(
            resource,
            "date.missing",
            "An Observation does not say when it was made, so it cannot count as current.",
            code="required",
            expression="Observation.effective",
            mend="Enter the date in the record.",
        )
    return effective, future
