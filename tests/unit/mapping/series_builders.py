"""Observations over time, a line each."""

from typing import Any

from careplan_exchange.model.snapshot import Fact
from tests.unit.mapping.builders import LOINC, concept, observation, quantity


def pressure(systolic: Any, on: str, **more: Any) -> dict[str, Any]:
    components = [
        {"code": concept((LOINC, code)), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, value in (("8480-6", systolic), ("8462-4", 80))
    ]
    return observation("85354-9", component=components, effectiveDateTime=on, **more)


def measured(code: str, value: Any, unit: str, on: str = "2026-10-01", **more: Any) -> dict[str, Any]:
    return observation(code, valueQuantity=quantity(value, unit, **more), effectiveDateTime=on)


def a1c(value: Any, on: str, **more: Any) -> dict[str, Any]:
    return measured("4548-4", value, "%", on, **more)


def weight(value: Any, on: str = "2026-10-01") -> dict[str, Any]:
    return measured("29463-7", value, "kg", on)


def height(value: Any, on: str = "2026-10-01", unit: str = "cm") -> dict[str, Any]:
    return measured("8302-2", value, unit, on)


def sources(fact: Fact) -> list[str]:
    return sorted(one.reference for one in fact.inputs)
