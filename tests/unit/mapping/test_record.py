import random
from datetime import date

import msgspec
import pytest

from careplan_exchange.errors import NotFhirError, PatientMergedError, PatientNotEligibleError, WrongPatientError
from careplan_exchange.mapping import map_record
from careplan_exchange.mapping.dates import ages, fault, span_of
from careplan_exchange.model.codec import decode, steady
from careplan_exchange.model.issue import Issue
from tests.unit.mapping.builders import (
    LOINC,
    SNOMED,
    TODAY,
    allergy,
    concept,
    condition,
    keys,
    observation,
    only,
    order,
    patient,
    procedure,
    quantity,
    record,
    relative,
    resource,
    states,
)

OURS = [{"system": "urn:careplan-exchange:identity", "value": "abc"}]
PREGNANT = condition((SNOMED, "77386006"), onsetDateTime="2026-09-01")


def test_the_patient_becomes_a_profile_without_a_name(mapped):
    body = patient(
        name=[{"family": "Doe"}],
        communication=[
            {"language": concept(("urn:ietf:bcp:47", "en"))},
            {"language": concept(("urn:ietf:bcp:47", "es")), "preferred": True},
        ],
    )
    snapshot = mapped(of=body)
    assert (snapshot.patient.birth_date, snapshot.patient.gender, snapshot.patient.language) == (
        "1980-05-17",
        "female",
        "es",
    )
    assert snapshot.patient.evidence.reference == "Patient/me"
    assert snapshot.issues == ()
    assert "Doe" not in repr(snapshot)


@pytest.mark.parametrize(
    "communication", [[], [{}], [{"language": {"text": "Spanish"}}], [{"language": {"coding": [{}]}}]]
)
def test_a_language_without_a_code_is_no_language(mapped, communication):
    assert mapped(of=patient(communication=communication)).patient.language is None


@pytest.mark.parametrize(
    "more", [{"deceasedBoolean": True}, {"deceasedDateTime": "2026-01-01"}, {"active": False}]
)
def test_nothing_is_planned_for_a_deceased_or_inactive_patient(mapped, more):
    with pytest.raises(PatientNotEligibleError) as caught:
        mapped(of=patient(**more))
    assert caught.value.exit_code == 6
    assert caught.value.mend


@pytest.mark.parametrize("more", [{"deceasedBoolean": False}, {"active": True}])
def test_a_living_patient_is_planned_for(mapped, more):
    assert mapped(of=patient(**more)).patient.evidence.reference == "Patient/me"


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ({"type": "replaced-by", "other": {"reference": "Patient/new"}}, "Patient/new"),
        ({"type": "replaced-by"}, "the record that replaces it"),
    ],
)
def test_a_merged_record_names_the_one_to_ask_for(mapped, link, named):
    with pytest.raises(PatientMergedError) as caught:
        mapped(of=patient(link=[{"type": "seealso"}, link], active=False))
    assert named in caught.value.mend


def test_a_patient_that_is_none_is_an_error(mapped):
    with pytest.raises(NotFhirError) as caught:
        mapped(of=patient(gender=7))
    assert [issue.key for issue in caught.value.issues] == ["mapping.resource.unreadable"]


@pytest.mark.parametrize(
    ("birth", "kept", "said"),
    [
        (None, None, "missing"),
        ("1980", "1980", "span"),
        ("1980-05", "1980-05", "span"),
        ("2031-01-01", None, "future"),
        ("17.5.1980", None, "no date"),
        ("1980-02-30", None, "no date"),
        ("1980-05-17T10:00:00Z", None, "no date"),
    ],
)
def test_a_birth_date_that_is_not_whole_is_told_and_never_quoted(mapped, birth, kept, said):
    body = patient()
    body.pop("birthDate")
    snapshot = mapped(of=body | ({"birthDate": birth} if birth else {}))
    assert snapshot.patient.birth_date == kept
    (issue,) = snapshot.issues
    assert said in issue.detail
    assert birth is None or birth not in issue.detail


@pytest.mark.parametrize("gender", [None, "banana"])
def test_a_sex_that_fhir_does_not_know_is_not_kept(mapped, gender):
    snapshot = mapped(of=patient(gender=gender))
    assert snapshot.patient.gender is None
    assert keys(snapshot) == ["patient.gender"]


