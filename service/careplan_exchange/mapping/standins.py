"""What a concept or a ValueSet that cannot be read was probably meant to be.

Only the linter uses these: without them one misspelt key would be told once more at every mapping and protocol
that speaks of its concept. What stands in here is never loaded, because its finding stops the loading.
"""

from collections.abc import Iterator
from typing import Any, cast, get_args

from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Concept, ValueSet
from careplan_exchange.spelling import nearest


def concept_for(raw: Any) -> Concept | None:
    """The concept that this element was meant to be, None where not even its id can be told."""
    if not isinstance(raw, dict) or not isinstance(id_ := _meant(raw, "id"), str):
        return None
    kind = str(_meant(raw, "kind"))
    unit, value_set = _meant(raw, "unit"), _meant(raw, "valueSet")
    return Concept(
        id=id_,
        kind=cast("FactKind", nearest(kind, get_args(FactKind)) or ("measurement" if unit else "condition")),
        title=id_,
        value_set=value_set if isinstance(value_set, str) else "",
        when_absent="unknown",
        unit=unit if isinstance(unit, str) else None,
    )


def value_set_for(raw: dict[str, Any]) -> ValueSet | None:
    """The ValueSet that this file was meant to be, with every code that can be found in it."""
    url = _meant(raw, "url")
    if not isinstance(url, str):
        return None
    return ValueSet(url=url, title=url, codes=frozenset(_codes(raw, "")), source="")


def _meant(raw: dict[str, Any], key: str) -> Any:
    """What stands under this key, or under the one most like it."""
    return raw.get(key, raw.get(nearest(key, raw) or key))


def _codes(value: Any, system: str) -> Iterator[tuple[str, str]]:
    """Every code below this element, whatever the keys around it are called."""
    if isinstance(value, dict):
        system = value["system"] if isinstance(value.get("system"), str) else system
        if isinstance(value.get("code"), str):
            yield system, value["code"]
        for inner in value.values():
            yield from _codes(inner, system)
    elif isinstance(value, list):
        for inner in value:
            yield from _codes(inner, system)
