"""`doctor` on endpoints: what answers there, with which credentials, on which rung, and what to mend."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange.bootstrap import RandomIds
from careplan_exchange.errors import EndpointOverloadedError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.sandbox import serve_in_background
from tests.support.oddserver import METADATA, odd_server

from .conftest import NOBODY

FHIR = "application/fhir+json"


def test_the_doctor_finds_nothing_to_mend_where_all_is_well(doctor: Any, hospital: Any) -> None:
    checks = doctor(0, main=f'url = "{hospital.url}"')
    assert list(checks) == [
        "python",
        "database",
        "ledger, signing",
        "knowledge",
        "audit events",
        "endpoint main",
        "endpoint main, authentication",
        "endpoint main, circuit",
        "endpoint main, writing",
    ]
    assert "FHIR 4.0.1" in checks["endpoint main"]["found"]
    assert "in one transaction" in checks["endpoint main, writing"]["found"]
    assert all(check["ok"] for check in checks.values())


def test_the_doctor_prints_for_a_person_what_is_well_and_what_to_mend(
    careplan: Any, tmp_path: Path, hospital: Any
) -> None:
    (tmp_path / "careplan.toml").write_text(
        f'[endpoints.here]\nurl = "{hospital.url}"\n[endpoints.gone]\nurl = "{NOBODY}"\nattempts = 1\n'
    )
    result = careplan("doctor")
    assert result.code == 5
    assert "ok   endpoint here, writing: rung 'references', in one transaction" in result.out
    assert "mend endpoint gone: Nothing answers" in result.out
    assert "       Check the port" in result.out
    assert "Traceback" not in result.err


def test_the_doctor_says_how_to_name_an_endpoint_where_there_is_none(doctor: Any) -> None:
    checks = doctor(0)
    assert checks["endpoints"]["found"] == "none is configured"
    assert "careplan init" in checks["endpoints"]["mend"]


def test_the_doctor_looks_at_every_endpoint_also_after_one_that_fails(doctor: Any, hospital: Any) -> None:
    checks = doctor(5, gone=f'url = "{NOBODY}"', here=f'url = "{hospital.url}"')
    assert not checks["endpoint gone"]["ok"]
    assert "port" in checks["endpoint gone"]["mend"]
    assert checks["endpoint here, writing"]["ok"]


def test_the_doctor_tells_a_wrong_token_from_a_right_one(doctor: Any, tmp_path: Path) -> None:
    token = tmp_path / "token"
    with serve_in_background(bearer="the-right-token") as server:
        lines = f'url = "{server.url}"\nauth = "bearer"\ntoken_file = "token"'
        token.write_text("the-wrong-token")
        checks = doctor(4, main=lines)
        token.write_text("the-right-token")
        assert doctor(0, main=lines)["endpoint main, authentication"]["ok"]
    (wrong,) = (check for check in checks.values() if not check["ok"])
    assert wrong["what"] == "endpoint main, authentication"
    assert "the-wrong-token" not in str(checks)


def test_the_doctor_sees_a_refusal_that_comes_with_the_first_request(doctor: Any) -> None:
    with odd_server(lambda _: (401, FHIR, b'{"resourceType":"OperationOutcome","issue":[]}')) as url:
        checks = doctor(4, main=f'url = "{url}"')
    assert "credentials" in checks["endpoint main"]["found"] + checks["endpoint main"]["mend"]


def test_the_doctor_names_a_token_that_is_not_there(doctor: Any) -> None:
    checks = doctor(2, main='url = "http://127.0.0.1:9/fhir"\nauth = "bearer"\ntoken_env = "NO_SUCH_TOKEN"')
    assert "NO_SUCH_TOKEN" in checks["endpoint main"]["found"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, "text/html", b"<html>Log in</html>"), 3),
        ((200, FHIR, b"{}"), 3),
        ((200, FHIR, METADATA.replace(b"4.0.1", b"3.0.2")), 4),
    ],
    ids=["a page", "not a resource", "another version"],
)
def test_the_doctor_names_a_server_that_is_not_what_it_should_be(doctor: Any, answer: Any, code: int) -> None:
    with odd_server(lambda _: answer) as url:
        checks = doctor(code, main=f'url = "{url}"')
    assert list(checks)[-1] == "endpoint main"
    assert checks["endpoint main"]["exit_code"] == code


@pytest.mark.parametrize(
    ("takes", "found", "mend"),
    [
        ("references", "rung 'references', in one transaction; no version of US Core named.", ""),
        ("detail", "rung 'detail', in one transaction", "ServiceRequest create, ServiceRequest update"),
        ("document", "rung 'document', in one transaction", "Goal create"),
        ("nothing", "on no rung of the write ladder", "companion"),
    ],
)
def test_the_doctor_prints_the_rung_of_a_target_and_what_would_raise_it(
    doctor: Any, takes: Any, found: str, mend: str
) -> None:
    with serve_in_background(takes=takes) as server:
        check = doctor(0, main=f'url = "{server.url}"')["endpoint main, writing"]
    assert check["found"].startswith(found) or found in check["found"]
    assert mend in check["mend"]
    assert bool(mend) == bool(check["mend"])


def test_the_doctor_names_the_companion_that_a_plan_goes_to(doctor: Any) -> None:
    with serve_in_background(takes="nothing") as server, serve_in_background() as other:
        lines = f'url = "{server.url}"\ncompanion = "other"'
        checks = doctor(0, main=lines, other=f'url = "{other.url}"')
    assert (
        checks["endpoint main, writing"]["found"]
        == "takes no plan and no document: a plan goes to endpoint other"
    )


NOTHING = b'{"resourceType":"Bundle","type":"searchset","total":0}'


def test_the_doctor_says_where_to_write_where_a_server_can_only_be_read(doctor: Any) -> None:
    patient = b'{"type":"Patient","interaction":[{"code":"search-type"}]}'
    metadata = METADATA.replace(b'"resource":[]', b'"resource":[' + patient + b"]")
    assert patient in metadata
    with odd_server(lambda path: (200, FHIR, metadata if "metadata" in path else NOTHING)) as url:
        checks = doctor(0, main=f'url = "{url}"')
    assert "on no rung of the write ladder" in checks["endpoint main, writing"]["found"]
    assert "CarePlan create" in checks["endpoint main, writing"]["found"]
    assert "--target" in checks["endpoint main, writing"]["mend"]


def given_up(url: str, folder: Path) -> None:
    """What a process leaves behind that has given up on the server at this URL."""

    async def hammer() -> None:
        connection = Connection(base_url=url, attempts=1, host_folder=folder)
        transport = httpx.MockTransport(lambda _: httpx.Response(503))
        async with connect(connection, ids=RandomIds(), transport=transport) as client:
            for _ in range(5):
                with contextlib.suppress(EndpointOverloadedError):
                    await client.read("Goal", "g1")

    asyncio.run(hammer())


def test_the_doctor_shows_its_own_circuit_and_that_of_another_process(
    doctor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with odd_server(lambda path: (200, FHIR, METADATA if "metadata" in path else NOTHING)) as url:
        assert (
            doctor(0, main=f'url = "{url}"')["endpoint main, circuit"]["found"] == "closed: it is asked as usual"
        )
        given_up(url, tmp_path / "careplan-exchange")
        found = doctor(0, main=f'url = "{url}"')["endpoint main, circuit"]["found"]
    assert found.startswith("closed: it is asked as usual; in another process of this host open since ")
    assert "answers 503" in found
    # It is shown also where the server does not answer the doctor either.
    checks = doctor(5, main=f'url = "{url}"')
    assert list(checks)[-2:] == ["endpoint main", "endpoint main, circuit"]
    assert "answers 503" in checks["endpoint main, circuit"]["found"]


def test_the_doctor_does_not_hold_it_against_a_server_that_it_lists_nothing(doctor: Any) -> None:
    with odd_server(lambda path: (200, FHIR, METADATA if "metadata" in path else NOTHING)) as url:
        checks = doctor(0, main=f'url = "{url}"')
    assert "found out by trying" in checks["endpoint main, writing"]["found"]
