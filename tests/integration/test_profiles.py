"""The profiles on a real server: they load, accept every example, and refuse what is not meant."""

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.guide import Artefacts, artefacts, snapshots
from careplan_exchange.guide.artefacts import transaction
from careplan_exchange.model.codec import decode, encode
from tests.support.base_definitions import derived, facts
from tests.support.guides import our_material, with_every_kind
from tests.support.product import Server

pytestmark = [pytest.mark.hapi, pytest.mark.slow]

FHIR = {"Content-Type": "application/fhir+json"}
FACTS = Path(snapshots.__file__).parent / "base" / "R4.json"


@pytest.fixture(scope="module")
def server(hapi_r4: Any) -> Server:
    return Server(hapi_r4.url)


@pytest.fixture(scope="module")
def made() -> Artefacts:
    return artefacts(with_every_kind(our_material()))


@pytest.fixture(scope="module")
def loaded(server: Server, made: Artefacts) -> Iterator[Artefacts]:
    """The guide on the server, taken away again afterwards: its parts of code systems would stay."""
    bundle = transaction((*made.fragments, *made.conformance))
    answer = server.http.post(server.url, content=encode(bundle), headers=FHIR, timeout=300)
    assert answer.status_code == 200, answer.text[:2000]
    yield made
    away = [{"request": {"method": "DELETE", "url": entry["request"]["url"]}} for entry in bundle["entry"]]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": away[::-1]}
    assert server.http.post(server.url, content=encode(body), headers=FHIR, timeout=300).status_code == 200


def errors(server: Server, resource: dict[str, Any], profile: str | None = None) -> list[str]:
    query = f"?profile={profile}" if profile else ""
    answer = server.http.post(
        f"{server.url}/{resource['resourceType']}/$validate{query}", content=encode(resource), headers=FHIR
    )
    return [
        f"{resource['id']}: {issue['diagnostics']}"
        for issue in decode(answer.content)["issue"]
        if issue["severity"] in {"error", "fatal"}
    ]


def example(made: Artefacts, name: str) -> dict[str, Any]:
    return copy.deepcopy(next(one for one in made.examples if one["id"] == f"careplan-example-{name}"))


def test_the_server_takes_every_example(server: Server, loaded: Artefacts) -> None:
    assert len(loaded.examples) > 50
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda one: errors(server, one, one["meta"]["profile"][0]), loaded.examples)
    assert [error for errors_of_one in found for error in errors_of_one] == []


def test_what_defines_the_profiles_is_itself_valid(server: Server, loaded: Artefacts) -> None:
    """One StructureDefinition a resource type, and all that is no StructureDefinition."""
    by_type = {one.get("type", one["id"]): one for one in (*loaded.fragments, *loaded.conformance)}
    assert [error for one in by_type.values() for error in errors(server, one)] == []


def _unit(resource: dict[str, Any]) -> None:
    resource["valueQuantity"]["code"] = "mg/dL"


def _code(resource: dict[str, Any]) -> None:
    resource["code"]["coding"][0]["code"] = "1742-6"


def _implausible(resource: dict[str, Any]) -> None:
    resource["valueQuantity"]["value"] = 2500


def _no_value(resource: dict[str, Any]) -> None:
    del resource["valueQuantity"]


def _text(resource: dict[str, Any]) -> None:
    del resource["valueQuantity"]
    resource["valueString"] = "7 %"


def _undated(resource: dict[str, Any]) -> None:
    del resource["effectiveDateTime"]


def _nobody(resource: dict[str, Any]) -> None:
    del resource["subject"]


@pytest.mark.parametrize("spoil", [_unit, _code, _implausible, _no_value, _text, _undated, _nobody])
def test_a_measurement_that_is_not_what_is_meant_is_refused(
    server: Server, loaded: Artefacts, spoil: Callable[[dict[str, Any]], None]
) -> None:
    resource = example(loaded, "hba1c")
    assert errors(server, resource, resource["meta"]["profile"][0]) == []
    spoil(resource)
    assert errors(server, resource, resource["meta"]["profile"][0])


@pytest.mark.parametrize(
    "name", ["type-2-diabetes", "metformin", "metformin-allergy", "family-diabetes", "pregnancy"]
)
def test_a_code_of_another_concept_is_refused(server: Server, loaded: Artefacts, name: str) -> None:
    resource = example(loaded, name)
    other = encode(resource).decode().replace(_first_code(resource), '"code":"38341003"')
    assert errors(server, decode(other), resource["meta"]["profile"][0])


def _first_code(resource: dict[str, Any]) -> str:
    """The code in the element that the profile binds, as it stands in the JSON."""
    place: Any = (
        resource.get("medicationCodeableConcept") or resource.get("code") or resource["condition"][0]["code"]
    )
    return f'"code":"{place["coding"][0]["code"]}"'


def test_the_snapshot_is_what_the_server_derives(server: Server, made: Artefacts) -> None:
    """Element by element, of the profile that goes deepest."""
    profile = next(one for one in made.conformance if one.get("title") == "Haemoglobin A1c (NGSP)")
    ours = profile["snapshot"]["element"]
    bare = {key: value for key, value in profile.items() if key != "snapshot"}
    theirs = derived(server, {**bare, "id": "careplan-test-derived", "url": "urn:careplan-exchange:test:derived"})
    assert [_what_counts(element) for element in ours] == [_what_counts(element) for element in theirs]


def _what_counts(element: dict[str, Any]) -> dict[str, Any]:
    kept = (
        "id",
        "path",
        "min",
        "max",
        "base",
        "mustSupport",
        "isModifier",
        "isSummary",
        "patternUri",
        "patternCode",
    )
    bounds = ("minValueDecimal", "maxValueDecimal", "contentReference", "condition")
    return {
        **{key: element[key] for key in (*kept, *bounds) if key in element},
        "types": [(found["code"], found.get("targetProfile")) for found in element.get("type", ())],
        "binding": [element.get("binding", {}).get(key) for key in ("strength", "valueSet")],
        "constraints": sorted(found["key"] for found in element.get("constraint", ())),
    }


def test_the_facts_of_the_base_definitions_are_those_of_the_server(server: Server) -> None:
    assert facts(server) == decode(FACTS.read_bytes()), "python -m tests.support.base_definitions URL"
