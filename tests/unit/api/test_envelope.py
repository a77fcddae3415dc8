"""What holds for every request: its id, its size, the address it came to, its headers, and no stack trace."""

import pytest

from careplan_exchange.api import ApiAuth
from tests.support.service import KEY, body, problem, service


async def test_a_request_id_is_echoed_if_it_is_one_and_made_otherwise(client):
    assert (await client.get("/health/live", headers={"X-Request-Id": "abc-1"})).headers[
        "x-request-id"
    ] == "abc-1"
    for odd in ("", "two words", "x" * 65, "a\x0bb", "<script>"):
        made = (await client.get("/health/live", headers={"X-Request-Id": odd})).headers["x-request-id"]
        assert made != odd
        assert len(made) == 36


async def test_every_answer_carries_the_security_headers_errors_too(client):
    for path in ("/health/live", "/nowhere", "/metrics", "/openapi.json"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


async def test_an_unknown_address_and_a_wrong_method_are_problems(client):
    problem(await client.get("/api/v1/patients/jane-doe"), 404, "http.404")
    wrong = await client.delete("/api/v1/exchanges")
    problem(wrong, 405, "http.405")
    assert wrong.headers["allow"] == "POST"


async def test_no_redirect_repeats_a_path(client):
    problem(await client.get("/health/live/"), 404, "http.404")


async def test_a_body_beyond_the_limit_is_refused_by_its_declared_length(client, exchanges):
    answer = await client.post("/api/v1/exchanges", json=body(patient="x" * 1_100_000))
    problem(answer, 413, "http.413")
    assert exchanges.synced == []


async def test_a_body_beyond_the_limit_is_refused_as_it_streams(client, exchanges):
    async def stream():
        yield b'{"patient": "'
        for _ in range(40):
            yield b"x" * 65_536

    answer = await client.post(
        "/api/v1/exchanges", content=stream(), headers={"Content-Type": "application/json"}
    )
    problem(answer, 413, "http.413")
    assert exchanges.synced == []


async def test_an_error_nobody_foresaw_is_a_problem_that_says_nothing_of_it(client, exchanges, capsys):
    def fail(*_args):
        raise ValueError("Jane Doe born 1970-01-01")

    exchanges.propose = fail
    answer = await client.get("/api/v1/patients/p1/proposal", params={"endpoint": "hospital"})
    problem(answer, 500, "internal")
    printed = capsys.readouterr()
    assert "ValueError" in printed.out + printed.err
    assert "Jane" not in answer.text + printed.out + printed.err


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "10.0.0.1"]
)
async def test_an_open_service_does_not_answer_to_a_foreign_name(client, exchanges, host):
    answer = await client.post("/api/v1/exchanges", json=body(), headers={"Host": host})
    problem(answer, 421, "http.421")
    assert exchanges.synced == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:9", "127.8.9.10", "[::1]:8000"])
async def test_an_open_service_answers_to_the_names_of_this_machine(client, host):
    assert (await client.get("/health/live", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[bad"])
async def test_an_open_service_takes_nothing_from_a_page_of_another_site(client, exchanges, origin):
    answer = await client.post("/api/v1/exchanges", json=body(), headers={"Origin": origin})
    problem(answer, 403, "http.403")
    assert exchanges.synced == []


async def test_a_guarded_service_answers_to_any_name(exchanges):
    async with service(exchanges, ApiAuth(api_key=KEY), base_url="https://careplan.example") as client:
        assert (await client.get("/health/live")).status_code == 200
