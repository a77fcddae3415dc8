"""From what a target declares and showed to the form of its plans."""

import json
import re

import pytest

from careplan_exchange.errors import RefusedError, UnsupportedServerError, VersionConflictError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.fhir.capabilities import capabilities_of, read_statement
from careplan_exchange.model.changes import Base, Held
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.target import Probe, TargetForm
from careplan_exchange.sandbox.statement import capability_statement
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import LadderPlanWriter, form_of, kept, takes_any
from careplan_exchange.writer.falling import turned_away
from tests.support.weak_server import BASE, WeakServer
from tests.support.writing import CountedIds, an_intent, creates

EVERY = ("create", "update", "search-type")


def declaring(*types, version="4.0.1", without=(), parameters=("identifier",), **more):
    """`without` are "Type interaction" that it does not list."""
    resources = [
        {
            "type": name,
            "interaction": [{"code": code} for code in EVERY if f"{name} {code}" not in without],
            "searchParam": [{"name": one} for one in parameters],
        }
        for name in types
    ]
    rest = {"mode": "server", "resource": resources, "interaction": [{"code": "transaction"}]}
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": version, "rest": [rest], **more}
    return capabilities_of(read_statement(json.dumps(statement).encode()), version)


PLAN = ("CarePlan", "Goal")
REQUESTS = ("ServiceRequest", "NutritionOrder", "DetectedIssue")


@pytest.mark.parametrize(
    ("types", "version", "rung"),
    [
        ((*PLAN, *REQUESTS), "4.0.1", "references"),
        ((*PLAN, "ServiceRequest"), "4.3.0", "references"),
        (PLAN, "4.0.1", "detail"),
        (PLAN, "4.3.0", "detail"),
        (("DocumentReference", "ServiceRequest"), "4.0.1", "document"),
        (("DocumentReference", "CarePlan"), "4.0.1", "document"),
        ((*PLAN, "ServiceRequest", "MedicationRequest"), "5.0.0", "references"),
        ((*PLAN, "DocumentReference"), "5.0.0", "document"),
        ((*PLAN, "ServiceRequest", "DocumentReference"), "5.0.0", "document"),
    ],
)
def test_the_highest_rung_is_taken_whose_every_type_is_declared(types, version, rung):
    form = form_of(declaring(*types, version=version))
    assert form.rung == rung
    assert form.release == {"4.0.1": "R4", "4.3.0": "R4B", "5.0.0": "R5"}[version]


@pytest.mark.parametrize(
    "lacking", ["ServiceRequest update", "ServiceRequest create", "ServiceRequest search-type"]
)
def test_a_type_that_cannot_be_created_updated_and_found_again_is_not_taken(lacking):
    form = form_of(declaring(*PLAN, "ServiceRequest", without=(lacking,)))
    said = lacking.replace("search-type", "search by identifier")
    assert form.rung == "detail"
    assert said in form.why
    assert said in form.raise_by


def test_a_type_that_is_not_found_by_its_identifier_is_not_taken_and_one_without_any_parameter_is():
    assert not takes_any(declaring(*PLAN, "DocumentReference", parameters=("patient",)))
    assert form_of(declaring(*PLAN, parameters=())).rung == "detail"


def test_a_target_on_no_rung_is_refused_with_what_it_lacks_and_what_to_do():
    with pytest.raises(UnsupportedServerError) as caught:
        form_of(declaring("Patient", "CarePlan"))
    assert "Goal create" in caught.value.detail
    assert "DocumentReference create" in caught.value.detail
    assert "companion" in caught.value.mend


def test_a_statement_that_says_nothing_is_taken_as_the_best_until_something_is_turned_away():
    silent = declaring()
    assert silent.says_nothing
    assert form_of(silent).rung == "references"
    assert form_of(silent, Probe(refused=frozenset({"ServiceRequest"}))).rung == "detail"
    assert form_of(silent, Probe(refused=frozenset({"Goal"}))).rung == "document"


def test_what_was_turned_away_is_an_issue_with_every_plan():
    form = form_of(declaring(*PLAN, "ServiceRequest"), Probe(refused=frozenset({"ServiceRequest"})))
    assert form.rung == "detail"
    assert [(issue.key, issue.source) for issue in form.issues] == [("write.fell-a-rung", "ServiceRequest")]


def test_what_a_plan_goes_without_is_named():
    assert form_of(declaring(*PLAN)).without == {"DetectedIssue", "NutritionOrder"}
    assert form_of(declaring(*PLAN, *REQUESTS)).without == frozenset()


def test_a_probe_of_transactions_counts_over_the_declaration():
    capabilities = declaring(*PLAN)
    assert form_of(capabilities).atomic
    assert not form_of(capabilities, Probe(atomic=False)).atomic


@pytest.mark.parametrize("takes", ["references", "detail", "document"])
@pytest.mark.parametrize("release", ["R4", "R4B", "R5"])
def test_the_sandbox_stands_on_the_rung_that_it_plays(takes, release):
    body = json.dumps(capability_statement(release, "x", "http://x/fhir", takes=takes)).encode()
    statement = read_statement(body)
    expected = "document" if (release, takes) == ("R5", "detail") else takes
    form = form_of(capabilities_of(statement, statement.fhir_version))
    assert (form.release, form.rung) == (release, expected)


