"""`init`, which of two settings counts, and `doctor` on what is here: settings, database, ledger, knowledge."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import config
from tests.unit.store.migrating import LATER, later_code

from .conftest import NOBODY

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