@pytest.mark.parametrize(
    ("gender", "birth", "state"),
    [
        ("female", "1980-05-17", None),
        ("male", "1980-05-17", "absent"),
        ("female", "1950", "absent"),
        ("female", "2014-11-24", None),
        ("female", "2014-11-25", "absent"),
        ("female", "1970-11-24", "absent"),
        ("female", "1970-11-25", None),
        ("female", "1970", None),
        ("other", "1980", None),
        ("unknown", None, None),
    ],
)
def test_sex_and_age_exclude_a_pregnancy_only_where_every_possible_age_does(mapped, gender, birth, state):
    body = {key: value for key, value in patient(gender=gender, birthDate=birth).items() if value}
    found = states(mapped(of=body))
    assert found.get("pregnancy") == state
    assert found.keys() <= {"pregnancy", "lactation"}


@pytest.mark.parametrize(
    ("gender", "birth", "state"),
    [
        ("male", "1980-05-17", "absent"),
        ("female", "1980-05-17", None),
        ("female", "1968-11-24", "absent"),
        ("female", "1968-11-25", None),
        ("female", "2014-11-25", "absent"),
    ],
)
def test_sex_and_age_exclude_breastfeeding_as_well(mapped, gender, birth, state):
    assert states(mapped(of=patient(gender=gender, birthDate=birth))).get("lactation") == state


def test_an_excluded_pregnancy_is_dated_today_and_rests_on_the_patient(mapped):
    fact = only(mapped(of=patient(gender="male")), "pregnancy")
    assert (fact.effective, fact.evidence.reference) == ("2026-11-24", "Patient/me")


def test_a_recorded_pregnancy_is_not_excluded_by_recorded_sex(mapped):
    snapshot = mapped(PREGNANT, of=patient(gender="male"))
    assert (states(snapshot)["pregnancy"], keys(snapshot)) == ("present", ["demographics.conflict"])
    undated = mapped(PREGNANT | {"onsetDateTime": None}, of=patient(gender="male"))
    assert states(undated)["pregnancy"] == "present"


def test_a_pregnancy_of_long_ago_does_not_keep_age_from_excluding_one(mapped):
    old = condition((SNOMED, "77386006"), onsetDateTime="1998-01-01")
    snapshot = mapped(old, of=patient(birthDate="1950-01-01"))
    assert sorted(fact.state for fact in snapshot.of("pregnancy")) == ["absent", "present"]


@pytest.mark.parametrize(
    "reference", ["Patient/me", "https://ehr.example/fhir/Patient/me", "Patient/me/_history/4", "urn:uuid:me"]
)
def test_every_way_to_name_the_patient_is_understood(mapped, reference):
    assert mapped(observation(subject={"reference": reference}, valueQuantity=quantity(7))).facts


@pytest.mark.parametrize(
    "reference", ["Patient/you", "https://ehr.example/fhir/Patient/you", "urn:uuid:you", "Patient/me2"]
)
@pytest.mark.parametrize("kind", ["Observation", "AllergyIntolerance", "CarePlan", "DetectedIssue"])
def test_a_resource_of_another_patient_stops_everything(mapped, reference, kind):
    who = {"reference": reference}
    bodies = {
        "Observation": observation(subject=who),
        "AllergyIntolerance": allergy(patient=who),
        "CarePlan": {"resourceType": "CarePlan", "subject": who, "identifier": OURS},
        "DetectedIssue": {"resourceType": "DetectedIssue", "patient": who},
    }
    with pytest.raises(WrongPatientError) as caught:
        mapped(bodies[kind])
    assert "you" not in caught.value.detail
    assert caught.value.exit_code == 3


def test_a_second_patient_stops_everything_and_the_same_one_does_not(mapped):
    with pytest.raises(WrongPatientError):
        mapped(patient(id="you"))
    assert mapped(patient()).issues == ()


