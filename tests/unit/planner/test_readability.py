"""How hard a text is to read, beside another counter."""

import pytest
import textstat

from careplan_exchange.planner.elements import PATIENT_TEXT, PATIENT_TEXT_ES, extension
from careplan_exchange.planner.readability import HARDEST_GRADE, LEAST_EASE, ease, grade
from tests.cases.snapshots import protocol_documents

HARD = "Individualised antihypertensive pharmacotherapy necessitates comprehensive laboratory evaluation."
HARD_ES = "La farmacoterapia antihipertensiva individualizada requiere una evaluación exhaustiva de laboratorio."


def texts(url):
    def walk(element):
        if isinstance(element, dict):
            if text := extension(element, url):
                yield text
            for value in element.values():
                yield from walk(value)
        elif isinstance(element, list):
            for value in element:
                yield from walk(value)

    return sorted({text for document in protocol_documents() for text in walk(document.content)})


def other_grade(text):
    textstat.textstat.set_lang("en")
    return textstat.textstat.flesch_kincaid_grade(text)


def other_ease(text):
    textstat.textstat.set_lang("es")
    return textstat.textstat.fernandez_huerta(text)


@pytest.mark.parametrize("text", texts(PATIENT_TEXT))
def test_an_eighth_grader_can_read_what_a_patient_gets_by_both_counters(text):
    assert grade(text) <= HARDEST_GRADE
    assert other_grade(text) <= HARDEST_GRADE


@pytest.mark.parametrize("text", texts(PATIENT_TEXT_ES))
def test_the_spanish_is_plain_by_both_counters(text):
    assert ease(text) >= LEAST_EASE
    assert other_ease(text) >= LEAST_EASE


def test_a_hard_text_is_found():
    assert grade(HARD) > HARDEST_GRADE
    assert ease(HARD_ES) < LEAST_EASE


def test_ours_is_the_stricter_counter():
    english, spanish = texts(PATIENT_TEXT), texts(PATIENT_TEXT_ES)
    assert sum(grade(t) - other_grade(t) for t in english) / len(english) > 0
    assert sum(ease(t) - other_ease(t) for t in spanish) / len(spanish) < 0
    assert all(grade(text) > other_grade(text) - 3 for text in english)


@pytest.mark.parametrize(
    ("word", "syllables"), [("ciudad", 2), ("río", 2), ("guerra", 2), ("quien", 1), ("azúcar", 3), ("aire", 2)]
)
def test_spanish_syllables(word, syllables):
    assert ease(f"{word}.") == pytest.approx(206.84 - 60 * syllables - 1.02)


@pytest.mark.parametrize(
    ("word", "syllables"), [("make", 1), ("table", 2), ("called", 1), ("needed", 2), ("insulin", 3), ("you", 1)]
)
def test_english_syllables(word, syllables):
    assert grade(f"{word}.") == pytest.approx(0.39 + 11.8 * syllables - 15.59)


def test_nothing_to_read_is_not_hard():
    assert (grade(""), ease("")) == (0.0, 100.0)
