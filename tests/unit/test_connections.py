"""What settings of an endpoint come to for the client of it."""

from pathlib import Path

import pytest

from careplan_exchange.config import Settings
from careplan_exchange.connections import connection
from careplan_exchange.fhir import Connection

URL = "https://fhir.example.org/r4"


def made(**endpoint: object) -> Connection:
    return connection(Settings.model_validate({"endpoints": {"main": {"url": URL, **endpoint}}}), "main")


def test_version_and_deadline_are_those_of_the_settings() -> None:
    found = made(fhir_version="4.3", patient_deadline_seconds=12.5, concurrency=2)
    assert (found.fhir_version, found.patient_deadline_seconds, found.concurrency) == ("4.3", 12.5, 2)
    assert (made().fhir_version, made().patient_deadline_seconds, made().concurrency) == (None, 300.0, 5)


def test_the_cap_is_shared_in_the_users_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert made().host_folder == tmp_path / "careplan-exchange"


@pytest.mark.parametrize("runtime", ["", "/nowhere/at/all"])
def test_without_one_it_is_shared_in_a_folder_of_the_users_own_among_the_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 4711)
    assert made().host_folder == tmp_path / "careplan-exchange-4711"
