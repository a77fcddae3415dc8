"""What can be wrong with a query plan, beyond its shape. Each finding says what to do about it."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding

from .kinds import ASKED, REFERRED, TYPES, parameters
from .plan_rows import Filter, Type, Vendor
from .plans import GENERIC

_SOURCE = re.compile(r"https?://\S+|(?:measured|not confirmed): \S")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LISTING = ("_elements", "_summary")
_INCLUDABLE = {"medication": "Medication", "device": "Device"}


def alone(document: Document, vendor: Vendor) -> Iterator[Finding]:
    """Findings in one file."""
    if not _DATE.fullmatch(vendor.reviewed):
        yield document.finding("This is no date.", "Write it as YYYY-MM-DD, in quotes.", "reviewed")
    for index, pattern in enumerate(vendor.matches):
        try:
            re.compile(pattern)
        except re.error:
            yield document.finding(
                f"'{pattern}' is no regular expression.",
                "Mend it; it is looked for in the software's name.",
                "matches",
                index,
            )
    if vendor.everything is not None and vendor.everything.use != "never" and not vendor.everything.whole:
        yield document.finding(
            "$everything is used though it is not whole.", "Set use to never.", "everything", "use"
        )
    for index, one in enumerate(vendor.last_updated.listing if vendor.last_updated is not None else ()):
        if one.name not in _LISTING:
            yield document.finding(
                f"'{one.name}' does not make a search give ids alone.{_near(one.name, _LISTING)}",
                "Use _elements or _summary.",
                *("lastUpdated", "listing", index),
            )
    yield from _sources(document, vendor)
    yield from _twice(document, "types", [row.type for row in vendor.types])
    for index, row in enumerate(vendor.types):
        yield from _type(document, row, index)


def together(read: Sequence[tuple[Document, Vendor]]) -> Iterator[Finding]:
    """Findings that only several files show: each of them is right by itself."""
    generic = next(((document, vendor) for document, vendor in read if vendor.vendor == GENERIC), None)
    if generic is None:
        where = read[0][0] if read else Document(path="mappings/vendors/generic.yaml", content={}, lines={})
        yield where.finding(
            f"No file is the plan of the vendor '{GENERIC}'.",
            "Add generic.yaml: it says what the others leave out.",
        )
        return
    yield from _generic(*generic)
    seen: dict[str, str] = {}
    patterns: dict[str, str] = {}
    for document, vendor in read:
        if vendor.vendor in seen:
            yield document.finding(
                f"The vendor '{vendor.vendor}' has a plan in {seen[vendor.vendor]} already.",
                "Give each vendor one file.",
                "vendor",
            )
        seen.setdefault(vendor.vendor, document.path)
        for index, pattern in enumerate(vendor.matches):
            if pattern.casefold() in patterns:
                yield document.finding(
                    f"The pattern '{pattern}' stands in {patterns[pattern.casefold()]} too: one never counts.",
                    "Remove one.",
                    "matches",
                    index,
                )
            patterns.setdefault(pattern.casefold(), document.path)


def _generic(document: Document, vendor: Vendor) -> Iterator[Finding]:
    for name, value in (
        ("value", vendor.value),
        ("count", vendor.count),
        ("idsAtOnce", vendor.ids_at_once),
        ("batch", vendor.batch),
        ("include", vendor.include),
        ("lastUpdated", vendor.last_updated),
        ("everything", vendor.everything),
    ):
        if value is None:
            yield document.finding(f"The generic plan does not say {name}.", "Add it.")
    for missing in sorted(ASKED - {row.type for row in vendor.types}):
        yield document.finding(
            f"The generic plan does not ask for {missing}, which is part of a record.",
            "Add it to types.",
            "types",
        )


def _type(document: Document, row: Type, index: int) -> Iterator[Finding]:
    at = ("types", index)
    if row.type not in ASKED:
        yield from _known_type(document, row.type, *at, "type")
        return
    if row.parameter is not None:
        yield from _parameter(document, row.type, row.parameter, *at, "parameter")
    yield from _filters(document, row.type, row.only, *at, "only")
    yield from _filters(document, row.type, row.with_, *at, "with")
    if row.each is not None:
        yield from _parameter(document, row.type, row.each.parameter, *at, "each", "parameter")
        if not row.each.values:
            yield document.finding("There is no value to ask for.", "Add one, or remove each.", *at, "each")
        yield from _twice(document, (*at, "each", "values"), row.each.values)
    for number, include in enumerate(row.include or ()):
        kind, _, parameter = include.partition(":")
        if kind != row.type or parameter not in _INCLUDABLE:
            yield document.finding(
                f"'{include}' is nothing that can come along with a {row.type}.",
                f"Write {row.type}:medication or {row.type}:device.",
                *at,
                "include",
                number,
            )


def _filters(
    document: Document, resource_type: str, filters: Iterable[Filter] | None, *at: str | int
) -> Iterator[Finding]:
    for number, one in enumerate(filters or ()):
        yield from _parameter(document, resource_type, one.name, *at, number, "name")


def _parameter(document: Document, resource_type: str, name: str, *at: str | int) -> Iterator[Finding]:
    known = parameters(resource_type)
    if name not in known:
        yield document.finding(
            f"'{name}' is no search parameter of {resource_type}.{_near(name, known)}",
            "Use a parameter of the FHIR registry.",
            *at,
        )


def _known_type(document: Document, name: str, *at: str | int) -> Iterator[Finding]:
    if name in REFERRED - ASKED:
        yield document.finding(f"A {name} is not asked for by patient.", "Use include of what refers to it.", *at)
    elif name not in TYPES:
        yield document.finding(
            f"'{name}' is no resource type of a record.{_near(name, TYPES)}", "Mend the name, or remove it.", *at
        )


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _twice(document: Document, at: str | tuple[str | int, ...], names: Sequence[str]) -> Iterator[Finding]:
    path = (at,) if isinstance(at, str) else at
    counted = Counter(names)
    for index, name in enumerate(names):
        if counted[name] > 1 and name in names[:index]:
            yield document.finding(f"'{name}' stands twice.", "Remove one.", *path, index)


def _sources(document: Document, vendor: Vendor) -> Iterator[Finding]:
    told: list[tuple[tuple[str | int, ...], str]] = [((), vendor.source)]
    for key, element in (
        ("batch", vendor.batch),
        ("include", vendor.include),
        ("lastUpdated", vendor.last_updated),
        ("everything", vendor.everything),
    ):
        if element is not None:
            told.append(((key,), element.source))
    for key, rows in (("headers", vendor.headers), ("types", vendor.types)):
        told += [((key, index), row.source) for index, row in enumerate(rows)]
    for path, source in told:
        if not _SOURCE.match(source):
            yield document.finding(
                "The source names no page.",
                "Give its address, or say 'measured: …' or 'not confirmed: …'.",
                *path,
                "source",
            )
