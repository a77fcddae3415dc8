"""`init`, `doctor`, `knowledge check`, and which of two settings counts."""

import asyncio
import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange import config, knowledge
from careplan_exchange.bootstrap import RandomIds
from careplan_exchange.errors import EndpointOverloadedError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.model.codec import decode
from careplan_exchange.sandbox import serve_in_background
from tests.support.oddserver import METADATA, odd_server
from tests.unit.store.migrating import LATER, later_code

FHIR = "application/fhir+json"
NOBODY = "http://127.0.0.1:9/fhir"


# --- init


def test_init_writes_a_file_that_loads_with_the_defaults_and_the_given_url(careplan: Any, tmp_path: Path) -> None:
    result = careplan("init", "--endpoint", "https://fhir.example.org/r4")
    assert (result.code, result.err) == (0, "")
    assert "careplan doctor" in result.out
    settings = config.load(tmp_path / "careplan.toml")
    endpoint = config.Endpoint(url="https://fhir.example.org/r4")  # type: ignore[arg-type]
    assert settings == config.Settings(endpoints={"hospital": endpoint})


def test_init_writes_over_a_file_only_when_told_to(careplan: Any, tmp_path: Path) -> None:
    file = tmp_path / "careplan.toml"
    file.write_text("# mine\n")
    refused = careplan("init")
    assert (refused.code, refused.out) == (2, "")
    assert "careplan.toml is there already" in refused.said
    assert "--force" in refused.said
    assert file.read_text() == "# mine\n"
    assert careplan("init", "--force").code == 0
    assert "hospital" in config.load(file).endpoints


@pytest.mark.parametrize(
    "url", ["fhir.example.org/r4", "ftp://fhir.example.org", "https://user:secret@fhir.example.org"]
)
def test_init_refuses_a_url_that_cannot_be_used(careplan: Any, tmp_path: Path, url: str) -> None:
    result = careplan("init", "--endpoint", url)
    assert (result.code, result.out) == (2, "")
    assert "secret" not in result.err
    assert list(tmp_path.iterdir()) == []


def test_init_names_a_place_where_it_cannot_write(careplan: Any, tmp_path: Path) -> None:
    result = careplan("init", "--file", "no/such/folder/careplan.toml")
    assert (result.code, result.out) == (2, "")
    assert "no/such/folder/careplan.toml cannot be written" in result.said


# --- which setting counts


