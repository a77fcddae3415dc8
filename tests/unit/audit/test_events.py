"""What was asked of servers as AuditEvents: who, what, about whom, and under which id."""

import base64

import pytest

from careplan_exchange.audit import EVENT_SYSTEM, events_of, kept_events
from careplan_exchange.model.codec import encode
from careplan_exchange.model.requested import Act
from careplan_exchange.store import MemoryOutbox
from careplan_exchange.writer.lint import lint
from tests.support.parcels import ACTS, READ, SEARCH, SERVER, a_parcel, a_request

RELEASES = ["R4", "R5"]


def event_of(act=READ, release="R4", here=SERVER, about=None, **fields):
    (event,) = events_of(a_parcel(1, a_request(act, **fields), **(about or {})), release, here=here)
    return event


def types_of(event):
    return [agent["type"]["coding"][0]["code"] for agent in event["agent"]]


@pytest.mark.parametrize(
    ("interaction", "action", "agents", "user"),
    [
        ("create", "C", ["110153", "110152"], "AUT"),
        ("read", "R", ["110152", "110153"], "IRCP"),
        ("update", "U", ["110153", "110152"], "AUT"),
        ("delete", "D", ["110150", "custodian"], "AUT"),
        ("search-type", "E", ["110153", "110152"], "IRCP"),
        ("operation", "E", ["110153", "110152"], "IRCP"),
        ("history-instance", "R", ["110152", "110153"], "IRCP"),
    ],
)
def test_each_interaction_has_the_action_and_the_agents_of_its_pattern(interaction, action, agents, user):
    act = next(act for act in ACTS if act.interaction == interaction)
    assert (event_of(act)["action"], types_of(event_of(act))) == (action, agents)
    assert types_of(event_of(act, about={"by": "Dr Who"})) == [*agents, user]


def test_without_a_person_the_software_began_and_with_one_the_person_did():
    assert [agent["requestor"] for agent in event_of()["agent"]] == [True, False]
    by_a_person = event_of(about={"by": "Practitioner/12"})["agent"]
    assert [agent["requestor"] for agent in by_a_person] == [False, False, True]
    assert by_a_person[2]["who"] == {"reference": "Practitioner/12"}
    assert "network" not in by_a_person[2]
    assert event_of(about={"by": "Dr Who"})["agent"][2]["who"] == {"display": "Dr Who"}


def test_the_use_of_an_access_token_is_told_by_its_id():
    user = event_of(jti="token-1")["agent"][2]
    assert user["policy"] == ["urn:ietf:params:oauth:jti:token-1"]
    assert user["requestor"] is True


@pytest.mark.parametrize("release", RELEASES)
def test_a_search_is_told_by_the_request_as_it_was_sent(release):
    (query,) = (entity["query"] for entity in event_of(SEARCH, release)["entity"] if "query" in entity)
    assert base64.b64decode(query).decode() == f"GET {SERVER}/{SEARCH.query}\nX-Request-Id: r1"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.interaction)
def test_every_event_is_valid_by_the_lint_that_guards_every_write(release, act):
    failed = {"status": 403, "error": "refused.authentication", "said": ("forbidden",), "jti": "j"}
    for fields in ({}, failed):
        assert lint(event_of(act, release, about={"by": "Dr Who"}, **fields), release, {}) == ()


@pytest.mark.parametrize(("status", "outcome"), [(200, "0"), (403, "4"), (404, "4"), (500, "8"), (None, "8")])
def test_the_outcome_says_whether_it_was_done_refused_or_broke(status, outcome):
    error = None if status == 200 else "refused"
    event = event_of(status=status, error=error)
    assert event["outcome"] == outcome
    assert event.get("outcomeDesc") == error
    assert ("contained" in event) is (error is not None)


def test_an_entry_of_a_batch_that_was_refused_is_told_as_refused_and_the_others_as_done():
    refused = Act(
        interaction="search-type", type="Goal", query="Goal", status=403, error="refused.authentication"
    )
    done = Act(interaction="search-type", type="Goal", query="Goal", status=200)
    events = events_of(a_parcel(1, a_request(done, refused)), "R4")
    assert [(event["outcome"], event.get("outcomeDesc")) for event in events] == [
        ("0", None),
        ("4", "refused.authentication"),
    ]


