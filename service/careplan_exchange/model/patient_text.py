"""Which of a line's texts a patient reads."""

import re
from collections.abc import Mapping

_PRIMARY = re.compile(r"[a-z]{2,8}")
"""The first subtag of a language tag (RFC 5646, section 2.1)."""


def base_of(language: str | None) -> str | None:
    """The primary subtag of a BCP 47 tag in small letters: `es` of `es-MX`. None for what is no such tag: what
    stands in a record in its place may be anything."""
    base = (language or "").replace("_", "-").split("-")[0].lower()
    return base if _PRIMARY.fullmatch(base) else None


def for_patient(text: str, texts: Mapping[str, str], language: str | None) -> str:
    """The text in the patient's language where there is one, else the English one."""
    return texts.get(base_of(language) or "", text)
