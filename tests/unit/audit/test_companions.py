import msgspec
import pytest

from careplan_exchange.audit import CompanionContext, companions
from careplan_exchange.model.changes import WrittenResource
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.review import ReviewStep
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer.lint import lint
from tests.support.plans import T2DM, a_proposal
from tests.support.shared import require_shared
from tests.support.writing import a_create, an_intent, an_update, companions_of, creates

BALP = "fixtures/audit-balp/StructureDefinition-IHE.BasicAudit."
RELEASES = ["R4", "R5"]


def an_updated_goal(release="R4"):
    change = creates(release)[0]
    written = WrittenResource(
        identity=change.identity, type="Goal", id="7", version_id="3", action="create", stored=change.body
    )
    return an_update(written, description={"text": "new"})


def of_kind(kind, changes, release="R4"):
    return [b for b in companions_of(an_intent(changes), release) if b["resourceType"] == kind]


def in_context(**changes):
    context = CompanionContext(
        exchange="e1",
        request_id="r1",
        recorded=a_moment(),
        subject="Patient/p1",
        target="https://target.example.org/fhir",
        version="0.1.0",
        same_server=True,
        source_endpoint="https://source.example.org/fhir",
    )
    return msgspec.structs.replace(context, **changes)


def a_moment():
    from datetime import datetime, timedelta, timezone

    return datetime(2026, 3, 4, 5, 6, 7, 891234, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize("release", RELEASES)
def test_every_companion_is_valid_by_the_lint_that_guards_every_write(release):
    changes = (*creates(release), an_updated_goal(release))
    links = {change.full_url: change.type for change in changes}
    for body in companions_of(an_intent(changes), release):
        assert lint(body, release, links) == ()


@pytest.mark.parametrize("release", RELEASES)
def test_there_is_one_provenance_for_what_is_created_one_for_what_is_updated_and_one_event_a_resource(release):
    changes = (*creates(release), an_updated_goal(release))
    made = companions_of(an_intent(changes), release)
    kinds = [body["resourceType"] for body in made]
    assert kinds == ["Provenance", "Provenance", *["AuditEvent"] * len(changes)]


def test_nothing_accompanies_what_is_not_written():
    unchanged = msgspec.structs.replace(creates()[0], action="unchanged")
    assert companions_of(an_intent([unchanged])) == ()


def test_provenance_points_at_each_resource_by_what_the_transaction_will_make_of_it():
    changes = (*creates(), an_updated_goal())
    created, updated = of_kind("Provenance", changes)
    assert created["target"] == [{"reference": change.full_url} for change in creates()]
    assert updated["target"] == [{"reference": "Goal/7"}]
    assert [p["activity"]["coding"][0]["code"] for p in (created, updated)] == ["CREATE", "UPDATE"]


def test_provenance_names_the_software_the_protocols_and_every_version_of_the_evidence():
    (body,) = of_kind("Provenance", creates())
    author, assembler = body["agent"]
    assert author["type"]["coding"][0]["code"] == "author"
    assert author["who"]["display"] == (
        "careplan-exchange 0.1.0, applying Type 2 diabetes <in adults> & more 1.0.0"
    )
    assert assembler["who"]["identifier"]["value"] == "careplan-exchange/0.1.0"
    assert body["policy"] == [T2DM.canonical]
    assert [entity["what"]["reference"] for entity in body["entity"]] == [
        "Observation/o1/_history/3",
        "Patient/p1/_history/1",
        "Condition/c1/_history/1",
        "AllergyIntolerance/a1/_history/2",
    ]
    assert {entity["role"] for entity in body["entity"]} == {"source"}


def test_the_version_survives_a_server_that_strips_it_off_references():
    (body,) = of_kind("Provenance", creates())
    assert body["entity"][0]["what"]["display"] == "Observation, version 3"


def step(kind, by):
    return ReviewStep(kind=kind, by=by, at="2026-03-04T05:00:00Z")


APPROVALS = (step("assign", "Dr Who"), step("modify", "Dr Who"), step("approve", "Practitioner/12"))


def test_whoever_approved_has_verified_it_whoever_modified_is_an_author_and_we_have_assembled_it():
    body = companions(creates(), a_proposal(), in_context(approvals=APPROVALS), "R4")[0]
    agents = [(agent["type"]["coding"][0]["code"], agent["who"]) for agent in body["agent"]]
    software = in_context().software
    assert agents[0][1]["identifier"] == software["identifier"]
    assert agents[1:] == [
        ("assembler", software),
        ("author", {"display": "Dr Who"}),
        ("verifier", {"reference": "Practitioner/12"}),
    ]


@pytest.mark.parametrize("release", RELEASES)
def test_for_whom_a_practitioner_acts_is_said_to_be_unknown_as_us_core_asks(release):
    body = companions(creates(release), a_proposal(), in_context(approvals=APPROVALS), release)[0]
    practitioner = body["agent"][-1]
    assert practitioner["onBehalfOf"]["extension"][0]["valueCode"] == "unknown"
    assert all("onBehalfOf" not in agent for agent in body["agent"][:-1])
    assert lint(body, release, {change.full_url: change.type for change in creates(release)}) == ()


def test_a_person_who_acted_twice_is_named_once_in_each_role():
    twice = (step("approve", "Dr Who"), step("modify", "Dr Who"), step("approve", "Dr Who"))
    body = companions(creates(), a_proposal(), in_context(approvals=twice), "R4")[0]
    roles = [agent["type"]["coding"][0]["code"] for agent in body["agent"]]
    assert roles == ["author", "assembler", "verifier", "author"]


@pytest.mark.parametrize("release", RELEASES)
def test_the_events_of_a_reviewed_write_name_who_let_it_through_last(release):
    event = companions(creates(release)[:1], a_proposal(), in_context(approvals=APPROVALS), release)[-1]
    assert event["agent"][2]["who"] == {"reference": "Practitioner/12"}
    assert [agent["requestor"] for agent in event["agent"]] == [False, False, True]


def test_whoever_only_assigned_or_rejected_let_nothing_through():
    steps = (step("assign", "Dr Who"), step("reject", "Dr No"))
    body, *_, event = companions(creates()[:1], a_proposal(), in_context(approvals=steps), "R4")
    assert len(body["agent"]) == len(event["agent"]) == 2


def test_provenance_of_an_update_names_the_version_it_was_made_over():
    (body,) = of_kind("Provenance", [an_updated_goal()])
    assert body["entity"][-1] == {
        "role": "revision",
        "what": {"reference": "Goal/7/_history/3", "display": "Goal, version 3"},
    }


@pytest.mark.parametrize("release", RELEASES)
def test_every_companion_names_the_exchange_and_the_installation(release):
    for body in companions(creates(release), a_proposal(), in_context(installation="i1"), release):
        assert body["meta"]["tag"] == [
            {"system": "urn:careplan-exchange:exchange", "code": "e1"},
            {"system": "urn:careplan-exchange:installation", "code": "i1"},
        ]


def test_where_events_are_told_later_none_goes_with_the_write():
    made = companions(creates(), a_proposal(), in_context(events=False), "R4")
    assert [body["resourceType"] for body in made] == ["Provenance"]


def test_evidence_on_another_server_is_named_by_a_logical_reference_with_its_version():
    body = companions(creates(), a_proposal(), in_context(same_server=False), "R4")[0]
    assert body["entity"][0]["what"] == {
        "type": "Observation",
        "identifier": {"system": "https://source.example.org/fhir", "value": "Observation/o1/_history/3"},
        "display": "Observation, version 3, on the source server",
    }


def test_a_plan_without_evidence_has_no_empty_list():
    bare = msgspec.structs.replace(
        a_proposal(), evidence=(), addresses=(), goals=(), activities=(), restrictions=(), withheld=()
    )
    assert "entity" not in companions(creates()[:1], bare, in_context(), "R4")[0]


@pytest.mark.parametrize("release", RELEASES)
def test_the_moment_is_an_instant_in_utc(release):
    for body in companions(creates(release), a_proposal(), in_context(), release):
        assert body["recorded"] == "2026-03-04T03:06:07.891Z"


@pytest.mark.parametrize("release", RELEASES)
def test_an_event_says_who_wrote_what_about_whom_in_which_request(release):
    change = creates(release)[0]
    body = companions([change], a_proposal(), in_context(), release)[-1]
    references = [entity["what"].get("reference") for entity in body["entity"]]
    assert references[:2] == [change.full_url, "Patient/p1"]
    assert body["entity"][2]["what"]["identifier"] == {"value": "r1"}
    assert body["action"] == "C"
    assert "https://target.example.org/fhir" in str(body["agent"][1])


@pytest.mark.parametrize(("release", "kind"), [("R4", "If-Match"), ("R5", {"text": "If-Match"})])
def test_the_event_of_an_update_says_which_version_it_replaces(release, kind):
    body = of_kind("AuditEvent", [an_updated_goal(release)], release)[0]
    assert body["action"] == "U"
    assert body["entity"][0]["detail"] == [{"type": kind, "valueString": 'W/"3"'}]


@pytest.mark.parametrize("release", RELEASES)
def test_no_companion_holds_a_value_a_text_of_the_plan_or_anything_else_of_the_patients(release):
    changes = (*creates(release), an_updated_goal(release))
    told = encode(list(companions_of(an_intent(changes), release))).decode()
    for secret in ("8.1", "2026-01-02", "Metformin", "alcohol", "HbA1c"):
        assert secret not in told


@pytest.mark.parametrize("kind", ["PatientCreate", "PatientUpdate"])
def test_an_r4_event_has_everything_that_its_balp_profile_asks_for(kind):
    change = creates()[0] if kind == "PatientCreate" else an_updated_goal()
    (body,) = of_kind("AuditEvent", [change])
    base = kind.removeprefix("Patient")
    for name in (base, kind):
        definition = decode(require_shared(f"{BALP}{name}.json").read_bytes())
        assert problems(body, definition["differential"]["element"]) == []


def test_the_check_against_the_profiles_finds_what_is_missing():
    (body,) = of_kind("AuditEvent", [a_create_of_a_goal()])
    definition = decode(require_shared(f"{BALP}Create.json").read_bytes())
    broken = {**body, "agent": body["agent"][:1], "outcome": "8"}
    assert problems(broken, definition["differential"]["element"]) == [
        "AuditEvent.outcome is not as its pattern",
        "AuditEvent.agent has 1",
        "AuditEvent.agent:server has 0",
    ]


def a_create_of_a_goal():
    from careplan_exchange.writer import render
    from tests.support.plans import a_context

    return a_create(render(a_proposal(), a_context(), TargetForm(release="R4"))[0])


def problems(body, elements):
    """Cardinalities and patterns of a profile's differential, slices told apart by the pattern of their type."""
    found = []
    by_id = {element["id"]: element for element in elements}
    for element in elements:
        identifier = element["id"].removeprefix("AuditEvent").lstrip(".")
        if not identifier:
            continue
        head, _, rest = identifier.partition(".")
        name, _, slice_name = head.partition(":")
        items = as_list(body.get(name))
        if slice_name:
            pattern = pattern_of(by_id.get(f"AuditEvent.{head}.type", {})) or pattern_of(
                by_id[f"AuditEvent.{head}"]
            )
            if pattern is None:
                continue  # told apart by a value set: `user`, which a backend service has none of
            items = [item for item in items if fits(item.get("type", item), pattern) or fits(item, pattern)]
        if rest:
            values = [value for item in items for value in dig(item, rest.split("."))]
            if len(values) < element.get("min", 0) * len(items):
                found.append(f"{element['id']} is missing")
            if element.get("max") == "0" and values:
                found.append(f"{element['id']} is not allowed")
            continue
        if len(items) < element.get("min", 0) or (
            "max" in element and element["max"] != "*" and len(items) > int(element["max"])
        ):
            found.append(f"{element['id']} has {len(items)}")
        pattern = pattern_of(element)
        if pattern is not None and not slice_name and not all(fits(item, pattern) for item in items):
            found.append(f"{element['id']} is not as its pattern")
    return found


def pattern_of(element):
    return next((value for name, value in element.items() if name.startswith("pattern")), None)


def as_list(value):
    return [] if value is None else value if isinstance(value, list) else [value]


def dig(value, path):
    if not path:
        return as_list(value)
    return [
        deep for item in as_list(value) if isinstance(item, dict) for deep in dig(item.get(path[0]), path[1:])
    ]


def fits(value, pattern):
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(fits(value.get(name), inner) for name, inner in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(v, inner) for v in value) for inner in pattern)
    return value == pattern
