"""Scores of questionnaires as measurements, and answers that came as Observations of their own."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact

from .context import Context
from .dates import latest
from .observations import read_observation
from .rows_care import Questionnaire
from .tables import Key
from .wire import Observation
from .wire_care import ToldObservation

_ITEM = msgspec.json.Decoder(ToldObservation)

ASK_AGAIN = "Ask again, or correct the answers in the record."


def read_item(context: Context, resource: Resource, observation: Observation, key: Key) -> Iterable[Fact]:
    """One answer that came as an Observation: its score where the question has a concept by itself, else nothing,
    with an issue, for the total has an Observation too. What holds no coded answer is read as any other."""
    if observation.value_codeable_concept is None or observation.status not in ("final", "amended", "corrected"):
        return read_observation(context, resource, observation)
    return _item(context, resource, key)


def _item(context: Context, resource: Resource, key: Key) -> Iterator[Fact]:
    told = context.decode(resource, _ITEM)
    if told is None or not context.is_about_patient(resource, told.subject):
        return
    codings = told.value_codeable_concept.coding if told.value_codeable_concept is not None else ()
    on, future = context.dated(resource, "effective", told.effective_date_time, *latest(told.effective_period))
    if future:
        return
    for questionnaire in context.mappings.care.items[key]:
        concept = next(item.concept for item in questionnaire.items if (item.system, item.code) == key)
        if concept is None:
            note_answers(
                context,
                resource,
                "questionnaire.item",
                f"One answer of {questionnaire.title} is no score: the total is read where it is told.",
                mend="Send the total too, or the whole QuestionnaireResponse.",
                minor=True,
            )
            continue
        points = _points_of(questionnaire)
        found = {points.get(context.key(coding)) for coding in codings} - {None}
        if len(found) != 1:
            note_answers(
                context,
                resource,
                "answer.unknown",
                f"No mapping knows the answer to a question of {questionnaire.title}, or its codes disagree.",
                mend=ASK_AGAIN,
            )
            continue
        score = found.pop()
        yield from score_of(context, resource, concept, key, told=[Decimal(score or 0)], on=on)


def _points_of(questionnaire: Questionnaire) -> dict[Key, int]:
    return {(score.system, score.code): score.value for score in questionnaire.scores}


def score_of(
    context: Context, resource: Resource, concept_id: str, key: Key, *, told: list[Decimal], on: str | None
) -> Iterator[Fact]:
    """The score as a measurement, a range where two are told; none, with an issue, where it cannot be."""
    concept = context.concepts[concept_id]
    low, high = min(told), max(told)
    if concept.plausible is not None and (low < concept.plausible[0] or high > concept.plausible[1]):
        note_answers(
            context,
            resource,
            "value.implausible",
            f"A score of '{concept_id}' lies outside of what can be, so it was not used.",
            mend=ASK_AGAIN,
        )
        return
    yield Fact(
        concept=concept_id,
        kind=concept.kind,
        evidence=Evidence(reference=resource.reference, version_id=resource.version_id, date=on),
        coding=Coding(system=key[0], code=key[1]),
        value=low if low == high else None,
        low=None if low == high else low,
        high=None if low == high else high,
        unit=concept.unit,
        effective=on,
        origin="patient",
    )


def note_answers(
    context: Context, resource: Resource, key: str, detail: str, *, mend: str, minor: bool = False
) -> None:
    """An issue about answers, at the element they stand in."""
    context.note(
        resource,
        key,
        detail,
        severity="information" if minor else "warning",
        code="informational" if minor else "incomplete",
        expression="QuestionnaireResponse.item" if resource.type != "Observation" else "Observation.value",
        mend=mend,
    )
