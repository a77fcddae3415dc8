"""ValueSets of `profiles/`: by enumeration, each code checked for spelling and licence when it is loaded."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import ValueSet

from .files import METADATA, Text, read_row
from .standins import value_set_for
from .systems import HIERARCHIES, PERMITTED_SNOMED, SNOMED, complaint, misspelt

CANONICAL = re.compile(r"urn:careplan-exchange:ValueSet:[a-z0-9]+(?:-[a-z0-9]+)*")

Path = tuple[str | int, ...]


class _Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: Text
    display: str | None = None


class _Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one filter that can be carried out without a terminology server: `is-a` where the hierarchy is in
    the spelling of the code (ICD-10-CM, ICD-9-CM, ICD-10-PCS)."""

    property: Literal["concept"]
    op: Literal["is-a"]
    value: Text


class _Include(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    system: Text
    concept: tuple[_Concept, ...] = ()
    filter: tuple[_Filter, ...] = ()


class _Compose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    include: tuple[_Include, ...]


class _ValueSet(msgspec.Struct, frozen=True):
    """What is read of a FHIR ValueSet (http://hl7.org/fhir/R4/valueset.html). `purpose` names the source."""

    url: Text
    version: Text
    title: Text
    status: Literal["draft", "active", "retired"]
    date: Text
    purpose: Text
    compose: _Compose


def read_value_sets(documents: Iterable[Document], findings: list[Finding]) -> dict[str, ValueSet]:
    """Every ValueSet by its canonical, and a finding for each thing that is wrong with one."""
    value_sets: dict[str, ValueSet] = {}
    places: list[tuple[Document, Path, str, str]] = []
    for document in documents:
        row = read_row(document, _ValueSet, findings, beside=METADATA)
        if row is None:
            if (meant := value_set_for(document.content)) is not None:
                value_sets[meant.url] = meant
            continue
        if not CANONICAL.fullmatch(row.url):
            findings.append(
                document.finding(
                    f"'{row.url}' is not a canonical of ours.",
                    "Write urn:careplan-exchange:ValueSet:<name>, with a name of a-z, 0-9 and hyphens.",
                    "url",
                )
            )
        if row.url in value_sets:
            findings.append(
                document.finding(
                    f"The ValueSet {row.url} stands in two files.", "Remove one, or give it its own name.", "url"
                )
            )
        codes: set[tuple[str, str]] = set()
        prefixes: set[tuple[str, str]] = set()
        for path, system, code, is_prefix in _codes(row, document, findings):
            into = prefixes if is_prefix else codes
            if (system, code) in into:
                findings.append(document.finding(f"'{code}' stands twice.", "Remove one.", *path))
            into.add((system, code))
            places.append((document, path, system, code))
        value_sets[row.url] = ValueSet(
            url=row.url,
            title=row.title,
            codes=frozenset(codes),
            source=row.purpose.strip(),
            prefixes=frozenset(prefixes),
        )
    for document, path, system, code in places:
        findings.extend(code_findings(document, path, system, code, value_sets))
    return value_sets


def system_findings(document: Document, path: Path, system: str) -> Iterator[Finding]:
    """A code system whose name is almost that of a well-known one: its codes would never be met."""
    if (meant := misspelt(system)) is not None:
        yield document.finding(
            f"'{system}' is no code system that is known.", f"Did you mean '{meant}'?", *path, "system"
        )


def code_findings(
    document: Document, path: Path, system: str, code: str, value_sets: Mapping[str, ValueSet]
) -> Iterator[Finding]:
    """What is wrong with naming this code: its spelling, or that SNOMED CT's licence does not cover it."""
    wrong = complaint(system, code)
    if wrong is not None:
        yield document.finding(wrong, "Look the code up again and copy it.", *path)
    elif system == SNOMED:
        permitted = value_sets.get(PERMITTED_SNOMED)
        if permitted is not None and (system, code) not in permitted.codes:
            yield document.finding(
                f"SNOMED CT {code} is not among the codes that may be used without a licence.",
                "Use a code of the Global Patient Set, another code system, or text (mappings/text). A site with "
                "a licence lays its own profiles/valuesets/snomed-permitted.yaml over ours.",
                *path,
            )


def _codes(row: _ValueSet, document: Document, findings: list[Finding]) -> Iterator[tuple[Path, str, str, bool]]:
    for number, include in enumerate(row.compose.include):
        path = ("compose", "include", number)
        findings.extend(system_findings(document, path, include.system))
        if not include.concept and not include.filter:
            findings.append(
                document.finding(
                    "This part names no code, so it would take the whole code system.",
                    "List the codes, or use a filter: property concept, op is-a.",
                    *path,
                )
            )
        if len(include.filter) + bool(include.concept) > 1:
            findings.append(
                document.finding(
                    "FHIR joins the filters and the list of one include with 'and': no code is in all of them.",
                    "Give each filter, and the list, an include of its own.",
                    *path,
                    "filter",
                )
            )
        for index, concept in enumerate(include.concept):
            yield (*path, "concept", index), include.system, concept.code, False
        for index, entry in enumerate(include.filter):
            if include.system not in HIERARCHIES:
                findings.append(
                    document.finding(
                        f"A filter cannot be carried out in {include.system}: its hierarchy is not in the codes.",
                        "List the codes one by one.",
                        *path,
                        "filter",
                        index,
                    )
                )
            yield (*path, "filter", index), include.system, entry.value, True