def test_a_failure_holds_what_the_server_said_in_its_codes():
    event = event_of(status=422, error="refused", said=("invalid", "business-rule"))
    (told,) = event["contained"]
    assert [issue["code"] for issue in told["issue"]] == ["invalid", "business-rule"]
    assert event["entity"][-1]["what"] == {"reference": "#outcome"}


def test_where_the_events_stand_elsewhere_their_references_name_the_server():
    references = [entity.get("what") for entity in event_of(here="https://arr.example.org/fhir")["entity"]]
    assert references[:2] == [
        {"type": "Goal", "identifier": {"system": SERVER, "value": "Goal/7/_history/3"}},
        {"type": "Patient", "identifier": {"system": SERVER, "value": "Patient/p1"}},
    ]
    assert [entity["what"].get("reference") for entity in event_of()["entity"][:2]] == [
        "Goal/7/_history/3",
        "Patient/p1",
    ]


def test_what_did_not_come_to_be_is_named_by_its_type():
    event = event_of(Act(interaction="create", type="Goal"), status=422, error="refused")
    assert event["entity"][0]["what"] == {"type": "Goal", "display": "Goal"}


def test_an_event_has_one_id_however_often_and_in_whatever_form_it_is_told():
    parcel = a_parcel(1, a_request(*ACTS), a_request(READ))
    ids = [event["id"] for event in events_of(parcel, "R4", here=SERVER)]
    assert len(set(ids)) == len(ids) == len(ACTS) + 1
    assert [event["id"] for event in events_of(parcel, "R5")] == ids
    assert {event["id"] for event in events_of(a_parcel(2, *parcel.requests), "R4")}.isdisjoint(ids)
    for event in events_of(parcel, "R4"):
        tags = {tag["system"]: tag["code"] for tag in event["meta"]["tag"]}
        assert tags == {
            EVENT_SYSTEM: event["id"],
            "urn:careplan-exchange:exchange": "x1",
            "urn:careplan-exchange:installation": "i1",
        }


def test_the_tags_of_one_event_are_not_those_of_the_next():
    first, second = events_of(a_parcel(1, a_request(READ), a_request(READ)), "R4")
    assert len(first["meta"]["tag"]) == len(second["meta"]["tag"]) == 3


async def test_kept_events_are_all_of_them_in_order_or_those_of_one_exchange():
    outbox = MemoryOutbox()
    for number in range(1, 251):
        await outbox.put(a_parcel(number, exchange=f"x{number % 2}"), "2026-03-04T12:00:00+00:00")
    await outbox.sent(a_parcel(1).id, "2026-03-04T12:00:00+00:00")
    everything = [event["id"] async for event in kept_events(outbox)]
    assert everything == [events_of(a_parcel(number), "R4")[0]["id"] for number in range(1, 251)]
    assert len([event async for event in kept_events(outbox, exchange="x1")]) == 125


def test_an_event_without_a_patient_names_none():
    for release in RELEASES:
        assert "Patient/" not in encode(event_of(SEARCH, release, about={"subject": None})).decode()


@pytest.mark.parametrize("here", [SERVER, None])
def test_whom_an_event_without_a_patient_is_about_is_left_open(here):
    event = event_of(SEARCH, here=here, about={"subject": None})
    assert [entity["type"]["code"] for entity in event["entity"]] == ["2", "XrequestId"]


def test_an_entry_of_a_batch_has_the_outcome_of_its_own_status():
    broken = Act(interaction="search-type", type="Goal", query="Goal", status=503, error="unavailable")
    denied = Act(interaction="search-type", type="Goal", query="Goal", error="refused")
    events = events_of(a_parcel(1, a_request(broken, denied)), "R4")
    assert [event["outcome"] for event in events] == ["8", "4"]
