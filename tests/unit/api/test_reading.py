"""Proposals, the ledger, health and metrics."""

import pytest
from prometheus_client import REGISTRY

from careplan_exchange import errors
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Entry
from tests.support.exchanges import proposal
from tests.support.service import problem

PROPOSAL = "/api/v1/patients/p1/proposal"


async def test_a_proposal_keeps_every_digit_of_its_numbers(client):
    answer = await client.get(PROPOSAL, params={"endpoint": "hospital", "today": "2026-01-02"})
    assert answer.status_code == 200
    assert '"high":7.20' in answer.text
    assert answer.json()["asOf"] == "2026-01-02"
    assert answer.json()["patient"]["reference"] == "Patient/p1"


async def test_a_proposal_is_asked_for_by_endpoint_name_only(client, exchanges):
    exchanges.propose = lambda *_: pytest.fail("nothing may be fetched")
    problem(await client.get(PROPOSAL, params={"endpoint": "http://10.0.0.1/fhir"}), 400, "endpoint.unknown")
    problem(await client.get(PROPOSAL), 400, "endpoint.missing")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.PatientNotFoundError, 404),
        (errors.PatientMergedError, 409),
        (errors.PatientNotEligibleError, 409),
        (errors.IncompleteRecordError, 502),
        (errors.AuthenticationRefusedError, 502),
        (errors.EndpointOverloadedError, 503),
        (errors.EndpointUnreachableError, 504),
        (errors.SettingsError, 500),
    ],
)
async def test_an_error_of_the_data_path_is_a_problem_with_its_mend_and_issues(client, exchanges, error, status):
    issue = Issue(severity="error", code="exception", key="example", detail="Example.")

    def fail(*_args):
        raise error("It went wrong.", mend="Mend it.", issues=[issue])

    exchanges.propose = fail
    answer = await client.get(PROPOSAL, params={"endpoint": "hospital"})
    found = problem(answer, status, error.key)
    assert (found.title, found.detail, found.mend, found.issues) == (
        error.title,
        "It went wrong.",
        "Mend it.",
        (issue,),
    )
    assert ("retry-after" in answer.headers) == issubclass(error, errors.UnavailableError)


@pytest.mark.parametrize("query", [{"today": "tomorrow"}, {"endpoint": ""}, {"endpoint": "x" * 201}])
async def test_an_argument_of_another_form_is_refused(client, query):
    problem(await client.get(PROPOSAL, params={"endpoint": "hospital", **query}), 422, "request.invalid")


async def test_a_business_identifier_is_no_patient_id(client):
    answer = await client.get("/api/v1/patients/urn:mrn|12345/proposal", params={"endpoint": "hospital"})
    problem(answer, 422, "request.invalid")
    assert "12345" not in answer.text


async def test_the_ledger_is_read_page_by_page_without_gap_or_repetition(client, exchanges):
    ids = [exchanges.ids.new() for _ in range(2)]
    for number in range(7):
        await exchanges.ledger.append([Entry(exchange=ids[number % 2], event="e", at="2026-11-24T08:00:00Z")])

    async def walk(start: str) -> list[int]:
        seen, address = [], start
        while address:
            page = (await client.get(address)).json()
            assert len(page["links"]) <= 3
            seen += [link["seq"] for link in page["links"]]
            address = page["next"]
        return seen

    everything = await walk("/api/v1/audit?limit=3")
    assert len(everything) == 7
    assert everything == sorted(set(everything))
    of_one = await walk(f"/api/v1/audit?limit=3&exchange={ids[0]}")
    assert of_one == everything[::2]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "after=-1", "after=x", "exchange=1", f"after={2**70}"]
)
async def test_a_page_that_cannot_be_is_refused(client, query):
    problem(await client.get(f"/api/v1/audit?{query}"), 422, "request.invalid")


async def test_a_full_last_page_has_no_next(client, exchanges):
    for _ in range(3):
        await exchanges.ledger.append([Entry(exchange="x", event="e", at="2026-11-24T08:00:00Z")])
    page = (await client.get("/api/v1/audit?limit=3")).json()
    assert len(page["links"]) == 3
    assert page["next"] is None


async def test_live_says_so_whatever_else_fails(client, exchanges):
    exchanges.health = {"database": False, "knowledge": False}
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def test_ready_names_what_is_not(client, exchanges):
    assert (await client.get("/health/ready")).json() == {
        "ready": True,
        "checks": {"database": True, "knowledge": True},
    }
    exchanges.health = {"database": False, "knowledge": True}
    found = problem(await client.get("/health/ready"), 503, "not-ready")
    assert [issue.key for issue in found.issues] == ["not-ready.database"]


async def test_requests_are_counted_by_route_template_and_never_by_path(client, exchanges):
    labels = {"method": "GET", "route": "/api/v1/patients/{patient_id}/proposal", "status": "200"}
    before = REGISTRY.get_sample_value("careplan_http_requests_total", labels) or 0
    exchanges.propose = proposal
    await client.get("/api/v1/patients/a-very-telling-id/proposal", params={"endpoint": "hospital"})
    await client.get("/a-very-telling-path")
    await client.request("TELLING", "/health/live")
    metrics = (await client.get("/metrics")).text
    assert REGISTRY.get_sample_value("careplan_http_requests_total", labels) == before + 1
    assert "telling" not in metrics.lower()
    assert 'route="unmatched",status="404"' in metrics
    assert "careplan_exchanges_total" in metrics
    assert "careplan_http_request_seconds_bucket" in metrics
