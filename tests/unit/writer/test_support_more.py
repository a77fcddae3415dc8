"""What is asked of a target before anything is sent, and of two dates of birth."""

import json

import msgspec
import pytest

from careplan_exchange.errors import UnsupportedServerError, WrongPatientError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.fhir.capabilities import capabilities_of, read_statement
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import FhirPlanWriter
from careplan_exchange.writer.subject import _contradict
from careplan_exchange.writer.support import require_one_patient, require_support, require_versions
from tests.support.weak_server import BASE
from tests.support.writing import CountedIds, an_intent, an_update, as_written, companions_of, creates

GOAL = next(change for change in creates() if change.type == "Goal")


def declaring(*parameters, interactions=("create", "update", "search-type")):
    resource = {
        "type": "Goal",
        "interaction": [{"code": code} for code in interactions],
        "searchParam": [{"name": name} for name in parameters],
    }
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "rest": [{"mode": "server", "resource": [resource]}],
    }
    return capabilities_of(read_statement(json.dumps(statement).encode()), "4.0.1")


@pytest.mark.parametrize("parameters", [(), ("identifier",), ("_id", "identifier")])
def test_a_type_that_lists_no_parameter_may_have_that_for_identifiers(parameters):
    require_support([GOAL], declaring(*parameters))


def test_a_type_that_lists_others_and_not_that_for_identifiers_is_refused():
    with pytest.raises(UnsupportedServerError, match="search Goal by identifier"):
        require_support([GOAL], declaring("_id"))


def test_a_target_that_lists_nothing_at_all_may_take_anything():
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "server"}]}
    require_support([GOAL], capabilities_of(read_statement(json.dumps(statement).encode()), "4.0.1"))


def test_what_is_to_be_done_must_be_listed():
    with pytest.raises(UnsupportedServerError, match="update of Goal"):
        require_support(
            [an_update(as_written(GOAL))], declaring("identifier", interactions=("create", "search-type"))
        )


def test_a_create_needs_no_version_and_an_update_does():
    require_versions([GOAL])
    update = an_update(as_written(GOAL))
    require_versions([update])
    with pytest.raises(UnsupportedServerError, match="no version for Goal/7"):
        require_versions([msgspec.structs.replace(update, version_id="")])


def about(patient, theirs):
    written = as_written(GOAL)
    stored = {name: value for name, value in written.stored.items() if name != "subject"}
    held = stored if theirs is None else {**stored, "subject": {"reference": theirs}}
    update = an_update(written, subject={"reference": patient})
    return msgspec.structs.replace(update, theirs=held)


def test_what_stands_must_be_about_the_same_patient_however_the_reference_is_written():
    require_one_patient([about("Patient/p1", "https://ehr.example.org/fhir/Patient/p1")])
    for theirs in ("Patient/p2", None):
        with pytest.raises(WrongPatientError, match="another patient"):
            require_one_patient([about("Patient/p1", theirs)])


def test_whose_it_is_says_what_we_would_write_and_not_what_the_merge_has_kept_of_theirs():
    moved = about("Patient/p1", "Patient/p2")
    kept = msgspec.structs.replace(moved, body={**moved.body, "subject": {"reference": "Patient/p2"}})
    with pytest.raises(WrongPatientError, match="another patient"):
        require_one_patient([kept])
    restored = msgspec.structs.replace(about("Patient/p1", "Patient/p1"), ours={})
    require_one_patient([restored])


def test_a_detected_issue_of_r4_is_about_its_patient():
    issue = next(change for change in creates() if change.type == "DetectedIssue")
    assert "subject" not in issue.body
    update = an_update(as_written(issue), detail="ours")
    require_one_patient([GOAL, update])
    theirs = {**update.body, "patient": {"reference": "Patient/p2"}}
    with pytest.raises(WrongPatientError, match="DetectedIssue/7 carries our identifier"):
        require_one_patient([GOAL, msgspec.structs.replace(update, theirs=theirs)])
    with pytest.raises(WrongPatientError, match="several patients"):
        require_one_patient([GOAL, msgspec.structs.replace(issue, ours=theirs)])


@pytest.mark.parametrize(
    ("one", "other", "contradict"),
    [
        (None, "1960-05-06", False),
        ("1960-05-06", None, False),
        (None, None, False),
        ("", "1960", False),
        ("1960", "1960-05-06", False),
        ("1960-05", "1960-05-06", False),
        ("1960-05-06", "1960-05-06", False),
        ("1961", "1960-05-06", True),
        ("1960-05-07", "1960-05-06", True),
    ],
)
def test_dates_contradict_only_as_far_as_both_are_known(one, other, contradict):
    assert _contradict(one, other) is contradict


async def test_the_form_of_a_plan_is_that_of_what_the_server_declares(server, writer):
    form = await writer.form()
    assert (form.release, form.rung, form.atomic) == ("R4", "references", True)
    server.types.remove("ServiceRequest")
    server.takes_transactions = False
    async with connect(Connection(base_url=BASE), ids=CountedIds(), transport=server.transport) as client:
        other = await FhirPlanWriter(client, ids=CountedIds(), habits=MemoryPlanStore()).form()
    assert (other.rung, other.atomic) == ("detail", False)


@pytest.mark.parametrize("transactions", [True, False])
async def test_what_goes_beside_a_plan_is_not_sent_to_a_target_that_does_not_take_it(
    server, writer, transactions
):
    server.types.remove("AuditEvent")
    server.takes_transactions = transactions
    intent = an_intent(creates())
    await writer.write(intent, companions_of(intent))
    assert (len(server.of("Provenance")), server.of("AuditEvent")) == (1, [])
    assert not [request for request in server.writes if b"AuditEvent" in request.content]
