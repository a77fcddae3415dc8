"""The command line in this process: what it prints where, and the exit code it ends with."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog

from careplan_exchange.cli import run, show
from careplan_exchange.model.codec import decode
from careplan_exchange.sandbox import Sandbox, serve_in_background
from tests.support.patients import synthetic
from tests.support.policies import overlay
from tests.support.product import SYNTHETIC_TODAY, Server

NOBODY = "http://127.0.0.1:9/fhir"
"""Where nothing listens."""
UNKNOWN = "0b0c0000-0000-4000-8000-000000000000"


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return decode(self.out)

    @property
    def said(self) -> str:
        """Standard error, without the line breaks of a narrow terminal."""
        return " ".join(self.err.split())


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, no setting from outside, and nothing that a command leaves behind in the process."""
    import os

    for variable in [name for name in os.environ if name.upper().startswith("CAREPLAN_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("COLUMNS", "200")
    for console in (show.out, show.err):
        monkeypatch.setattr(console, "_width", 200)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.chdir(tmp_path)
    yield
    structlog.reset_defaults()


@pytest.fixture
def careplan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command with these arguments."""

    def careplan(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["careplan", *arguments])
        monkeypatch.setattr(sys.modules["__main__"], "__package__", "")  # what ran is `careplan`, not `-m pytest`
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        printed = capsys.readouterr()
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    return careplan


@pytest.fixture(scope="module")
def hospital() -> Iterator[Sandbox]:
    with serve_in_background() as sandbox:
        yield sandbox


@pytest.fixture
def patient(hospital: Sandbox) -> str:
    """A fresh patient on the hospital's server."""
    return Server(hospital.url).load(synthetic("02-older-adult-si-units"))


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


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid over ours."""
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", "site")
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def waiting(careplan: Any, hospital: Any, patient: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new plan that waits for a person; the review's id."""
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE__OVERLAY", str(overlay(tmp_path)))
    result = careplan("sync", "-e", hospital.url, "-p", patient, "--today", SYNTHETIC_TODAY, "--json")
    assert result.code == 6
    return str(result.json["exchange"])


def decisions(careplan: Any, review: str) -> list[dict[str, Any]]:
    links = careplan("audit", "show", review, "--json").json
    return [link["entry"]["data"] for link in links if link["entry"]["event"] == "review.decided"]
