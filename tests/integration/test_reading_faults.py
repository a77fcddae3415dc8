"""Each way in which a server gives less, more or other than a patient's record, against the real sandbox process over
sockets: either nothing is planned and the error says which search it was, or the record is the one of a calm server.

The tables are in tests/support/reading_cases.py; the rows of DESIGN.md §6 that concern reading are their headings.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from careplan_exchange import config, installed
from careplan_exchange.errors import (
    AuthenticationRefusedError,
    CareplanError,
    EndpointOverloadedError,
    IncompleteRecordError,
    NotFhirError,
)
from careplan_exchange.exchange import Knowledge
from careplan_exchange.fhir import Query
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.sandbox.faults import Kind
from tests.support.product import SYNTHETIC_TODAY, Server, careplan, product, sync
from tests.support.r5 import to_r5
from tests.support.reading import Waits, assert_nothing_personal, endpoint, load, person, reader
from tests.support.reading_cases import BATCH_OR_SEARCH, ENDS, HEALS, PAGES_OF_TWO, fault, once
from tests.support.servers import SandboxServer, sandbox_process
from tests.support.smart import new_key, write_jwks, write_key

ELSEWHERE = {
    "unauthorized": "test_one_refused_token_is_renewed_and_the_record_is_whole",
    "token_down": "test_a_token_endpoint_that_was_down_once_is_outlived",
    "wrong_type": "test_json_under_another_content_type_is_refused",
}
"""Faults with a test of their own below."""


@pytest.fixture
def armed(sandbox: SandboxServer) -> Iterator[tuple[SandboxServer, str]]:
    patient = load(sandbox, person())
    yield sandbox, patient
    sandbox.calm()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all: nothing is ever planned, so nothing is kept."""
    return tmp_path_factory.mktemp("faults")


