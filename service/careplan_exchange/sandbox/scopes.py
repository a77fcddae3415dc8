"""SMART scopes, v1 and v2, and what each interaction needs of them.

http://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources.
A backend service has `system/` scopes only. Scopes narrowed by a search (`?category=…`) are refused: the sandbox
would not
hold to them.
"""

import re
from collections.abc import Mapping

import msgspec

_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]*)\.(read|write|\*|c?r?u?d?s?)", re.ASCII)
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


class Scopes(msgspec.Struct, frozen=True):
    """`granted` holds the letters of `cruds` by resource type, or by `*`."""

    text: str
    granted: Mapping[str, frozenset[str]]

    def allow(self, kind: str, letter: str) -> bool:
        return letter in self.granted.get(kind, ()) or letter in self.granted.get("*", ())


def parse_scopes(text: str) -> Scopes | None:
    """None where one of them is no scope that a backend service can have here, or there is none."""
    granted: dict[str, frozenset[str]] = {}
    for scope in text.split():
        match = _SCOPE.fullmatch(scope)
        if match is None or not match[2]:
            return None
        letters = frozenset(_V1.get(match[2], match[2]))
        granted[match[1]] = granted.get(match[1], frozenset()) | letters
    return Scopes(" ".join(text.split()), granted) if granted else None


def need(method: str, segments: tuple[str, ...]) -> tuple[str, str] | None:  # noqa: PLR0911 - a table
    """The resource type and the letter that an interaction needs, None where it needs none."""
    match method, segments:
        case "GET", () | ("metadata",):
            return None  # a further page has an address that only the search before it has told
        case ("GET", (kind,)) | ("POST", (kind, "_search")):
            return kind, "s"
        case "GET", (_, _, "$everything"):
            return "*", "r"
        case "GET", (kind, *_):
            return kind, "r"
        case "POST", (kind, *_):
            return kind, "c"
        case "PUT", (kind, *_):
            return kind, "u"
        case "DELETE", (kind, *_):
            return kind, "d"
    return None
