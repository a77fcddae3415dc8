"""Bad input as Hypothesis draws it: any JSON, any valid thing with parts of it spoiled, and the bytes of both.

What JSON can say and Python cannot (1e999, a lone surrogate, 5,000 brackets) stands in the value as a `Literal`, and
becomes itself when the value is written down: the examples stay small.
"""

import copy
import json
import re
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""For tests whose largest examples take a while. How many there are is the profile's business."""

_MARK = re.compile(r'"\\u0001([^"]*)\\u0001"')

NAMES = [
    "resourceType",
    "id",
    "meta",
    "versionId",
    "lastUpdated",
    "implicitRules",
    "modifierExtension",
    "extension",
    "url",
    "contained",
    "text",
    "div",
    "status",
    "intent",
    "subject",
    "patient",
    "reference",
    "identifier",
    "system",
    "code",
    "coding",
    "display",
    "value",
    "unit",
    "comparator",
    "low",
    "high",
    "valueQuantity",
    "valueString",
    "valueCodeableConcept",
    "valueRange",
    "valueRatio",
    "component",
    "effectiveDateTime",
    "start",
    "end",
    "verificationStatus",
    "clinicalStatus",
    "onsetAge",
    "abatementDateTime",
    "medication",
    "concept",
    "entry",
    "resource",
    "link",
    "relation",
    "total",
    "fullUrl",
    "search",
    "mode",
    "type",
    "response",
    "item",
    "answer",
]


def literal(text: str) -> str:
    """A value that is written down as this text instead of as a string."""
    return f"\x01{text}\x01"


def written(value: Any) -> bytes:
    """The JSON of a value, its literals in place. Always valid UTF-8."""

    def put(match: re.Match[str]) -> str:
        text = match[1]
        kind, _, count = text.partition(":")
        if kind == "array":
            return "[" * int(count) + "]" * int(count)
        if kind == "object":
            return '{"a":' * int(count) + "0" + "}" * int(count)
        if kind == "string":
            return '"' + "é" * int(count) + '"'
        if kind == "list":
            return "[" + ",".join(["{}"] * int(count)) + "]"
        return text

    return _MARK.sub(put, json.dumps(value)).encode()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "\u0000",
            "\u202e\u2066",
            "e\u0301\u0301\u0301",
            "\ud83d\ude00",
            "\u0663\u0664",
            "\uff11\uff12",
            "İ",
            "ß",
            "NaN",
            "9999-12-31",
            "0000-00-00",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:60-14:00",
            "2026-02-30",
            "2026-11-24T24:00:00Z",
            "Patient/me",
            "Patient/you",
            "Patient/me/_history/1",
            "urn:uuid:me",
            "#",
            "#m",
            "https://ehr.example/fhir/Patient/me",
            "javascript:alert(1)",
            "..",
            "*",
            "http://loinc.org",
            "entered-in-error",
        ]
    ),
    st.sampled_from(
        [
            literal(text)
            for text in [
                "1e999",
                "-1e999",
                "1e-999",
                "-0",
                "-0.0",
                "0e0",
                "1E+400",
                "7.20",
                "123456789012345678901234567890.5",
                "1e308",
                "9e9999999",
                r'"\ud800"',
                r'"\udc00\ud800"',
                "array:50",
                "array:900",
                "object:900",
                "array:5000",
                "string:100000",
                "list:3000",
            ]
        ]
    ),
)

ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=6)), inner, max_size=5),
    ),
    max_leaves=12,
)

_SPOIL = ("delete", "replace", "swap", "reshape", "add")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every element of a value: the container and the key or index in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[dict[str, Any], ...], most: int = 4) -> dict[str, Any]:
    """One of the seeds with one to `most` elements deleted, doubled, retyped, moved, renamed, or made huge or deep."""
    value: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, most))):
        places = _places(value)
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        _spoil(draw, value, holder, key)
    return value


def _spoil(draw: st.DrawFn, value: dict[str, Any], holder: Any, key: Any) -> None:
    how = draw(st.sampled_from(_SPOIL))
    if how == "delete":
        del holder[key]
    elif how == "replace":
        holder[key] = draw(ANY_JSON)
    elif how == "swap":
        places = _places(value)
        other, place = places[draw(st.integers(0, len(places) - 1))]
        holder[key] = copy.deepcopy(other[place])
    elif how == "reshape":
        holder[key] = draw(st.sampled_from(_reshaped(holder[key])))
    elif isinstance(holder, dict):
        _add(draw, holder, key)
    else:
        holder.insert(key, draw(st.one_of(st.just(copy.deepcopy(holder[key])), ANY_JSON)))


def _reshaped(element: Any) -> list[Any]:
    """The element empty, in a list, twice, and out of its list."""
    empty = type(element)() if isinstance(element, dict | list | str) else None
    outside = element[0] if isinstance(element, list) and element else element
    return [empty, [element], [element, copy.deepcopy(element)], outside]


def _add(draw: st.DrawFn, holder: dict[str, Any], key: str) -> None:
    match draw(st.sampled_from(["rename", "modifier", "any"])):
        case "rename":
            holder[draw(st.sampled_from(NAMES))] = holder.pop(key)
        case "modifier":
            holder["modifierExtension"] = [{"url": "urn:test", "valueBoolean": True}]
        case _:
            holder[draw(st.sampled_from(NAMES))] = draw(ANY_JSON)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes as a bad line, proxy or program leaves them; half of the time as they are."""
    if draw(st.booleans()):
        return content
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    junk = draw(st.binary(min_size=1, max_size=3))
    return draw(
        st.sampled_from(
            [
                content[:place],
                content[:place] + junk + content[place + 1 :],
                b"\xef\xbb\xbf" + content,
                content + content,
                content[:place] + "\u00fc".encode("latin-1") + content[place:],
                content.removesuffix(b"}") + b',"resourceType":"Patient","id":"me"}',
            ]
        )
    )
