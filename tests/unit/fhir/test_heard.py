"""What a listener hears of each request: every kind once, with versions, and nothing of a body."""

import asyncio
import base64
import json
from contextlib import suppress

import httpx
import pytest

from careplan_exchange.errors import CareplanError, CircuitOpenError
from careplan_exchange.fhir import BearerAuth, Query, listening
from careplan_exchange.fhir.ask import Ask
from careplan_exchange.fhir.heard import acts_of, jti_of
from careplan_exchange.model.requested import Act

from .wire import BASE, Server, batch_response, client_of, fhir, goal, outcome, searchset, statement

GOALS = Query("Goal", (("patient", "p1"),))
PLANS = Query("CarePlan", (("patient", "p1"),))


async def heard_of(answer, ask, **settings):
    """What is heard of the requests that `ask` makes of a client, whatever comes of them."""
    heard = []
    async with client_of(Server(answer), **settings) as client:
        with listening(heard.append), suppress(CareplanError):
            await ask(client)
    return heard


async def test_a_read_is_heard_with_its_version_its_server_and_its_request():
    (one,) = await heard_of(fhir(goal(), etag='W/"4"'), lambda c: c.read("Goal", "g1"))
    assert one.acts == (Act(interaction="read", type="Goal", reference="Goal/g1/_history/4"),)
    assert (one.server, one.request_id, one.method, one.status) == (BASE, "id-1", "GET", 200)
    assert one.at == "2026-03-01T12:00:00.000Z"
    assert (one.error, one.told, one.jti) == (None, False, None)


async def test_every_page_of_a_search_is_heard():
    pages = [fhir(searchset(goal(1), next_link=f"{BASE}?_getpages=x&page=2")), fhir(searchset(goal(2)))]
    heard = await heard_of(pages, lambda c: c.search(GOALS))
    assert [one.acts[0].query for one in heard] == ["Goal?patient=p1", "?_getpages=x&page=2"]
    assert {one.acts[0].type for one in heard} == {"Goal"}


async def test_a_batch_of_searches_is_heard_as_one_request_with_each_of_them():
    entry = {"response": {"status": "200"}, "resource": searchset()}
    answers = [fhir(statement("Goal", "CarePlan")), fhir(batch_response(entry, entry))]
    (one,) = await heard_of(answers, lambda c: c.search_many([GOALS, PLANS]))
    assert [(act.interaction, act.query) for act in one.acts] == [
        ("search-type", "Goal?patient=p1"),
        ("search-type", "CarePlan?patient=p1"),
    ]


async def test_an_entry_of_a_batch_that_was_refused_is_heard_as_refused_and_the_search_that_follows_too():
    done = {"response": {"status": "200"}, "resource": searchset()}
    refusal = {"response": {"status": "403 Forbidden"}}
    answers = [fhir(statement("Goal", "CarePlan")), fhir(batch_response(done, refusal)), fhir(status=403)]
    batch, alone = await heard_of(answers, lambda c: c.search_many([GOALS, PLANS]))
    assert [(act.status, act.error) for act in batch.acts] == [(200, None), (403, "refused.authentication")]
    assert (batch.status, batch.error) == (200, None)
    assert (alone.acts[0].type, alone.error) == ("CarePlan", "refused.authentication")


async def test_a_history_and_an_operation_are_heard_as_what_they_are():
    (one,) = await heard_of(fhir(searchset(goal()), etag='W/"9"'), lambda c: c.history("Goal", "g1"))
    assert one.acts == (Act(interaction="history-instance", type="Goal", reference="Goal/g1"),)
    patient = {"resourceType": "Patient", "id": "p1"}
    (one,) = await heard_of(fhir(searchset(patient)), lambda c: c.everything("p1"))
    assert one.acts == (Act(interaction="operation", type="Patient", query="Patient/p1/$everything"),)


async def test_what_the_server_can_do_concerns_nobody_and_is_not_heard():
    assert await heard_of(fhir(statement("Goal")), lambda c: c.capabilities()) == []


async def test_a_create_and_an_update_are_heard_with_what_came_of_them():
    created = fhir(goal(), status=201, location=f"{BASE}/Goal/g1/_history/1")
    (one,) = await heard_of(
        created, lambda c: c.create("Goal", {"resourceType": "Goal"}, if_none_exist=None, request_id="r1")
    )
    assert one.acts == (Act(interaction="create", type="Goal", reference="Goal/g1/_history/1"),)
    assert one.request_id == "r1"
    (one,) = await heard_of(
        fhir(goal(version="3"), etag='W/"3"'),
        lambda c: c.update("Goal", "g1", goal(), version_id="2", request_id="r2"),
    )
    assert one.acts == (Act(interaction="update", type="Goal", reference="Goal/g1/_history/3", replaced="2"),)


def a_transaction(*companions):
    entries = [
        {"resource": {"resourceType": "Goal"}, "request": {"method": "POST", "url": "Goal"}},
        {
            "resource": {"resourceType": "CarePlan"},
            "request": {"method": "PUT", "url": "CarePlan/1", "ifMatch": 'W/"2"'},
        },
        *({"resource": {}, "request": {"method": "POST", "url": kind}} for kind in companions),
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def the_response(count):
    said = [
        {"status": "201 Created", "location": "Goal/7/_history/1"},
        {"status": "200 OK", "location": f"{BASE}/CarePlan/1/_history/3"},
        *({"status": "201"} for _ in range(count - 2)),
    ]
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": one} for one in said],
    }


