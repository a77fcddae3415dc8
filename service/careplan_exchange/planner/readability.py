"""How hard a text is to read: Flesch-Kincaid's grade for English, Fernández-Huerta's ease for Spanish.

Both need sentences, words and syllables; syllables are counted by spelling. For Spanish that is exact but for
rare words; for English it errs towards more syllables, so towards a harder grade, and tests hold both beside
another counter. Formulas: Kincaid et al. 1975, Naval Technical Training Command report 8-75; Fernández-Huerta
1959 as corrected by Law 2011.
"""

import re
import unicodedata

HARDEST_GRADE = 8.0
"""The school year (US) whose reader must be able to follow an English text."""
LEAST_EASE = 60.0
"""Fernández-Huerta: from 60 to 70 is plain Spanish (school years 7 and 8), more is easier."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001 # the apostrophe that people type
_END = re.compile(r"[.!?]+(?:\s|$)")
_ENGLISH = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?:[^aeiouyl]|[aeiouy]l|[aeiouy])e$|[^aeiouydt]ed$")
_STRONG = "aeoáéóíú"
_SPANISH = re.compile(r"[aeiouáéíóúü]+")


def grade(text: str) -> float:
    """The US school year that an English text needs."""
    sentences, words = _sentences(text), _WORD.findall(text)
    if not words:
        return 0.0
    syllables = sum(_english(word.lower()) for word in words)
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


def ease(text: str) -> float:
    """How easy a Spanish text is: 100 is very easy, 0 very hard."""
    sentences, words = _sentences(text), _WORD.findall(text)
    if not words:
        return 100.0
    syllables = sum(_spanish(word.lower()) for word in words)
    return 206.84 - 60 * syllables / len(words) - 1.02 * len(words) / sentences


def _sentences(text: str) -> int:
    return max(1, len(_END.findall(text)))


def _english(word: str) -> int:
    return max(1, len(_ENGLISH.findall(word)) - bool(_SILENT.search(word)))


def _spanish(word: str) -> int:
    """A group of vowels is one syllable for each strong one in it; an accent makes a weak vowel strong."""
    word = re.sub(r"qu(?=[eéií])|gu(?=[eéií])", "k", unicodedata.normalize("NFC", word))
    return max(1, sum(max(1, sum(vowel in _STRONG for vowel in group)) for group in _SPANISH.findall(word)))