def test_the_environment_counts_more_than_the_file_and_an_option_more_than_both(
    careplan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_by(*options: str) -> set[str]:
        assert careplan(*options, "audit", "list").code == 0
        made = {path.stem for path in tmp_path.glob("*.db")}
        for path in tmp_path.glob("*.db"):
            path.unlink()
        return made

    assert made_by() == {"careplan"}
    (tmp_path / "careplan.toml").write_text('[store]\nurl = "sqlite:///file.db"\n')
    assert made_by() == {"file"}
    monkeypatch.setenv("CAREPLAN_STORE__URL", "sqlite:///environment.db")
    assert made_by() == {"environment"}
    assert made_by("--store", "sqlite:///option.db") == {"option"}


def test_the_log_level_follows_the_same_order(
    careplan: Any, tmp_path: Path, hospital: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def logs(*options: str) -> bool:
        result = careplan(*options, "plan", "-e", hospital.url, "-p", "unknown")
        assert result.code == 3
        return "fhir.request" in result.err

    assert not logs()
    (tmp_path / "careplan.toml").write_text('log_level = "DEBUG"\n')
    assert logs()
    monkeypatch.setenv("CAREPLAN_LOG_LEVEL", "ERROR")
    assert not logs()
    assert logs("--log-level", "debug")


def test_a_variable_changes_one_setting_of_a_section_and_leaves_the_file_s_others(
    careplan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    async def run(services: Any, *, host: str, port: int, **_: Any) -> None:
        asked.append((host, port))

    monkeypatch.setattr("careplan_exchange.api.run", run)
    (tmp_path / "careplan.toml").write_text('[server]\nhost = "127.0.0.2"\nport = 8001\n')
    for options in ((), ("--port", "0"), ("--host", "127.0.0.4")):
        assert careplan("serve", *options).code == 0
    monkeypatch.setenv("CAREPLAN_SERVER__PORT", "8003")
    assert careplan("serve").code == 0
    assert careplan("serve", "--port", "8005").code == 0
    assert asked == [
        ("127.0.0.2", 8001),
        ("127.0.0.2", 0),
        ("127.0.0.4", 8001),
        ("127.0.0.2", 8003),
        ("127.0.0.2", 8005),
    ]


def test_a_settings_file_that_is_named_is_read_instead_of_the_one_that_lies_there(
    careplan: Any, tmp_path: Path
) -> None:
    (tmp_path / "careplan.toml").write_text("this is no TOML")
    (tmp_path / "other.toml").write_text('[store]\nurl = "sqlite:///other.db"\n')
    assert careplan("audit", "list").code == 2
    assert careplan("--config", "other.toml", "audit", "list").code == 0
    assert (tmp_path / "other.db").exists()


def test_a_log_level_that_does_not_exist_is_a_matter_of_usage(careplan: Any) -> None:
    result = careplan("--log-level", "loud", "audit", "list")
    assert (result.code, result.out) == (2, "")
    assert "WARNING" in result.said


# --- doctor


@pytest.fixture
def doctor(careplan: Any, tmp_path: Path) -> Any:
    """Run the doctor over these endpoints; its checks by name, each with its exit code."""

    def doctor(code: int, *options: str, **endpoints: str) -> dict[str, dict[str, Any]]:
        text = "".join(f"[endpoints.{name}]\nattempts = 1\n{lines}\n" for name, lines in endpoints.items())
        (tmp_path / "careplan.toml").write_text(text)
        result = careplan("doctor", "--json", *options)
        assert "Traceback" not in result.err
        assert result.code == code, result
        checks = {check["what"]: check for check in result.json}
        assert len(checks) == len(result.json), "two checks of one name"
        for check in checks.values():
            assert check["ok"] == (check["exit_code"] == 0) or check["what"] == "python"
            assert check["ok"] or check["mend"], "what is wrong has a mend"
        return checks

    return doctor


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


def test_the_doctor_finds_a_database_that_is_newer_than_the_code(
    careplan: Any, doctor: Any, tmp_path: Path
) -> None:
    assert careplan("audit", "list").code == 0
    with closing(sqlite3.connect(tmp_path / "careplan.db")) as database:
        database.execute("UPDATE careplan_version SET version_num = 'later'")
        database.commit()
    checks = doctor(2)
    assert "version" in checks["database"]["found"]
    assert checks["knowledge"]["ok"], "it goes on to what else there is"


@pytest.mark.parametrize("options", [(), ("--migrate",)])
def test_the_doctor_brings_an_older_database_up_with_a_copy_beside_it(
    careplan: Any, doctor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    assert careplan("audit", "list").code == 0
    (tmp_path / "later").mkdir()
    later_code(monkeypatch, tmp_path / "later")
    assert doctor(0, *options)["database"]["ok"]
    with closing(sqlite3.connect(tmp_path / "careplan.db")) as database:
        assert database.execute("SELECT version_num FROM careplan_version").fetchall() == [(LATER,)]
    assert (tmp_path / f"careplan.db.before-{LATER}").exists()


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("no/folder/careplan.db", "no folder to stand in"),
        ("folder", "is a folder"),
        ("text", "not a SQLite database"),
    ],
)
def test_the_doctor_names_a_place_where_no_database_can_be(
    doctor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, says: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("this is no database " * 100)
    monkeypatch.setenv("CAREPLAN_STORE__URL", f"sqlite:///{place}")
    assert says in doctor(2)["database"]["found"]


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Any]:
    """Rights do not bind root: call it, and until the test ends we are somebody else."""

    def become() -> None:
        for folder in (tmp_path, *tmp_path.parents):
            if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
                folder.chmod(0o755)
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)

    root = os.geteuid() == 0
    yield become if root else lambda: None
    if root:
        os.seteuid(0)


def test_the_doctor_finds_a_database_that_may_not_be_written(doctor: Any, tmp_path: Path, as_nobody: Any) -> None:
    assert doctor(0)["database"]["ok"]
    as_nobody()
    (tmp_path / "careplan.db").chmod(0o400)
    checks = doctor(2)
    assert "may not be opened" in checks["database"]["found"]
    assert "right to write" in checks["database"]["mend"]


def test_the_doctor_finds_a_ledger_that_does_not_hold(careplan: Any, doctor: Any, tmp_path: Path) -> None:
    assert careplan("sync", "-e", "gone", "-p", "1").code == 2
    doctor(5, gone=f'url = "{NOBODY}"')
    assert careplan("sync", "-e", "gone", "-p", "1").code == 5
    with closing(sqlite3.connect(tmp_path / "careplan.db")) as database:
        database.execute("DROP TRIGGER careplan_ledger_no_update")
        database.execute(
            "UPDATE careplan_ledger SET entry = replace(entry, 'exchange.failed', 'exchange.finished')"
        )
        database.commit()
    checks = doctor(6, gone=f'url = "{NOBODY}"')
    assert checks["database"]["exit_code"] == 6
    assert "careplan audit verify" in checks["database"]["mend"]


def test_the_doctor_finds_knowledge_that_does_not_hold_together(
    doctor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site" / "mappings").mkdir(parents=True)
    (tmp_path / "site" / "mappings" / "units.yaml").write_text("units: [\n")
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", "site")
    checks = doctor(2)
    assert "mappings/units.yaml" in checks["knowledge"]["found"]
    assert checks["database"]["ok"]


def test_the_doctor_does_not_begin_with_settings_that_cannot_be_read(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "careplan.toml").write_text('[endpoint.main]\nurl = "x"\n')
    result = careplan("doctor", "--json")
    assert (result.code, result.out) == (2, "")
    assert "Did you mean 'endpoints'?" in result.said


# --- knowledge check


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid over ours."""
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", "site")
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def laid_over(site: Path, name: str, old: str, new: str) -> int:
    """Lay a copy of ours with one place changed over it; the line of that place."""
    text = (knowledge.root() / name).read_text()
    assert old in text
    (site / name).parent.mkdir(parents=True)
    (site / name).write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_knowledge_that_holds_together_is_said_to(careplan: Any, site: Path) -> None:
    result = careplan("knowledge", "check")
    assert (result.code, result.err) == (0, "")
    assert "hold together" in result.out


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("protocols/t2dm/plan.yaml", "hba1c < 7", "hba1cc < 7"),
        ("mappings/units.yaml", "systolic_bp", "systolic_pb"),
        ("profiles/concepts/measurements.yaml", "id: hba1c", "idd: hba1c"),
    ],
)
def test_a_site_s_error_is_named_with_file_line_and_mend(
    careplan: Any, site: Path, name: str, right: str, wrong: str
) -> None:
    line = laid_over(site, name, right, wrong)
    result = careplan("knowledge", "check")
    assert (result.code, result.err) == (2, "")
    assert f"{name}:{line}: " in result.out
    findings = careplan("knowledge", "check", "--json").json
    assert result.out.count("  mend: ") == len(findings)
    (there,) = (one for one in findings if (one["file"], one["line"]) == (name, line))
    assert re.split(r"\W", wrong)[0] in there["message"]
    assert there["mend"]


def test_a_site_s_file_that_is_no_yaml_is_named_with_its_line(careplan: Any, site: Path) -> None:
    (site / "protocols" / "new").mkdir(parents=True)
    (site / "protocols" / "new" / "plan.yaml").write_text(
        "resourceType: PlanDefinition\nstatus: draft\nstatus: [\n"
    )
    result = careplan("knowledge", "check")
    assert (result.code, result.err) == (2, "")
    assert "protocols/new/plan.yaml:" in result.out
    assert "mend: " in result.out
    (finding,) = careplan("knowledge", "check", "--json").json
    assert finding["line"] >= 3


def test_a_site_s_folder_that_is_not_there_is_a_matter_of_settings(careplan: Any, site: Path) -> None:
    shutil.rmtree(site)
    result = careplan("knowledge", "check")
    assert (result.code, result.out) == (2, "")
    assert "overlay" in result.said


def test_a_review_that_is_due_is_judged_as_of_the_day_that_is_given(careplan: Any, site: Path) -> None:
    assert careplan("knowledge", "check", "--today", "2028-12-31").code == 0
    result = careplan("knowledge", "check", "--today", "2029-01-01")
    assert (result.code, result.err) == (2, "")
    assert "was to be reviewed by 2028-12-31" in result.out
    assert re.search(r"\d+ finding\(s\) in \d+ file\(s\)\.$", result.out.strip())
    refused = careplan("knowledge", "check", "--today", "tomorrow")
    assert (refused.code, refused.out) == (2, "")
    assert "YYYY-MM-DD" in refused.said


def test_files_that_are_no_yaml_are_all_named_and_nothing_is_said_of_the_rest(careplan: Any, site: Path) -> None:
    for name in ("mappings/units.yaml", "profiles/concepts/conditions.yaml"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("units: [\n")
    findings = careplan("knowledge", "check", "--json").json
    assert [finding["file"] for finding in findings] == [
        "mappings/units.yaml",
        "profiles/concepts/conditions.yaml",
    ]


# --- knowledge export and describe


def test_the_guide_is_written_into_a_new_folder_and_never_over_another(careplan: Any, tmp_path: Path) -> None:
    result = careplan("knowledge", "export", "--to", "made/guide")
    assert (result.code, result.err) == (0, "")
    written = {
        path.relative_to(tmp_path / "made/guide").as_posix() for path in (tmp_path / "made/guide").rglob("*.json")
    }
    assert {
        "load.json",
        "StructureDefinition-careplan-hba1c.json",
        "ValueSet-careplan-hba1c.json",
        "ConceptMap-careplan-conditions.json",
        "CapabilityStatement-careplan-server.json",
        "examples/Observation-careplan-example-hba1c.json",
        "fragments/CodeSystem-loinc.json",
    } <= written
    assert f"Wrote {len(written)} files" in result.out
    profile = decode((tmp_path / "made/guide/StructureDefinition-careplan-hba1c.json").read_bytes())
    assert profile["snapshot"]["element"]
    refused = careplan("knowledge", "export", "--to", "made/guide")
    assert (refused.code, refused.out) == (2, "")
    assert "--force" in refused.said
    assert careplan("knowledge", "export", "--to", "made/guide", "--force").code == 0


def test_the_guide_names_a_place_where_it_cannot_be_written(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = careplan("knowledge", "export", "--to", "file/guide")
    assert (result.code, result.out) == (2, "")
    assert "cannot be written" in result.said


def test_the_site_s_own_concepts_are_described_too(careplan: Any, site: Path) -> None:
    laid_over(site, "profiles/concepts/measurements.yaml", "title: Potassium", "title: Kalium")
    result = careplan("knowledge", "describe")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("# Internal profiles")
    assert "Kalium" in result.out