@pytest.mark.parametrize(("companions", "told"), [((), False), (("Provenance",), False), (("AuditEvent",), True)])
async def test_a_transaction_is_heard_entry_by_entry_without_what_it_says_of_itself(companions, told):
    bundle = a_transaction(*companions)
    (one,) = await heard_of(
        fhir(the_response(len(bundle["entry"]))), lambda c: c.transaction(bundle, request_id="r1")
    )
    assert [(act.interaction, act.reference, act.replaced, act.status) for act in one.acts] == [
        ("create", "Goal/7/_history/1", None, 201),
        ("update", "CarePlan/1/_history/3", "2", 200),
    ]
    assert one.told is told


async def test_a_transaction_that_was_refused_has_told_nothing_of_itself():
    bundle = a_transaction("AuditEvent")
    refusal = fhir(outcome(code="business-rule", diagnostics="Ada Lovelace may not"), status=422)
    (one,) = await heard_of(refusal, lambda c: c.transaction(bundle, request_id="r1"))
    assert (one.status, one.error, one.said, one.told) == (422, "refused", ("business-rule",), False)
    assert [act.reference for act in one.acts] == [None, "CarePlan/1"]
    assert "Ada" not in repr(one)


@pytest.mark.parametrize("place", [0, 2], ids=["a resource", "the event"])
async def test_a_transaction_of_which_a_part_failed_after_all_has_told_nothing_of_itself(place):
    bundle = a_transaction("AuditEvent")
    response = the_response(len(bundle["entry"]))
    response["entry"][place]["response"] = {"status": "422 Unprocessable Entity"}
    (one,) = await heard_of(fhir(response), lambda c: c.transaction(bundle, request_id="r1"))
    assert (one.error, one.told) == (None, False)
    assert [act.error for act in one.acts] == ["refused" if place == 0 else None, None]


async def test_a_companion_that_is_sent_alone_is_not_heard():
    created = fhir({"resourceType": "AuditEvent", "id": "a"}, status=201)
    assert (
        await heard_of(
            created,
            lambda c: c.create("AuditEvent", {"resourceType": "AuditEvent"}, if_none_exist=None, request_id="r"),
        )
        == []
    )


@pytest.mark.parametrize(("status", "key"), [(403, "refused.authentication"), (404, "refused"), (400, "refused")])
async def test_a_refusal_is_heard_with_its_status_and_its_key(status, key):
    (one,) = await heard_of(fhir(outcome(code="forbidden"), status=status), lambda c: c.read("Goal", "g1"))
    assert (one.status, one.error, one.said) == (status, key, ("forbidden",))


async def test_a_request_that_had_to_be_sent_again_is_heard_once_and_one_without_an_answer_too():
    answers = [fhir(status=503), fhir(goal())]
    assert [one.status for one in await heard_of(answers, lambda c: c.read("Goal", "g1"))] == [200]
    broken = httpx.ReadTimeout("late")
    (one,) = await heard_of(broken, lambda c: c.read("Goal", "g1"))
    assert (one.status, one.error) == (None, "unavailable.endpoint")
    (one,) = await heard_of(broken, lambda c: c.transaction(a_transaction(), request_id="r1"))
    assert (one.status, one.error) == (None, "unavailable.outcome-unknown")


async def test_a_request_that_was_cut_off_is_heard():
    async def never(_):
        await asyncio.sleep(60)

    heard = []
    async with client_of(never) as client:
        with listening(heard.append):
            task = asyncio.create_task(client.read("Goal", "g1"))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])
    assert [one.error for one in heard] == ["unavailable.endpoint"]


async def test_what_was_never_sent_is_not_heard(monkeypatch):
    from careplan_exchange.fhir.session import Session

    async def left_alone(*_):
        raise CircuitOpenError("Left alone.", mend="Wait.")

    monkeypatch.setattr(Session, "_persistently", left_alone)
    assert await heard_of(fhir(goal()), lambda c: c.read("Goal", "g1")) == []


async def test_nobody_hears_of_what_is_done_before_or_after():
    heard = []
    async with client_of(Server(fhir(goal()))) as client:
        await client.read("Goal", "g1")
        with listening(heard.append):
            pass
        await client.read("Goal", "g1")
    assert heard == []


def a_token(**claims):
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.sig"


async def test_the_id_of_the_access_token_is_heard_and_the_token_is_not():
    token = a_token(jti="token-1", sub="careplan")
    (one,) = await heard_of(
        fhir(goal()),
        lambda c: c.read("Goal", "g1"),
        auth=BearerAuth(read_token=lambda: token),
    )
    assert one.jti == "token-1"
    assert token not in repr(one)


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic YTpi", "Bearer opaque", f"Bearer {a_token(sub='x')}", "Bearer a.%%%.c", "Bearer a.e30.c.d"],
)
def test_a_token_that_says_no_id_has_none(header):
    assert jti_of(header) is None


def test_a_page_under_an_address_of_the_servers_own_is_a_search_of_the_same_type():
    ask = Ask(method="GET", url="https://fhir.example.org/pages/9", what="w", label="Goal")
    assert acts_of(ask, BASE) == (
        Act(interaction="search-type", type="Goal", query="https://fhir.example.org/pages/9"),
    )


def test_a_delete_is_told_by_its_method():
    ask = Ask(method="DELETE", url=f"{BASE}/Goal/g1", what="w", label="Goal", headers=(("If-Match", 'W/"2"'),))
    assert acts_of(ask, BASE) == (Act(interaction="delete", type="Goal", reference="Goal/g1", replaced="2"),)
