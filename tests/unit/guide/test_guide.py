"""The guide: a profile for every concept, valid, whole, and the same page as in docs."""

import copy
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from fhir.resources.R4B import get_fhir_model_class

from careplan_exchange.guide import artefacts, page
from careplan_exchange.guide.page import _TITLES
from careplan_exchange.guide.shapes import SHAPES, shape_of
from careplan_exchange.guide.snapshots import base_elements, snapshot
from careplan_exchange.guide.structures import structure
from careplan_exchange.model.codec import decode, encode, steady
from careplan_exchange.model.snapshot import FactKind
from tests.support.guides import our_material, with_every_kind

PAGE = Path("docs/profiles.md")


@pytest.fixture(scope="module")
def material():
    return our_material()


@pytest.fixture(scope="module")
def every(material):
    return with_every_kind(material)


@pytest.fixture(scope="module")
def made(every):
    return artefacts(every)


def profiles(made):
    return [resource for resource in made.conformance if resource["resourceType"] == "StructureDefinition"]


@pytest.mark.parametrize("kind", get_args(FactKind))
def test_a_kind_of_fact_has_a_form(kind):
    assert kind in SHAPES, f"guide/shapes.py does not say what holds a fact of kind '{kind}'"
    assert shape_of(kind, frozenset()).resource
    assert kind in _TITLES, f"guide/page.py has no heading for facts of kind '{kind}'"


def test_every_concept_has_a_profile_and_an_example_of_it(every, made):
    urls = [profile["url"] for profile in profiles(made)]
    assert len(urls) == len(set(urls)) == len(every.concepts)
    assert [example["meta"]["profile"] for example in made.examples] == [[url] for url in urls]
    assert [example["resourceType"] for example in made.examples] == [
        profile["type"] for profile in profiles(made)
    ]


def test_everything_is_valid_fhir(made):
    for _, resource in made.files():
        get_fhir_model_class(resource["resourceType"]).model_validate(decode(encode(resource)))


def test_every_file_has_a_name_of_its_own_and_an_id_that_fhir_allows(made):
    names = [name for name, _ in made.files()]
    assert len(names) == len(set(names))
    assert all(len(resource["id"]) <= 64 for name, resource in made.files() if name != "load.json")


def test_a_snapshot_has_every_element_of_the_type_and_every_change_of_the_differential(made):
    for profile in profiles(made):
        elements = {element["id"]: element for element in profile["snapshot"]["element"]}
        assert len(elements) == len(profile["snapshot"]["element"])
        assert {row["path"] for row in base_elements(profile["type"])} <= set(elements)
        for change in profile["differential"]["element"]:
            assert change.items() <= elements[change["id"]].items()
        for element in elements.values():
            assert {"definition", "min", "max", "base"} <= set(element), element["id"]


def test_a_differential_is_in_the_order_of_the_snapshot(made):
    for profile in profiles(made):
        order = [element["id"] for element in profile["snapshot"]["element"]]
        places = [order.index(element["id"]) for element in profile["differential"]["element"]]
        assert places == sorted(places)


def test_a_snapshot_does_not_change_the_facts_that_it_is_made_from():
    before = copy.deepcopy(base_elements("Observation"))
    elements = snapshot("Observation", [{"id": "Observation.code", "path": "Observation.code", "max": "7"}])
    assert next(e for e in elements if e["id"] == "Observation.code")["max"] == "7"
    assert base_elements("Observation") == before


def test_a_measurement_is_bound_to_its_codes_its_unit_and_its_bounds(material):
    elements = {
        element["id"]: element
        for element in structure(material, material.vocabulary.concepts["hba1c"])["differential"]["element"]
    }
    assert elements["Observation.code"]["binding"]["strength"] == "required"
    assert elements["Observation.code"]["binding"]["valueSet"] == "urn:careplan-exchange:ValueSet:hba1c"
    assert elements["Observation.value[x]"]["type"] == [{"code": "Quantity"}]
    assert elements["Observation.value[x].code"]["patternCode"] == "%"
    number = elements["Observation.value[x].value"]
    assert (number["minValueDecimal"], number["maxValueDecimal"]) == material.vocabulary.concepts[
        "hba1c"
    ].plausible


