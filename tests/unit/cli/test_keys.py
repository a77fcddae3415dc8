"""`keys new`, `keys jwks`, and what the doctor says of SMART Backend Services."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.fhir import read_keys
from careplan_exchange.sandbox import Fault, serve_in_background
from tests.support.smart import new_key, write_jwks, write_key

OURS = new_key("ES384")
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
@pytest.mark.parametrize("name", ["key.json", "key.pem"])
def test_a_new_key_is_written_for_its_owner_alone(careplan: Any, tmp_path: Path, alg: str, name: str) -> None:
    result = careplan("keys", "new", "--alg", alg, "--out", name)
    assert (result.code, result.err) == (0, "")
    (key,) = read_keys(tmp_path / name)
    assert (key.alg, key.private) == (alg, True)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / name).read_text().startswith("-----BEGIN" if name == "key.pem" else "{")
    assert key.kid in result.out
    assert f"careplan keys jwks {name}" in result.out


def test_a_key_is_never_written_over(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("mine")
    result = careplan("keys", "new", "--out", "key.json")
    assert (result.code, result.out) == (2, "")
    assert (tmp_path / "key.json").read_text() == "mine"
    assert careplan("keys", "new", "--out", "no/such/folder/key.json").code == 2


def test_the_jwks_of_several_files_holds_their_public_parts(careplan: Any, tmp_path: Path) -> None:
    for name in ("a.json", "b.pem"):
        assert careplan("keys", "new", "--out", name).code == 0
    result = careplan("keys", "jwks", "a.json", "b.pem")
    assert (result.code, result.err) == (0, "")
    assert [set(key) & PRIVATE for key in result.json["keys"]] == [set(), set()]
    assert json.loads((tmp_path / "a.json").read_text())["d"] not in result.out
    assert careplan("keys", "jwks", "none.json").code == 2


def endpoint(url: str, **lines: Any) -> str:
    given = {
        "url": url,
        "auth": "smart",
        "client_id": "careplan",
        "private_key_file": "key.json",
        "scopes": "system/*.cruds",
        "attempts": 1,
    } | lines
    return "[endpoints.main]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items())


@pytest.fixture
def doctor(careplan: Any, tmp_path: Path) -> Any:
    write_key(tmp_path / "key.json", OURS)

    def doctor(code: int, url: str, **lines: Any) -> dict[str, dict[str, Any]]:
        (tmp_path / "careplan.toml").write_text(endpoint(url, **lines))
        result = careplan("doctor", "--json")
        assert result.code == code, result
        assert "Traceback" not in result.err
        assert json.loads((tmp_path / "key.json").read_text()).get("d", "nothing private") not in result.out
        return {check["what"]: check for check in result.json}

    return doctor


def test_the_doctor_names_the_authentication_the_key_and_where_the_token_comes_from(
    doctor: Any, tmp_path: Path
) -> None:
    with serve_in_background(smart=write_jwks(tmp_path / "jwks.json", OURS)) as server:
        checks = doctor(0, server.url)
    token = checks["endpoint main, token"]
    assert f"signed with ES384, kid {OURS.kid}" in token["found"]
    assert f"{server.url}/auth/token gives a token for 300 seconds" in token["found"]
    assert checks["endpoint main, authentication"]["found"].startswith("SMART Backend Services")
    assert [name for name in checks if name.startswith("endpoint")] == [
        "endpoint main, token",
        "endpoint main",
        "endpoint main, authentication",
        "endpoint main, circuit",
        "endpoint main, writing",
    ]


def test_the_doctor_tells_of_keys_that_are_not_published_and_keys_that_cannot_be(
    doctor: Any, tmp_path: Path
) -> None:
    with serve_in_background(smart=write_jwks(tmp_path / "jwks.json", OURS)) as server:
        absent = doctor(0, server.url, published_key_files=["next.json"])
        (tmp_path / "next.json").write_text("no key")
        broken = doctor(2, server.url, published_key_files=["next.json"])
    assert "not there: next.json" in absent["endpoint main, token"]["found"]
    assert "next.json" in broken["endpoint main, token"]["found"]


def test_the_doctor_says_what_is_wrong_at_the_token_endpoint(doctor: Any, tmp_path: Path) -> None:
    with serve_in_background(
        smart=write_jwks(tmp_path / "jwks.json", OURS), smart_scopes="system/*.read"
    ) as server:
        scope = doctor(4, server.url)["endpoint main, token"]
        server.arm(Fault(kind="token_down"))
        down = doctor(5, server.url)["endpoint main, token"]
        write_jwks(tmp_path / "jwks.json", new_key("ES384"))
        client = doctor(4, server.url, scopes="system/*.rs")["endpoint main, token"]
    assert "invalid_scope" in scope["found"]
    assert "scopes" in scope["mend"]
    assert "token endpoint" in down["found"]
    assert "invalid_client" in client["found"]
    assert "careplan keys jwks" in client["mend"]


def test_the_doctor_says_which_scope_is_missing_where_the_token_is_given_but_reading_is_not(
    doctor: Any, tmp_path: Path
) -> None:
    with serve_in_background(smart=write_jwks(tmp_path / "jwks.json", OURS)) as server:
        checks = doctor(4, server.url, scopes="system/Goal.rs")
    assert checks["endpoint main, token"]["ok"]
    assert "403" in checks["endpoint main, authentication"]["found"]


def test_the_doctor_names_a_key_file_that_cannot_be_used(doctor: Any) -> None:
    checks = doctor(2, "http://127.0.0.1:9/fhir", private_key_file="none.json")
    assert "none.json" in checks["endpoint main"]["found"]
    checks = doctor(2, "http://fhir.example.org/r4")
    assert "https" in checks["endpoint main"]["found"]
