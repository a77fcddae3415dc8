"""What US Core demands of our resources in each of its versions: cardinalities, read from its own snapshots.

The HL7 validator holds one version of a profile at a time; this needs no server. It looks at what must be there,
slices with a fixed pattern included, and at nothing else.
"""

import tarfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from careplan_exchange.model.codec import decode
from careplan_exchange.model.target import Rung, TargetForm
from tests.support.rungs import rich_plan
from tests.support.shared import require_shared

VERSIONS = {"311": "3.1.1", "501": "5.0.1", "610": "6.1.0", "700": "7.0.0", "800": "8.0.0"}
PROFILED = ("CarePlan", "Goal", "ServiceRequest", "DocumentReference")


@cache
def snapshots(version: str) -> dict[str, list[dict[str, Any]]]:
    """The elements of the profiles of PROFILED that this version has, by type."""
    with tarfile.open(require_shared(f"fixtures/profiles/us_core_{version}.tgz")) as package:
        names = set(package.getnames())
        found = {}
        for kind in PROFILED:
            name = f"package/StructureDefinition-us-core-{kind.lower()}.json"
            if name in names and (file := package.extractfile(name)) is not None:
                found[kind] = decode(file.read())["snapshot"]["element"]
        return found


def missing(body: dict[str, Any], elements: list[dict[str, Any]]) -> list[str]:
    """The ids of the elements that must be there and are not, of all parents that are."""
    return [
        element["id"]
        for element in elements
        if element["min"] > 0 and "." in element["id"] and not _there(body, element)
    ]


def _there(body: dict[str, Any], element: dict[str, Any]) -> bool:
    *above, last = element["id"].split(".")[1:]
    name, _, slice_name = last.partition(":")
    if any(":" in part for part in above):
        return True  # within a slice: its pattern says it all
    for parent in _parents(body, above):
        values = [one for key, value in parent.items() if _is(key, name) for one in _each(value)]
        pattern = element.get("patternCodeableConcept")
        if pattern is not None and slice_name:
            values = [one for one in values if _holds(one, pattern)]
        if len(values) < element["min"]:
            return False
    return True


def _parents(node: dict[str, Any], path: list[str]) -> Iterator[dict[str, Any]]:
    if not path:
        yield node
        return
    for key, value in node.items():
        if _is(key, path[0]):
            for one in _each(value):
                if isinstance(one, dict):
                    yield from _parents(one, path[1:])


def _is(key: str, name: str) -> bool:
    return key == name or (name.endswith("[x]") and key.startswith(name.removesuffix("[x]")))


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _holds(concept: dict[str, Any], pattern: dict[str, Any]) -> bool:
    wanted = [(one["system"], one["code"]) for one in pattern["coding"]]
    return all(want in [(one["system"], one["code"]) for one in concept.get("coding", ())] for want in wanted)


@pytest.mark.parametrize("rung", ["references", "detail", "document"])
@pytest.mark.parametrize("version", list(VERSIONS))
async def test_every_resource_has_what_us_core_demands(version: str, rung: Rung) -> None:
    profiles = snapshots(version)
    rendered = await rich_plan(TargetForm(release="R4", rung=rung, us_core=VERSIONS[version]))
    checked = [each for each in rendered if each.type in profiles]
    assert {each.type for each in checked} >= (
        {"DocumentReference"} if rung == "document" else {"CarePlan", "Goal"}
    )
    assert {each.type: gaps for each in checked if (gaps := missing(each.body, profiles[each.type]))} == {}


async def test_the_check_finds_what_a_version_demands_and_a_plan_has_not() -> None:
    plan = (await rich_plan(TargetForm(release="R4", us_core="9.0.0")))[-1].body
    assert "CarePlan.category:AssessPlan" in missing(plan, snapshots("700")["CarePlan"])
    assert "CarePlan.category:AssessPlan" not in missing(plan, snapshots("800")["CarePlan"])
    service = next(e.body for e in await rich_plan(TargetForm(release="R4")) if e.type == "ServiceRequest")
    without = {name: value for name, value in service.items() if name != "category"}
    assert missing(without, snapshots("501")["ServiceRequest"]) == ["ServiceRequest.category"]
