"""What patients read: short sentences of plain words, in every protocol."""

import re

import pytest

from careplan_exchange.planner.elements import PATIENT_TEXT, extension, items
from tests.cases.snapshots import protocol_documents


def texts():
    for document in protocol_documents():
        holders = [document.content, *items(document.content, "goal")]
        for holder in holders:
            if text := extension(holder, PATIENT_TEXT):
                yield f"{document.path} {holder['id']}", text


def syllables(word):
    groups = len(re.findall(r"[aeiouy]+", word.lower()))
    return max(1, groups - (word.lower().endswith("e") and not word.lower().endswith("le") and groups > 1))


def grade(text):
    """Flesch-Kincaid grade level."""
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    words = re.findall(r"[A-Za-z']+", text)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


@pytest.mark.parametrize(("where", "text"), list(texts()), ids=[where for where, _ in texts()])
def test_a_patient_of_eighth_grade_reading_can_follow(where, text):
    assert grade(text) <= 8, (where, round(grade(text), 1), text)


def test_there_are_texts_and_a_hard_one_would_be_found():
    assert len(list(texts())) > 40
    assert (
        grade("Individualised antihypertensive pharmacotherapy necessitates comprehensive laboratory evaluation.")
        > 8
    )
