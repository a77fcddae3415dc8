"""YAML as nearly every knowledge file is written, read in one pass: mappings, lists, scalars and anchors.

Made for speed beside `knowledge.parse`, which reads all of YAML and says what is wrong with a file. Whatever is
out of the ordinary here (a tag, a key twice, an error) is left to that.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

Path = tuple[str | int, ...]
Lines = dict[Path, int]

BOOLEAN, NULL = r"^(?:true|false)$", r"^(?:null|~|)$"
INTEGER, NUMBER = r"^-?(?:0|[1-9][0-9]*)$", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"
"""The JSON schema's idea of scalars: everything else is text."""

_BOOLEAN, _NULL, _INTEGER, _NUMBER = (re.compile(each) for each in (BOOLEAN, NULL, INTEGER, NUMBER))
_FIRSTS = frozenset("tfn~-0123456789")


class _UnusualError(Exception):
    """Not for this reader."""


def plain(text: bytes) -> tuple[Any, Lines] | None:
    """The content, and the line of every element by its path; None where the file needs the whole of YAML."""
    try:
        parser = CParser(text)
        try:
            return _Reading(parser.get_event).document()
        finally:
            parser.dispose()
    except (_UnusualError, YAMLError, ValueError, RecursionError):
        return None


class _Reading:
    """One file. `_anchored` is what each anchor stands for, with the lines of its elements."""

    def __init__(self, following: Callable[[], Any]) -> None:
        self._following = following
        self._lines: Lines = {}
        self._anchored: dict[str, tuple[Any, Lines]] = {}

    def document(self) -> tuple[Any, Lines]:
        self._following()  # the stream begins
        if not isinstance(self._following(), DocumentStartEvent):
            raise _UnusualError
        content = self._element(self._following(), ())
        for expected in (DocumentEndEvent, StreamEndEvent):
            if not isinstance(self._following(), expected):
                raise _UnusualError
        return content, self._lines

    def _element(self, event: Any, path: Path) -> Any:
        kind = type(event)
        if kind is AliasEvent:
            return self._again(event, path)
        line = event.start_mark.line + 1
        self._lines.setdefault(path, line)
        if event.tag is not None or event.anchor in self._anchored:
            raise _UnusualError
        if kind is ScalarEvent:
            found = _scalar(event)
        elif kind is MappingStartEvent:
            found = self._mapping(path)
        else:
            found = self._sequence(path)
        if event.anchor is not None:
            depth = len(path)
            below = {at[depth:]: on for at, on in self._lines.items() if at[:depth] == path}
            self._anchored[event.anchor] = found, below | {(): line}
        return found

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while type(key := self._following()) is not MappingEndEvent:
            line = key.start_mark.line + 1
            if type(key) is not ScalarEvent or key.tag is not None or key.anchor is not None:
                raise _UnusualError
            name = _scalar(key)
            if type(name) is not str or name in found:
                raise _UnusualError
            inner = (*path, name)
            self._lines[inner] = line
            found[name] = self._element(self._following(), inner)
        return found

    def _sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while type(item := self._following()) is not SequenceEndEvent:
            found.append(self._element(item, (*path, len(found))))
        return found

    def _again(self, alias: Any, path: Path) -> Any:
        """What the anchor stands for, at a second place. Inside itself it stands for nothing yet."""
        if alias.anchor not in self._anchored:
            raise _UnusualError
        content, below = self._anchored[alias.anchor]
        for at, on in below.items():
            self._lines.setdefault((*path, *at), on)
        return content


def _scalar(event: Any) -> Any:
    value: str = event.value
    if not event.implicit[0] or (value and value[0] not in _FIRSTS):
        return value
    if _NULL.match(value):
        return None
    if _BOOLEAN.match(value):
        return value == "true"
    if _INTEGER.match(value):
        return int(value)
    return Decimal(value) if _NUMBER.match(value) else value