def test_a_concept_that_no_code_means_is_told_by_its_own_name(every):
    elements = structure(every, every.vocabulary.concepts["every_uncoded"])["differential"]["element"]
    code = next(element for element in elements if element["id"] == "Observation.code")
    assert code["patternCodeableConcept"]["coding"] == [
        {"system": "urn:careplan-exchange:concept", "code": "every_uncoded"}
    ]
    assert "binding" not in code


def test_a_relative_s_disease_is_one_of_those_that_count(material):
    elements = structure(material, material.vocabulary.concepts["family_diabetes"])["differential"]["element"]
    code = next(element for element in elements if element["id"] == "FamilyMemberHistory.condition.code")
    assert code["binding"]["valueSet"] == "urn:careplan-exchange:ValueSet:diabetes-in-relative"


def test_every_target_of_a_concept_map_is_in_the_code_system_of_the_concepts(made):
    (system,) = (one for one in made.conformance if one["resourceType"] == "CodeSystem")
    known = {concept["code"] for concept in system["concept"]}
    targets = {
        target["code"]
        for one in made.conformance
        if one["resourceType"] == "ConceptMap"
        for group in one["group"]
        if group["target"] == system["url"]
        for element in group["element"]
        for target in element["target"]
        if "code" in target
    }
    assert targets
    assert targets <= known


def test_every_listed_code_is_in_the_fragment_of_its_code_system(made):
    def codes(rows):
        for row in rows:
            yield row["code"]
            yield from codes(row.get("concept", ()))

    held = {one["url"]: list(codes(one["concept"])) for one in made.fragments}
    assert all(len(found) == len(set(found)) for found in held.values())
    for resource in made.conformance:
        if resource["resourceType"] == "ValueSet":
            for include in resource["compose"]["include"]:
                if include["system"] in held:
                    listed = {row["code"] for row in include.get("concept", ())}
                    assert listed <= set(held[include["system"]])


def test_what_is_asked_of_a_server_is_what_is_searched(material, made):
    (statement,) = (one for one in made.conformance if one["resourceType"] == "CapabilityStatement")
    asked = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert (statement["kind"], set(asked)) == ("requirements", {need.type for need in material.needs})
    for need in material.needs:
        (expected,) = asked[need.type]["extension"]
        assert expected["valueCode"] == ("SHALL" if need.required else "SHOULD")
    assert "urn:careplan-exchange:StructureDefinition:hba1c" in asked["Observation"]["supportedProfile"]


def test_the_same_folders_give_the_same_bytes(material):
    assert steady(list(artefacts(material).files())) == steady(list(artefacts(our_material()).files()))


def test_the_page_is_current(material):
    assert page(material) == PAGE.read_text(), "careplan knowledge describe > docs/profiles.md"


def test_the_page_tells_of_a_concept_all_that_the_folders_say(material):
    text = page(material)
    hba1c = text[text.index('<a id="hba1c">') :].partition("###")[0]
    for said in ("Haemoglobin A1c", "`%hba1c`", "4548-4", "from 2.5 to 25 %", "365 days", "means unknown"):
        assert said in hba1c
    assert "Also from: " in hba1c
    assert "Asked for by: Prevention in adults, Type 2 diabetes in adults" in hba1c


def test_the_page_has_a_place_for_every_concept_also_of_a_kind_that_is_new(every):
    text = page(every)
    for concept in every.concepts:
        assert text.count(f'<a id="{concept.id.replace("_", "-")}"></a>') == 1
        assert f"](#{concept.id.replace('_', '-')})" in text
    assert "No code means it." in text


def test_a_rule_that_derives_a_concept_is_named(material):
    told = msgspec.structs.replace(material, derived={"hba1c": ("Estimated from glucose (`a-rule`)",)})
    assert "- Derived by: Estimated from glucose (`a-rule`)" in page(told)
