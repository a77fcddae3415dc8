"""Resources around the clinical findings, damaged at random: never a failure, never one that is lost without a word."""

from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import WrongPatientError
from careplan_exchange.mapping import map_record
from tests.unit.mapping.builders import ICD, LOINC, RXNORM, SNOMED, TODAY, concept, observation, record, relative
from tests.unit.mapping.care_builders import (
    answered,
    dispense,
    encounter,
    implication,
    of,
    service,
    statement,
    vaccine,
    variant,
)

METFORMIN = (RXNORM, "6809")
SOUND = (
    statement(METFORMIN),
    statement(METFORMIN, status="not-taken"),
    dispense(METFORMIN),
    of("MedicationAdministration", status="completed", medication={"concept": concept(METFORMIN)}),
    vaccine("140"),
    vaccine("33", status="not-done"),
    encounter(),
    encounter([concept(("urn:x", "AMB"))], status="planned"),
    of("Appointment", status="booked", start="2026-12-01", participant=[{"actor": {"reference": "Patient/me"}}]),
    service((SNOMED, "103699006")),
    of("NutritionOrder", intent="order", oralDiet={"type": [{"text": "x"}]}),
    of("Device", id="d", patient={"reference": "Patient/me"}, type={"text": "pacemaker"}),
    of("DeviceUseStatement", device={"reference": "Device/d"}),
    of("DiagnosticReport", status="final", conclusionCode=[concept((SNOMED, "53741008"))]),
    of("Consent", patient={"reference": "Patient/me"}, provision={"type": "deny"}),
    of("Coverage", beneficiary={"reference": "Patient/me"}, payor=[{"reference": "Organization/1"}]),
    of("CareTeam", period={"end": "2027"}),
    answered(_44261_6=12, _71802_3="LA31994-9"),
    variant(),
    implication(),
    observation("79714-2", valueCodeableConcept=concept((LOINC, "LA9657-3"))),
    observation("75773-2", valueString="x"),
    relative("MAUNT", (ICD, "C50.9")),
)
DAMAGE = (
    None,
    7,
    -1,
    True,
    "",
    "2026-13-45",
    [],
    {},
    [[]],
    [{}],
    {"coding": 7},
    {"coding": [{}]},
    {"value": "NaN"},
)
KEPT = {"resourceType", "id"}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything below, but for what names the resource."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [(*path, key) for key, _ in inner if path or key not in KEPT]
    for key, one in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        if isinstance(one, dict | list):
            found += places(one, (*path, key))
    return found


def damaged(body: dict[str, Any], choose: Any) -> dict[str, Any]:
    body = deepcopy(body)
    for _ in range(choose.randint(0, 3)):
        *way, last = choose.choice(places(body))
        target: Any = body
        for step in way:
            target = target[step]
        if choose.random() < 0.3:
            del target[last]
        else:
            target[last] = deepcopy(choose.choice(DAMAGE))
    return body


@given(st.lists(st.sampled_from(SOUND), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_damaged_resources_never_fail_and_none_is_lost_without_a_word(mappings, vocabulary, bodies, choose):
    whole = [damaged(body, choose) | {"id": body.get("id", f"r{number}")} for number, body in enumerate(bodies)]
    try:
        snapshot = map_record(record(*whole), mappings, vocabulary, today=TODAY)
    except WrongPatientError:
        return
    used = {evidence.reference for fact in snapshot.facts for evidence in (fact.evidence, *fact.inputs)}
    told = {
        (source or "").partition("/_history/")[0]
        for issue in snapshot.issues
        for source in (issue.sources or (issue.source,))
    }
    assert {f"{body['resourceType']}/{body['id']}" for body in whole} <= used | told
    assert all(fact.concept in vocabulary.concepts for fact in snapshot.facts)
