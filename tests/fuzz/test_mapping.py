"""Whatever a record holds: mapping never fails, every fact has a source, and every resource is accounted for."""

from collections import Counter
from functools import cache
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange import config, installed
from careplan_exchange.errors import (
    NotFhirError,
    PatientMergedError,
    PatientNotEligibleError,
    WrongPatientError,
)
from careplan_exchange.mapping import Mappings, map_record, survey
from careplan_exchange.mapping.record import is_ours
from careplan_exchange.model.codec import decode, steady
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.model.vocabulary import Vocabulary
from tests.fuzz.mutation import ANY_JSON, damaged, mutated, unhurried, written
from tests.fuzz.seeds import PERSON, SEEDS
from tests.unit.mapping.builders import TODAY

VALUES = {
    f"value{kind}"
    for kind in (
        *("Quantity", "CodeableConcept", "String", "Boolean", "Integer", "Range", "Ratio", "SampledData"),
        *("Time", "DateTime", "Period", "Attachment", "Reference"),
    )
}

DOCUMENTED = (WrongPatientError, PatientMergedError, NotFhirError, PatientNotEligibleError)


@cache
def known() -> tuple[Mappings, Vocabulary]:
    """The knowledge folders. No argument of a test: Hypothesis would write all of it down for each example."""
    knowledge = installed.load_knowledge(config.Settings())
    return knowledge.mappings, knowledge.vocabulary


TYPES = sorted({seed["resourceType"] for seed in SEEDS})


def held(kind: str, number: int, content: bytes) -> Resource:
    return Resource(type=kind, id=f"r{number}", version_id=str(number), last_updated=None, content=content)


def record_of(resources: tuple[Resource, ...], person: bytes = written(PERSON)) -> PatientRecord:
    return PatientRecord(
        endpoint="https://ehr.example/fhir",
        identity="ehr",
        release="R4",
        patient=Resource(type="Patient", id="me", version_id="7", last_updated=None, content=person),
        resources=resources,
        categories=frozenset(TYPES),
    )


def check(record: PatientRecord) -> None:
    """Map the record in both orders, count it, and hold the result to the promises."""
    try:
        snapshot = map_record(record, *known(), today=TODAY)
    except DOCUMENTED:
        return
    _every_fact_has_a_source(record, snapshot)
    _nothing_is_lost(record, snapshot)
    _no_value_is_lost(record, snapshot)
    shown = steady(snapshot)
    decode(shown)
    turned = PatientRecord(
        **{name: getattr(record, name) for name in record.__struct_fields__}
        | {"resources": tuple(reversed(record.resources))}
    )
    assert steady(map_record(turned, *known(), today=TODAY)) == shown
    counted = survey(record, *known(), today=TODAY)
    left_out = sum(1 for issue in record.issues if issue.source is not None)
    assert sum(counted.uses.values()) == len(record.resources) + 1 + left_out


def _every_fact_has_a_source(record: PatientRecord, snapshot: Snapshot) -> None:
    versions = {one.reference: one.version_id for one in (record.patient, *record.resources)}
    for fact in snapshot.facts:
        for evidence in (fact.evidence, *fact.inputs):
            assert versions[evidence.reference] == evidence.version_id
        assert fact.concept
        if fact.value is not None:
            assert fact.value.is_finite()


def _nothing_is_lost(record: PatientRecord, snapshot: Snapshot) -> None:
    used = {one.reference for fact in snapshot.facts for one in (fact.evidence, *fact.inputs)}
    told = {source for issue in snapshot.issues for source in (issue.sources or (issue.source,))}
    told |= {source.partition("/_history/")[0] for source in told if source}
    referred = b"".join(one.content for one in record.resources if one.type.startswith("Medication"))
    for resource in record.resources:
        assert (
            resource.reference in used
            or resource.reference in told
            or is_ours(resource)
            # A Medication counts where an order names it: the order is told of instead.
            or (resource.type == "Medication" and resource.id.encode() in referred)
            or (resource.type == "Patient" and resource.id == record.patient.id)
        ), f"{resource.reference} left neither a fact nor an issue"


def _no_value_is_lost(record: PatientRecord, snapshot: Snapshot) -> None:
    """An Observation that holds more values than facts came of it has an issue."""
    facts = Counter(fact.evidence.reference for fact in snapshot.facts)
    told = {source for issue in snapshot.issues for source in (issue.sources or (issue.source,))}
    for resource in record.resources:
        if resource.type == "Observation" and not is_ours(resource):
            assert facts[resource.reference] >= _values(resource.content) or resource.versioned_reference in told


def _values(content: bytes) -> int:
    """How many values[x] an Observation and its components hold; 0 where it is none."""
    try:
        body = decode(content)
    except msgspec.DecodeError:
        return 0
    parts = [body, *body["component"]] if _has_components(body) else [body]
    return sum(1 for part in parts if isinstance(part, dict) for name in part if name in VALUES and part[name])


def _has_components(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("component"), list)


def test_the_seeds_are_read_and_some_of_each_kind_become_facts() -> None:
    record = record_of(tuple(held(seed["resourceType"], n, written(seed)) for n, seed in enumerate(SEEDS)))
    check(record)
    snapshot = map_record(record, *known(), today=TODAY)
    kinds = {fact.kind for fact in snapshot.facts}
    assert kinds >= {"measurement", "condition", "medication", "allergy", "procedure", "family-history", "status"}


@unhurried
@given(data=st.data())
def test_any_json_as_resources_of_any_type(data: st.DataObject) -> None:
    drawn = data.draw(st.lists(st.tuples(st.sampled_from(TYPES), ANY_JSON), min_size=1, max_size=3))
    contents = [(kind, data.draw(damaged(written(value)))) for kind, value in drawn]
    resources = tuple(held(kind, n, content) for n, (kind, content) in enumerate(contents))
    check(record_of(resources))


@unhurried
@given(drawn=st.lists(mutated(SEEDS), min_size=1, max_size=3))
def test_any_valid_resources_spoiled(drawn: list[dict[str, Any]]) -> None:
    resources = []
    for number, body in enumerate(drawn):
        kind = body.get("resourceType")
        # A source hands on what is of a type that it asked for: never one that no text can hold.
        is_type = isinstance(kind, str) and kind.isascii() and kind != ""
        resources.append(held(kind if is_type else "Basic", number, written(body)))
    check(record_of(tuple(resources)))


@unhurried
@given(person=st.one_of(mutated((PERSON,)), ANY_JSON), drawn=st.sampled_from(SEEDS))
def test_any_patient(person: Any, drawn: dict[str, Any]) -> None:
    check(record_of((held(drawn["resourceType"], 1, written(drawn)),), written(person)))
