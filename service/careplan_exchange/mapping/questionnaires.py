"""QuestionnaireResponse to scores (PHQ-9, GAD-7, AUDIT-C) and to answers on social needs.

A question is known by its LOINC code, which stands at the end of `linkId` or `definition`
(http://hl7.org/fhir/R4/questionnaireresponse.html).
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact, FactState

from .conditions import note_entered_in_error
from .context import Context
from .dates import span_of
from .notes import shown_code
from .rows_care import Questionnaire
from .scores import ASK_AGAIN, note_answers, score_of
from .systems import LOINC
from .tables import Key, Question, plain
from .understanding import note_not_used
from .wire_care import Item, ItemAnswer, QuestionnaireResponse

_DECODER = msgspec.json.Decoder(QuestionnaireResponse)
_DONE = {"completed", "amended"}


def read_questionnaire(context: Context, resource: Resource) -> Iterator[Fact]:
    """The scores and answers of one completed response."""
    response = context.decode(resource, _DECODER)
    if response is None or not context.is_about_patient(resource, response.subject):
        return
    if response.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    if response.status not in _DONE:
        note_not_used(context, resource, response.status, {"in-progress", "stopped"})
        return
    on, future = context.dated(resource, "authored", response.authored)
    if future:
        return
    answers = _answers(context, resource, response)
    for questionnaire in context.mappings.care.questionnaires:
        yield from _scored(context, resource, questionnaire, answers, on)
    for key, given in answers.items():
        question = context.mappings.questions.get(key)
        if question is not None:
            yield from _answered(context, resource, question, given, on)


def _answers(
    context: Context, resource: Resource, response: QuestionnaireResponse
) -> dict[Key, list[ItemAnswer]]:
    """The answers by question. Notes an issue where there are others, or none."""
    answers: dict[Key, list[ItemAnswer]] = {}
    unread = False
    for item in _every(response.item):
        if not item.answer:
            continue
        key = _key_of(context, item)
        if key is not None:
            answers.setdefault(key, []).extend(item.answer)
        else:
            unread = True
    if unread or not answers:
        note_answers(
            context,
            resource,
            "questionnaire.not-read",
            "A QuestionnaireResponse holds answers to questions that no mapping knows, or none at all.",
            mend="Add the questions to mappings/questionnaires or mappings/answers, if a protocol needs them.",
            minor=True,
        )
    return answers


def _every(items: tuple[Item, ...]) -> Iterator[Item]:
    """Every item, of any depth: groups hold items, and so do answers."""
    stack = list(reversed(items))
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(item.item))
        for answer in item.answer:
            stack.extend(reversed(answer.item))


def _key_of(context: Context, item: Item) -> Key | None:
    care = context.mappings.care
    for name in (item.link_id, item.definition):
        code = (name or "").replace("#", "/").rpartition("/")[2]
        key = (LOINC, code)
        if key in care.items or key in care.totals or key in context.mappings.questions:
            return key
    return None


def _scored(
    context: Context,
    resource: Resource,
    questionnaire: Questionnaire,
    answers: dict[Key, list[ItemAnswer]],
    on: str | None,
) -> Iterator[Fact]:
    total_key = (questionnaire.total.system, questionnaire.total.code)
    asked = [item for item in questionnaire.items if answers.get((item.system, item.code))]
    if not asked and total_key not in answers:
        return
    points = {(score.system, score.code): score.value for score in questionnaire.scores}
    scores: dict[Key, int] = {}
    for item in asked:
        key = (item.system, item.code)
        score = _points(context, resource, questionnaire.title, answers[key], points)
        if score is None:
            continue
        scores[key] = score
        if item.concept is not None:
            yield from score_of(context, resource, item.concept, key, told=[Decimal(score)], on=on)
    told = [number for answer in answers.get(total_key, []) if (number := _number(answer)) is not None]
    if len(scores) == len(questionnaire.items):
        told.append(Decimal(sum(scores.values())))
    elif not told:
        note_answers(
            context,
            resource,
            "questionnaire.incomplete",
            f"Of the {len(questionnaire.items)} questions of {questionnaire.title} not all are answered, and no "
            "total is given: it has no score.",
            mend=ASK_AGAIN,
        )
        return
    if len(set(told)) > 1:
        note_answers(
            context,
            resource,
            "questionnaire.conflict",
            f"The total of {questionnaire.title} is not the sum of its answers: it counts as the range of both.",
            mend=ASK_AGAIN,
        )
    yield from score_of(context, resource, questionnaire.concept, total_key, told=told, on=on)


def _points(
    context: Context, resource: Resource, title: str, given: list[ItemAnswer], points: dict[Key, int]
) -> int | None:
    """What the one coded answer counts; None, with an issue, where there is none or several."""
    found = {points.get(context.key(one.value_coding)) for one in given if one.value_coding is not None}
    if len(found) == 1 and None not in found and len(given) == 1:
        return found.pop()
    note_answers(
        context,
        resource,
        "answer.unknown",
        f"A question of {title} has several answers, or one that no mapping knows.",
        mend=ASK_AGAIN,
    )
    return None


def _number(answer: ItemAnswer) -> Decimal | None:
    if answer.value_integer is not None:
        return Decimal(answer.value_integer)
    if answer.value_decimal is not None:
        return answer.value_decimal if answer.value_decimal.is_finite() else None
    value = answer.value_quantity.value if answer.value_quantity is not None else None
    return value if value is not None and value.is_finite() else None


def _answered(
    context: Context, resource: Resource, question: Question, given: list[ItemAnswer], on: str | None
) -> Iterator[Fact]:
    """The state that the answers stand for: of several (a list of needs) a present one decides."""
    found: list[tuple[FactState, Coding]] = []
    for one in given:
        coding = one.value_coding or Coding(display=one.value_string)
        answer = question.codes.get(context.key(coding)) or question.texts.get(plain(coding.display or ""))
        if answer is None:
            shown = shown_code(*context.key(coding)) if coding.code else "(told without a code)"
            note_answers(
                context,
                resource,
                "answer.unknown",
                f"No mapping knows the answer {shown} to '{question.concept}'.",
                mend="Add it to mappings/answers, or correct it in the record.",
            )
            found.append(("unknown", coding))
            continue
        if answer.max_age_days is not None and not _within(context, on, answer.max_age_days):
            note_answers(
                context,
                resource,
                "answer.outdated",
                f"An answer to '{question.concept}' is older than {answer.max_age_days} days: it says nothing.",
                mend="Ask again.",
                minor=True,
            )
            continue
        found.append((answer.means, coding))
    for means in ("present", "unknown", "absent"):
        for state, coding in found:
            if state == means:
                concept = context.concepts[question.concept]
                yield context.fact(resource, concept, coding, on, state=state, origin="patient")
                return


def _within(context: Context, on: str | None, days: int) -> bool:
    span = span_of(on[:10]) if on is not None else None
    return span is not None and (context.today - span[0]).days <= days