@pytest.mark.parametrize(
    "subject", [None, {}, {"reference": "Group/7"}, {"reference": "#p"}, {"display": "Jane"}]
)
def test_a_resource_that_does_not_say_whose_it_is_is_not_used(mapped, subject):
    snapshot = mapped(
        observation(subject=subject),
        condition(subject=subject),
        order(subject=subject),
        allergy(patient=subject),
        procedure(subject=subject),
        relative("FTH", patient=subject),
    )
    assert snapshot.facts == ()
    assert keys(snapshot) == ["subject.unclear"] * 6
    assert {issue.severity for issue in snapshot.issues} == {"error"}


def bodies_of_all_types():
    return [
        observation(),
        condition((SNOMED, "44054006")),
        procedure((SNOMED, "401191002")),
        allergy((LOINC, "x")),
        relative("FTH"),
    ]


@pytest.mark.parametrize("body", bodies_of_all_types(), ids=lambda body: body["resourceType"])
def test_what_cannot_be_read_or_is_modified_is_an_issue(mapped, body):
    broken = mapped(body | {"code": "x", "relationship": 7})
    assert (broken.facts, keys(broken)) == ((), ["resource.unreadable"])
    for more in ({"modifierExtension": [{"url": "urn:not"}]}, {"implicitRules": "urn:rules"}):
        modified = mapped(body | more)
        assert (modified.facts, keys(modified)) == ((), ["resource.modified"])


def test_a_resource_that_is_no_json_is_an_issue(mapped, mappings, vocabulary):
    whole = record(observation(), {"resourceType": "CarePlan"}, order())
    for content in (b"", b"<html>", b"\xff", b"[]"):
        torn = msgspec.structs.replace(
            whole, resources=tuple(msgspec.structs.replace(r, content=content) for r in whole.resources)
        )
        snapshot = map_record(torn, mappings, vocabulary, today=TODAY)
        assert keys(snapshot) == ["resource.unreadable", "resource.unreadable", "type.not-read"]
        assert {issue.expression for issue in snapshot.issues} == {"Observation", "MedicationRequest", None}


def test_bytes_that_are_no_text_beside_half_of_a_character_are_an_issue_too(mapped, mappings, vocabulary):
    whole = record(observation())
    content = rb'{"' + b"\xfc" + rb'x": "\ud800", "status": "final"}'
    torn = msgspec.structs.replace(
        whole, resources=tuple(msgspec.structs.replace(one, content=content) for one in whole.resources)
    )
    snapshot = map_record(torn, mappings, vocabulary, today=TODAY)
    assert (snapshot.facts, keys(snapshot)) == ((), ["resource.unreadable"])


@pytest.mark.parametrize(
    ("display", "readable"),
    [(r"\ud83d\ude00", True), (r"\\ud800", True), (r"\ud800", False), (r"\udc00\ud800", False)],
)
def test_half_of_a_character_is_an_issue_and_a_whole_one_is_kept(mapped, mappings, vocabulary, display, readable):
    body = record(observation(concept((LOINC, "4548-4"), display="HERE"), valueQuantity=quantity(7)))
    sent = body.resources[0]
    spoiled = msgspec.structs.replace(sent, content=sent.content.replace(b"HERE", display.encode()))
    assert spoiled.content != sent.content
    snapshot = map_record(msgspec.structs.replace(body, resources=(spoiled,)), mappings, vocabulary, today=TODAY)
    assert bool(snapshot.facts) is readable
    assert ("resource.unreadable" in keys(snapshot)) is not readable
    assert decode(steady(snapshot))


@pytest.mark.parametrize(
    "kind", ["CarePlan", "Goal", "DetectedIssue", "ServiceRequest", "Condition", "Observation"]
)
def test_what_we_wrote_ourselves_is_neither_evidence_nor_issue(mapped, kind):
    who = {"patient" if kind == "DetectedIssue" else "subject": {"reference": "Patient/me"}}
    snapshot = mapped({"resourceType": kind, **who, "identifier": OURS, "code": concept((SNOMED, "44054006"))})
    assert (snapshot.facts, snapshot.issues) == ((), ())


def test_a_mention_of_our_system_alone_does_not_make_it_ours(mapped):
    note = [{"text": "see urn:careplan-exchange:identity"}]
    assert mapped(condition((SNOMED, "44054006"), note=note)).facts
    broken = mapped({"resourceType": "CarePlan", "note": note, "identifier": 7, "subject": 7})
    assert keys(broken) == ["type.not-read"]


