"""An Epic-like server, played by the sandbox, from nothing to a written plan: as docs/connect-your-server.md has it."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange.sandbox import PATIENTS
from tests.support.product import SYNTHETIC_TODAY, careplan, command, environment
from tests.support.servers import announced_url, start_sandbox

SCOPES = (
    "system/*.rs system/CarePlan.cu system/Goal.cu system/ServiceRequest.cu system/NutritionOrder.cu "
    "system/DetectedIssue.cu system/Provenance.c system/AuditEvent.c"
)
PAGE = Path(__file__).parents[2] / "docs" / "connect-your-server.md"


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    result = careplan(folder, *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def test_a_sync_by_command_line_against_a_smart_server(tmp_path: Path) -> None:
    run(tmp_path, "keys", "new", "--alg", "ES384", "--out", "hospital-key.json")
    (tmp_path / "registered.json").write_text(run(tmp_path, "keys", "jwks", "hospital-key.json"))
    options = ("--load", str(PATIENTS), "--smart", str(tmp_path / "registered.json"))
    process = start_sandbox(tmp_path / "log", "--port", "0", *options)
    try:
        url = announced_url(process, tmp_path / "log")
        assert httpx.get(f"{url}/Patient").status_code == 401
        (tmp_path / "careplan.toml").write_text(
            f'[endpoints.hospital]\nurl = "{url}"\nauth = "smart"\nclient_id = "careplan"\n'
            f'private_key_file = "hospital-key.json"\nscopes = "{SCOPES}"\n'
            'headers = { "Epic-Client-ID" = "careplan" }\n'
        )
        doctor = run(tmp_path, "doctor")
        assert "mend" not in doctor
        assert "SMART Backend Services" in doctor
        patient = first_patient(tmp_path, url)
        of_patient = ("-e", "hospital", "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
        assert json.loads(run(tmp_path, "plan", *of_patient))["goals"]
        assert json.loads(run(tmp_path, "sync", *of_patient))["outcome"] == "written"
        assert json.loads(run(tmp_path, "sync", *of_patient))["outcome"] == "unchanged"
        narrow = (tmp_path / "careplan.toml").read_text().replace(SCOPES, "system/Goal.rs")
        (tmp_path / "careplan.toml").write_text(narrow)
        run(tmp_path, "sync", *of_patient, code=4)
    finally:
        process.kill()
        process.wait()


def first_patient(folder: Path, url: str) -> str:
    """The id of a patient, asked for with a token of our own."""
    import asyncio

    from careplan_exchange import bootstrap, config, connections
    from careplan_exchange.fhir import Query, connect

    settings = config.load(folder / "careplan.toml")
    endpoint = settings.endpoints["hospital"].model_copy(
        update={"private_key_file": folder / "hospital-key.json"}
    )
    settings = settings.model_copy(update={"endpoints": {"hospital": endpoint}})

    async def ask() -> str:
        async with connect(connections.connection(settings, "hospital"), ids=bootstrap.RandomIds()) as client:
            return (await client.search(Query(type="Patient", params=())))[0].id

    return asyncio.run(ask())


def test_the_service_publishes_the_keys_that_are_used_next_and_last(tmp_path: Path) -> None:
    for name in ("now.json", "next.json"):
        run(tmp_path, "keys", "new", "--out", name)
    (tmp_path / "careplan.toml").write_text(
        '[endpoints.hospital]\nurl = "https://fhir.example.org/r4"\nauth = "smart"\nclient_id = "careplan"\n'
        'private_key_file = "now.json"\npublished_key_files = ["next.json", "last.json"]\nscopes = "system/*.rs"\n'
        '[server]\napi_key_file = "api-key"\n'
    )
    (tmp_path / "api-key").write_text("0123456789abcdef0123456789abcdef")
    process = subprocess.Popen(
        command("serve", "--port", "0"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        port = next(line for line in process.stderr if "Listening" in line).split()[-1].rstrip(".")

        def published() -> list[str]:
            answer = httpx.get(f"http://127.0.0.1:{port}/.well-known/jwks.json")
            assert answer.status_code == 200
            for key in answer.json()["keys"]:
                assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}
            return [key["kid"] for key in answer.json()["keys"]]

        def kid(name: str) -> Any:
            return json.loads((tmp_path / name).read_text())["kid"]

        old, new = kid("now.json"), kid("next.json")
        assert published() == [old, new]
        (tmp_path / "now.json").rename(tmp_path / "last.json")
        (tmp_path / "next.json").rename(tmp_path / "now.json")
        assert published() == [new, old]
        (tmp_path / "last.json").unlink()
        assert published() == [new]
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 401
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.mark.skipif(not PAGE.exists(), reason="there is no page yet")
def test_the_page_has_the_scopes_that_are_enough() -> None:
    assert SCOPES in PAGE.read_text()
