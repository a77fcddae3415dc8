"""Escaped pieces of a narrative."""

from xml.sax.saxutils import escape

XML_FORBIDS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))
"""Characters that no XML 1.0 document may hold, escaped or not (https://www.w3.org/TR/xml/#charsets)."""


def entry(title: str, *details: tuple[str, str]) -> str:
    below = "".join(f"<br/>{label}: {escaped(said)}" for label, said in details if said)
    return f"<b>{escaped(title)}</b>{below}"


def escaped(value: str) -> str:
    return escape(value.translate(XML_FORBIDS))