def test_types_that_nothing_reads_are_listed_once_each(mapped):
    snapshot = mapped(
        {"resourceType": "ImagingStudy"},
        {"resourceType": "ImagingStudy"},
        {"resourceType": "BodyStructure"},
        {"resourceType": "CarePlan", "subject": {"reference": "Patient/me"}},
        {"resourceType": "Goal"},
    )
    assert {(issue.key, issue.severity, issue.detail.split()[0]) for issue in snapshot.issues} == {
        ("mapping.type.not-read", "information", "ImagingStudy"),
        ("mapping.type.not-read", "warning", "BodyStructure"),
        ("mapping.type.not-read", "information", "CarePlan"),
        ("mapping.type.not-read", "information", "Goal"),
    }


def test_a_plan_that_is_about_a_group_is_told(mapped):
    snapshot = mapped({"resourceType": "CarePlan", "subject": {"reference": "Group/1"}})
    assert keys(snapshot) == ["subject.unclear", "type.not-read"]


def test_what_the_source_had_to_say_comes_first(mapped):
    remark = Issue(severity="warning", code="incomplete", key="source.x", detail="x")
    snapshot = mapped(observation("2571-8"), issues=(remark,), categories=frozenset({"Observation"}))
    assert snapshot.issues[0] is remark
    assert len(snapshot.issues) == 2
    assert snapshot.categories == frozenset({"Observation"})


def test_the_order_of_the_record_does_not_matter(mapped):
    bodies = [
        observation(id="o1", valueQuantity=quantity(7)),
        observation("2823-3", id="o2", valueQuantity=quantity(4, "mmol/L")),
        observation(id="o3", valueQuantity=quantity(7.5)),
        observation("2571-8", id="o4"),
        condition((SNOMED, "44054006"), id="c1"),
        order(id="m1"),
        allergy((LOINC, "x"), id="a1"),
    ]
    first = mapped(*bodies)
    for seed in range(5):
        shuffled = bodies[:]
        random.Random(seed).shuffle(shuffled)
        assert mapped(*shuffled) == first


def test_a_version_that_the_server_does_not_tell_is_left_out(mappings, vocabulary):
    unversioned = msgspec.structs.replace(record(), resources=(resource(observation("2571-8"), 1, version=None),))
    (issue,) = map_record(unversioned, mappings, vocabulary, today=TODAY).issues
    assert issue.source == "Observation/1"


THAT_DAY = date(2021, 4, 1)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("2021", None),
        ("2021-04", None),
        ("2021-04-01", None),
        ("2021-04-01T23:59:60Z", None),
        ("2021-04-01T23:59:59.5Z", None),
        ("2021-04-02", "future"),
        ("2021-05", "future"),
        ("2022", "future"),
        ("2021-04-02T00:30:00+10:00", None),
        ("2021-04-02T12:00:00+10:00", "future"),
        ("2021-04-01T23:00:00-10:00", None),
        ("2021-04-02T08:00", "future"),
        ("2021-04-03T08:00:00+99:99", "unreadable"),
        ("2021-02-29", "unreadable"),
        ("2021-13", "unreadable"),
        ("0000", "unreadable"),
        ("21-04-01", "unreadable"),
        ("2021-04-01 08:00", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_a_date_is_judged_where_it_was_recorded_and_in_utc(text, wrong):
    assert fault(text, THAT_DAY) == wrong


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2020", (date(2020, 1, 1), date(2020, 12, 31))),
        ("2020-02", (date(2020, 2, 1), date(2020, 2, 29))),
        ("2020-12", (date(2020, 12, 1), date(2020, 12, 31))),
        ("2020-02-03T10:00:00Z", (date(2020, 2, 3), date(2020, 2, 3))),
    ],
)
def test_a_partial_date_is_the_span_that_it_allows(text, span):
    assert span_of(text) == span


@pytest.mark.parametrize(
    ("birth", "span"),
    [("1956-04-01", (65, 65)), ("1956-04-02", (64, 64)), ("1956", (64, 65)), ("1956-04", (64, 65)), ("x", None)],
)
def test_an_age_from_a_partial_birth_date_is_a_span(birth, span):
    assert ages(birth, THAT_DAY) == span
