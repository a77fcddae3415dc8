"""What shapes an answer and selects nothing: page size, order, elements, included resources.

http://hl7.org/fhir/R4/search.html#return
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from careplan_exchange.model.record import FhirRelease

from .calls import number
from .outcomes import Json, RefusalError, refusal
from .parameters import TYPES, Parameter, parameters
from .references import Local, local
from .rules import model_class
from .values import nodes

DEFAULT_PAGE = 20
LARGEST_PAGE = 1000

_ORDERS: Mapping[str, bool | None] = {"": None, "_lastUpdated": False, "-_lastUpdated": True}
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


class Include(msgspec.Struct, frozen=True):
    """References of one search parameter whose resources come along; `target` None: of any type."""

    parameter: Parameter
    target: str | None

    def targets(self, body: Json, base_url: str) -> Iterator[Local]:
        for node in nodes(self.parameter, body):
            literal = node.get("reference") if isinstance(node, dict) else None
            found = local(literal, base_url) if isinstance(literal, str) else None
            if found is not None and self.target in {None, found.type}:
                yield found


class Shape(msgspec.Struct, frozen=True):
    """`elements` empty: all of them. `newest_first` None: in the order of the last change."""

    count: int = DEFAULT_PAGE
    only_count: bool = False
    newest_first: bool | None = None
    elements: tuple[str, ...] = ()
    includes: tuple[Include, ...] = ()

    def changed(self, name: str, value: str, resource_type: str, release: FhirRelease) -> "Shape":
        """The shape with one more parameter. Raises RefusalError (400)."""
        base, _, modifier = name.partition(":")
        if modifier:
            raise refusal(400, "not-supported", f"{base} has a modifier that is not known here.")
        change: dict[str, Any] = {}
        if base == "_count":
            size = page_size(value)
            change = {"count": size, "only_count": self.only_count or size == 0}
        elif base == "_summary":
            change = {"only_count": self.only_count or _only_count(value)}
        elif base == "_sort":
            change = {"newest_first": _order(value)}
        elif base == "_elements":
            change = {"elements": _elements(value, resource_type, release)}
        elif base == "_include":
            change = {"includes": (*self.includes, *_includes(value, resource_type))}
        return msgspec.structs.replace(self, **change)


def page_size(text: str) -> int:
    """Raises RefusalError (400) for what is no number."""
    size = number(text)
    if size is None:
        raise refusal(400, "invalid", "_count is no number.")
    return min(size, LARGEST_PAGE)


def subset(body: Json, wanted: Sequence[str], release: FhirRelease) -> Json:
    """The resource with these elements, its mandatory ones, and the tag that says that it is not whole."""
    kept = {*wanted, *_mandatory(body["resourceType"], release), "resourceType", "id", "meta"}
    names = [name for name in body if not kept.isdisjoint(_called(name, body["resourceType"], release))]
    meta = body.get("meta", {})
    tagged = {**meta, "tag": [*meta.get("tag", ()), _SUBSETTED]}
    return {name: body[name] for name in names} | {"meta": tagged}


def _called(name: str, resource_type: str, release: FhirRelease) -> tuple[str, ...]:
    """How an element may be asked for: `valueQuantity`, `value` and `value[x]` are one; `_status` is `status`."""
    plain = name.removeprefix("_")
    stem = _stems(resource_type, release).get(plain)
    return (plain, stem, f"{stem}[x]") if stem is not None else (plain,)


@cache
def _stems(resource_type: str, release: FhirRelease) -> Mapping[str, str]:
    """The choice element behind each of its typed names."""
    fields = model_class(resource_type, release).model_fields
    return {name: _facts(one)["one_of_many"] for name, one in fields.items() if "one_of_many" in _facts(one)}


@cache
def _known(resource_type: str, release: FhirRelease) -> frozenset[str]:
    fields = model_class(resource_type, release).model_fields
    names = [one.alias or name for name, one in fields.items() if _facts(one).get("element_property")]
    return frozenset(each for name in names for each in _called(name, resource_type, release)) | {"id", "meta"}


@cache
def _mandatory(resource_type: str, release: FhirRelease) -> frozenset[str]:
    """Elements with a minimum of one. A choice is named by its stem."""
    found = set()
    for name, one in model_class(resource_type, release).model_fields.items():
        if _facts(one).get("one_of_many_required"):
            found.add(_facts(one)["one_of_many"])
        elif one.is_required() or _facts(one).get("element_required"):
            found.add(one.alias or name)
    return frozenset(found)


def _facts(field: Any) -> dict[str, Any]:
    return field.json_schema_extra or {}


def _elements(text: str, resource_type: str, release: FhirRelease) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not _known(resource_type, release).issuperset(names):
        raise refusal(400, "invalid", f"_elements names one that a {resource_type} does not have.")
    return names


def _includes(text: str, resource_type: str) -> tuple[Include, ...]:
    source, _, rest = text.partition(":")
    name, _, target = rest.partition(":")
    if source != resource_type or (target and target not in TYPES):
        raise _no_include(text)
    known = parameters(resource_type)
    names = [each for each, one in known.items() if one.kind == "reference"] if name == "*" else [name]
    if any(each not in known or known[each].kind != "reference" for each in names):
        raise _no_include(text)
    return tuple(Include(known[each], target or known[each].target) for each in names)


def _no_include(text: str) -> RefusalError:
    return refusal(
        400, "not-supported", f"_include={text} is not supported here; the CapabilityStatement says what is."
    )


def _only_count(text: str) -> bool:
    if text not in {"count", "false"}:
        raise refusal(400, "not-supported", "_summary is supported with count and false.")
    return text == "count"


def _order(text: str) -> bool | None:
    if text not in _ORDERS:
        raise refusal(400, "not-supported", "_sort is supported by _lastUpdated and -_lastUpdated.")
    return _ORDERS[text]