@pytest.mark.parametrize(
    ("named", "version"),
    [
        (
            {"implementationGuide": ["http://hl7.org/fhir/us/core/ImplementationGuide/hl7.fhir.us.core|6.1.0"]},
            "6.1.0",
        ),
        ({"instantiates": ["http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server|3.1.1"]}, "3.1.1"),
        ({"instantiates": ["http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"]}, None),
        ({"implementationGuide": ["http://hl7.org/fhir/uv/ips/ImplementationGuide/hl7.fhir.uv.ips|1.1.0"]}, None),
        (
            {
                "implementationGuide": [
                    "http://hl7.org/fhir/us/core/ImplementationGuide/hl7.fhir.us.core|10.0.0",
                    "http://hl7.org/fhir/us/core/ImplementationGuide/hl7.fhir.us.core|9.0.0",
                ]
            },
            "9.0.0",
        ),
        ({}, None),
    ],
)
def test_the_version_of_us_core_is_the_oldest_that_the_statement_names(named, version):
    assert form_of(declaring(*PLAN, **named)).us_core == version


def a_plan(*activities):
    body = {"resourceType": "CarePlan", "activity": list(activities)}
    return Held(identity="i", type="CarePlan", id="1", version_id="1", body=body)


REFERENCE, DETAIL = {"reference": {"reference": "ServiceRequest/1"}}, {"detail": {"kind": "ServiceRequest"}}
MEDICINE = {"detail": {"kind": "MedicationRequest"}}
DOCUMENT = Held(identity="d", type="DocumentReference", id="1", version_id="1", body={})


@pytest.mark.parametrize(
    ("held", "declared", "expected"),
    [
        ((), "detail", "detail"),
        ((a_plan(REFERENCE, MEDICINE),), "detail", "references"),
        ((a_plan(DETAIL, MEDICINE),), "references", "detail"),
        ((a_plan(REFERENCE, DETAIL),), "detail", "references"),
        ((a_plan(MEDICINE),), "references", "references"),
        ((a_plan(MEDICINE),), "document", "detail"),
        ((a_plan(REFERENCE),), "document", "references"),
        ((DOCUMENT,), "references", "document"),
    ],
)
def test_a_plan_that_stands_keeps_its_rung(held, declared, expected):
    assert kept(TargetForm(release="R4", rung=declared), held, ()).rung == expected


def test_what_we_wrote_counts_before_what_a_person_added():
    base = Base(
        identity="i",
        type="CarePlan",
        id="1",
        version_id="1",
        ours=a_plan(DETAIL).body,
        stored=a_plan(DETAIL).body,
    )
    held = a_plan(DETAIL, REFERENCE)
    assert kept(TargetForm(release="R4"), (held,), (base,)).rung == "detail"


def test_a_plan_in_r5_is_always_references():
    assert kept(TargetForm(release="R5", rung="document"), (a_plan(),), ()).rung == "references"


def an_answer(status, code="processing", expression=None):
    error = RefusedError(
        "no", mend="-", issues=(Issue(severity="error", code=code, key="k", detail="d", expression=expression),)
    )
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "types"),
    [
        (an_answer(405, expression="Bundle.entry[2]"), {"ServiceRequest"}),
        (an_answer(422, "not-supported", "ServiceRequest.code"), {"ServiceRequest"}),
        (an_answer(501), {"ServiceRequest", "DetectedIssue"}),
        (an_answer(422, "invariant", "ServiceRequest.code"), set()),
        (RefusedError("after the write", mend="-"), set()),
    ],
)
def test_what_an_answer_turns_away(error, types):
    assert turned_away(error, creates(rung="references")) == types


@pytest.fixture
async def lying():
    """A server that declares every type."""
    server = WeakServer()
    async with connect(
        Connection(base_url=BASE, attempts=1), ids=CountedIds(), transport=server.transport
    ) as client:
        yield server, LadderPlanWriter(client, ids=CountedIds(), habits=MemoryPlanStore())


async def test_a_target_that_turns_away_what_it_declares_falls_a_rung_and_nothing_was_written(lying):
    server, writer = lying
    server.refuses = {"ServiceRequest": 405}
    assert (await writer.form()).rung == "references"
    with pytest.raises(VersionConflictError, match=re.escape("Next rung: 'detail'")):
        await writer.write(an_intent(creates(rung="references")), ())
    assert server.of("CarePlan") == []
    form = await writer.form()
    assert form.rung == "detail"
    assert {issue.source for issue in form.issues} == {"DetectedIssue", "ServiceRequest"}
    assert await writer.write(an_intent(creates(rung="detail")), ())


async def test_a_target_that_turns_away_the_lowest_rung_too_is_told_with_its_own_answer(lying):
    server, writer = lying
    server.refuses = {"Goal": 405}
    server.types -= {"DocumentReference"}
    with pytest.raises(UnsupportedServerError, match="405"):
        await writer.write(an_intent(creates(rung="detail")[:1]), ())


async def test_a_refusal_for_another_reason_stays_what_it_is(lying):
    server, writer = lying
    server.refuses = {"ServiceRequest": 422}
    with pytest.raises(RefusedError, match="422"):
        await writer.write(an_intent(creates(rung="references")), ())
    assert (await writer.form()).rung == "references"
