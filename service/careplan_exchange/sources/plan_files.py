"""`mappings/vendors/` to query plans, and a finding for everything in it that does not hold together."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.mapping.files import read_row
from careplan_exchange.model.issue import Finding

from . import plan_lint
from .plan_rows import Type, Vendor
from .plans import GENERIC, Plan, Plans, TypePlan

T = TypeVar("T")


class _Told(NamedTuple):
    document: Document
    vendor: Vendor


def load_plans(documents: Iterable[Document]) -> Plans:
    """The plans of `mappings/vendors`. Raises KnowledgeError with every finding."""
    told, findings = _read(documents)
    if findings:
        raise KnowledgeError(findings)
    generic = next(each.vendor for each in told if each.vendor.vendor == GENERIC)
    return Plans({each.vendor.vendor: _plan(each.vendor, generic) for each in told})


def lint_plans(documents: Iterable[Document]) -> tuple[Finding, ...]:
    """Every finding, in order of file and line."""
    _, findings = _read(documents)
    return tuple(sorted(findings, key=lambda finding: (finding.file, finding.line, finding.message)))


def _read(documents: Iterable[Document]) -> tuple[list[_Told], list[Finding]]:
    findings: list[Finding] = []
    told = []
    for document in documents:
        vendor = read_row(document, Vendor, findings)
        if vendor is not None:
            told.append(_Told(document, vendor))
            findings += plan_lint.alone(document, vendor)
    if not findings:
        findings += plan_lint.together([(each.document, each.vendor) for each in told])
    return told, findings


def _plan(vendor: Vendor, generic: Vendor) -> Plan:
    own = {row.type: row for row in vendor.types}
    batch, include = vendor.batch or generic.batch, vendor.include or generic.include
    everything, changes = vendor.everything or generic.everything, vendor.last_updated or generic.last_updated
    assert batch and include and everything and changes  # noqa: S101,PT018 - the linter has seen to it
    return Plan(
        vendor=vendor.vendor,
        title=vendor.title,
        matches=vendor.matches,
        types=tuple(_type(own.get(row.type), row, vendor, generic) for row in generic.types),
        batch=batch.use,
        include=include.use,
        everything=everything.use,
        finds_every_change=changes.finds_every_change,
        overlap_minutes=changes.overlap_minutes,
        listing=changes.listing,
        estimates_total=(vendor.total or generic.total) == "estimate",
        ids_at_once=vendor.ids_at_once or generic.ids_at_once or 1,
        headers=tuple(header.name for header in vendor.headers),
    )


def _type(own: Type | None, usual: Type, vendor: Vendor, generic: Vendor) -> TypePlan:
    row = own or usual
    return TypePlan(
        type=row.type,
        parameter=row.parameter or usual.parameter or "patient",
        value=row.value or usual.value or vendor.value or generic.value or "Patient/<id>",
        count=row.count or vendor.count or usual.count or generic.count or 100,
        only=_first(row.only, usual.only),
        also=_first(row.with_, usual.with_),
        each=row.each or usual.each,
        include=_first(row.include, usual.include),
        releases=_first(row.releases, usual.releases) or ("R4", "R5"),
    )


def _first(own: tuple[T, ...] | None, usual: tuple[T, ...] | None) -> tuple[T, ...]:
    return (own if own is not None else usual) or ()