@cache
def knowledge() -> Knowledge:
    return installed.load_knowledge(config.Settings())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The knowledge is loaded once, and a whole answer may take no longer than the wait for a piece of it."""
    loaded = knowledge()
    monkeypatch.setattr(installed, "load_knowledge", lambda _: loaded)
    monkeypatch.setattr("careplan_exchange.fhir.session.WHOLE_ANSWER", 1)


# --- the tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", ENDS)
async def test_nothing_is_planned_after(armed: tuple[SandboxServer, str], folder: Path, says: str) -> None:
    server, patient = armed
    case = ENDS[says]
    async with product(folder, server.url, endpoints=endpoint(server.url)) as services:
        for one in case.faults:
            server.fault(**one)
        with pytest.raises(CareplanError) as caught:
            await sync(services, patient)
    server.calm()
    error = caught.value
    expected = case.error if isinstance(case.error, tuple) else (case.error,)
    assert type(error) in expected, (error, error.mend)
    assert error.exit_code == expected[0].exit_code
    assert error.mend
    for word in case.says:
        assert word in error.detail
    said = " ".join([error.detail, error.mend, *(issue.detail for issue in error.issues)])
    assert_nothing_personal(said, patient)
    if case.issue is not None:
        assert any(case.issue in issue.detail for issue in error.issues)
    outside = Server(server.url)
    for kind in ("CarePlan", "Goal", "DetectedIssue", "ServiceRequest"):
        assert outside.get(f"{kind}?patient=Patient/{patient}")["total"] == 0


@pytest.mark.parametrize("says", HEALS)
async def test_the_record_is_whole_after(armed: tuple[SandboxServer, str], folder: Path, says: str) -> None:
    server, patient = armed
    async with reader(folder, server.url) as read:
        clean = await read(patient)
        assert sum(resource.type == "Observation" for resource in clean.resources) == 6
        for one in HEALS[says].faults:
            server.fault(**one)
        assert await read(patient) == clean
    assert_struck(server, HEALS[says].faults)


def assert_struck(server: SandboxServer, faults: Sequence[dict[str, Any]]) -> None:
    """None of the faults that were armed has waited in vain."""
    left = {one["kind"]: one["times"] for one in httpx.get(f"{server.url}/$faults").json()}
    assert [one["kind"] for one in faults if left.get(one["kind"]) == one["times"]] == []


def test_every_fault_has_a_case() -> None:
    in_tables = {one["kind"] for case in (*ENDS.values(), *HEALS.values()) for one in case.faults}
    assert in_tables | set(ELSEWHERE) == set(get_args(Kind))
    assert set(ELSEWHERE.values()) <= set(globals())


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_server_that_says_when_is_left_alone_until_then(
    armed: tuple[SandboxServer, str], folder: Path, form: str
) -> None:
    server, patient = armed
    waits = Waits()
    server.fault(**once("status", BATCH_OR_SEARCH, status=503, retry_after=7, retry_after_form=form))
    async with reader(folder, server.url, waits) as read:
        await read(patient)
    assert len(waits.seconds) == 1
    assert 5.5 <= waits.seconds[0] < 20


async def test_json_under_another_content_type_is_refused(armed: tuple[SandboxServer, str], folder: Path) -> None:
    server, patient = armed
    async with reader(folder, server.url) as read:
        server.fault(**fault("wrong_type", BATCH_OR_SEARCH))
        with pytest.raises(NotFhirError, match="Observation"):
            await read(patient)


async def test_no_request_follows_a_foreign_next_link(
    armed: tuple[SandboxServer, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even to look up the name of the other server."""
    server, patient = armed
    asked: list[str] = []
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def heard(self: Any, request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return await send(self, request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", heard)
    server.fault(**PAGES_OF_TWO)
    server.fault(**once("foreign_next"))
    async with reader(folder, server.url) as read:
        with pytest.raises(IncompleteRecordError):
            await read(patient)
    assert set(asked) == {"127.0.0.1"}


# --- R5 ------------------------------------------------------------------------------------------------------------

R5 = (
    "pages that have expired twice",
    "ids that are repeated over pages, in older versions too",
    "ids that are repeated over pages in a newer version",
    "status 503 once",
)


@pytest.mark.parametrize("says", R5)
async def test_the_record_from_an_r5_server_is_whole_after(
    sandbox_r5: SandboxServer, folder: Path, says: str
) -> None:
    patient = load(sandbox_r5, to_r5(person()))
    async with reader(folder, sandbox_r5.url) as read:
        clean = await read(patient)
        assert clean.release == "R5"
        for one in HEALS[says].faults:
            sandbox_r5.fault(**one)
        assert await read(patient) == clean
    assert_struck(sandbox_r5, HEALS[says].faults)


# --- SMART ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smart(folder: Path) -> Iterator[tuple[SandboxServer, dict[str, Any]]]:
    """A sandbox that demands tokens, with its patients loaded from a folder, and how to sign in there."""
    from careplan_exchange.sandbox import PATIENTS

    key = new_key("ES384")
    write_key(folder / "key.json", key)
    registered = write_jwks(folder / "registered.json", key)
    signs_in = {
        "auth": "smart",
        "client_id": "careplan",
        "private_key_file": folder / "key.json",
        "scopes": "system/*.cruds",
    }
    with sandbox_process("R4", "--smart", str(registered), "--load", str(PATIENTS)) as server:
        yield server, signs_in


async def patients_of(folder: Path, server: SandboxServer, signs_in: dict[str, Any], **changes: Any) -> Any:
    """What the product reads with these credentials of the first patient that the server has."""
    settings = endpoint(server.url, **signs_in, **changes)
    async with product(folder, server.url, endpoints=settings) as services:
        client = await services.client("main")
        first = await client.sample(Query("Patient", (("_count", "1"),)), 1)
        request = ExchangeRequest(endpoint="main", patient=first[0].id, today=SYNTHETIC_TODAY)
        record, _ = await services.snapshot(request)
        return record


@pytest.mark.parametrize("times", range(1, 3))
async def test_one_refused_token_is_renewed_and_the_record_is_whole(
    folder: Path, smart: tuple[SandboxServer, dict[str, Any]], times: int
) -> None:
    server, signs_in = smart
    clean = await patients_of(folder, server, signs_in)
    server.fault(**once("unauthorized", r"^(Patient|$)", skip=times - 1))
    assert await patients_of(folder, server, signs_in) == clean
    assert httpx.get(f"{server.url}/$faults").json() == []


async def test_a_token_that_is_refused_again_ends_it(
    folder: Path, smart: tuple[SandboxServer, dict[str, Any]]
) -> None:
    server, signs_in = smart
    server.fault(**fault("unauthorized", ""))
    with pytest.raises(AuthenticationRefusedError, match="401"):
        await patients_of(folder, server, signs_in)
    server.calm()


async def test_a_token_endpoint_that_was_down_once_is_outlived(
    folder: Path, smart: tuple[SandboxServer, dict[str, Any]]
) -> None:
    server, signs_in = smart
    clean = await patients_of(folder, server, signs_in)
    server.fault(**once("token_down", "", retry_after=0))
    assert await patients_of(folder, server, signs_in, attempts=2) == clean
    server.fault(**fault("token_down", ""))
    with pytest.raises(EndpointOverloadedError, match="token endpoint"):
        await patients_of(folder, server, signs_in)
    server.calm()


# --- the command ---------------------------------------------------------------------------------------------------

SHOWN = (
    "a page that has lost its next link",
    "the warning 4119 among the matches",
    "an Observation of another patient among the matches",
    "half of the JSON",
)


@pytest.mark.parametrize("says", SHOWN)
def test_the_command_exits_with_3_names_the_search_and_shows_no_plan_after(
    armed: tuple[SandboxServer, str], tmp_path: Path, says: str
) -> None:
    server, patient = armed
    for one in ENDS[says].faults:
        server.fault(**one)
    result = careplan(
        tmp_path, "plan", "--endpoint", server.url, "--patient", patient, "--today", SYNTHETIC_TODAY
    )
    assert result.returncode == 3, result.stderr
    assert "Observation" in result.stderr
    assert "Next:" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    said = result.stderr.replace(patient, "") if f"Patient/{patient}" not in result.stderr else result.stderr
    assert_nothing_personal(said, patient)
