"""The log: where it goes, what it lets through, and that every event in it has a constant that is used."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import careplan_exchange
from careplan_exchange import logs

Configure = Callable[..., io.StringIO]
PACKAGE = Path(careplan_exchange.__file__).parent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configure the log as a command does; returns what stands for standard error."""

    def configure(level: str = "WARNING", *, stream: io.StringIO | None = None, **options: Any) -> io.StringIO:
        written = stream or io.StringIO()
        monkeypatch.setattr("sys.stderr", written)
        logs.configure(level, **options)
        return written

    yield configure
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_time_and_level(configured: Configure) -> None:
    stream = configured("INFO")
    logs.get_logger().info(logs.EXCHANGE_FINISHED, outcome="written", count=3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "exchange.finished", "level": "info", "outcome": "written", "count": 3}


def test_nothing_goes_to_standard_output(configured: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configured("DEBUG")
    logs.get_logger().error(logs.EXCHANGE_FAILED, error="record")
    assert capsys.readouterr().out == ""


def test_at_a_terminal_a_person_gets_lines_and_elsewhere_json(configured: Configure) -> None:
    terminal = configured("INFO", stream=Terminal())
    logs.get_logger().info(logs.API_STARTED, port=8000)
    assert not terminal.getvalue().startswith("{")
    assert logs.API_STARTED in terminal.getvalue()
    decided = configured("INFO", stream=Terminal(), json=True)
    logs.get_logger().info(logs.API_STARTED, port=8000)
    assert lines(decided)[0]["port"] == 8000


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
        ("no such level", ["warning", "error"]),
    ],
)
def test_the_level_is_kept(configured: Configure, level: str, said: list[str]) -> None:
    stream = configured(level)
    log = logs.get_logger()
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)(logs.FHIR_REQUEST)
    assert [line["level"] for line in lines(stream)] == said


@pytest.mark.parametrize("key", ["name", "birth_date", "url", "value", "detail", "body", "token", "params"])
def test_a_key_that_is_not_listed_is_withheld_and_the_line_says_so(configured: Configure, key: str) -> None:
    stream = configured("INFO")
    logs.get_logger().info(logs.FHIR_REQUEST, status=200, **{key: "Ada Lovelace"})
    (line,) = lines(stream)
    assert "Ada" not in stream.getvalue()
    assert line["status"] == 200
    assert line["reason"] == "1 unlisted key(s) withheld"


def test_a_bound_key_is_withheld_like_any_other(configured: Configure) -> None:
    stream = configured("INFO")
    logs.get_logger().bind(name="Ada").info(logs.FHIR_REQUEST)
    with structlog.contextvars.bound_contextvars(family="Lovelace"):
        logs.get_logger().info(logs.FHIR_REQUEST)
    assert "Ada" not in stream.getvalue()
    assert "Lovelace" not in stream.getvalue()


def test_the_loggers_of_libraries_stay_quiet(configured: Configure) -> None:
    stream = configured("DEBUG")
    for library in ("httpx", "httpcore", "sqlalchemy.engine", "uvicorn.access"):
        logging.getLogger(library).info("GET /Patient?name=Ada")
    assert stream.getvalue() == ""


def test_a_hash_is_stable_short_and_tells_values_apart() -> None:
    assert logs.hashed("Patient/1") == logs.hashed("Patient/1")
    assert logs.hashed("Patient/1") != logs.hashed("Patient/2")
    assert len(logs.hashed("Patient/1")) == 12
    assert "Patient" not in logs.hashed("Patient/1")


def test_every_event_has_a_dotted_name_of_its_own_and_is_used() -> None:
    events = {name: value for name, value in vars(logs).items() if name.isupper() and isinstance(value, str)}
    assert len(set(events.values())) == len(events)
    code = "".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "logs.py")
    for name, value in events.items():
        assert "." in value
        assert name in code, f"{name} is never logged"
