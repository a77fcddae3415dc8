"""The wheel: what is in it, what is not, and that it works where there is no checkout."""

import configparser
import email
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.support.product import environment
from tests.support.shared import ROOT

KNOWLEDGE = ("mappings", "profiles", "protocols")
PACKAGE = ROOT / "service" / "careplan_exchange"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the build backend is installed by `make`")
    folder = tmp_path_factory.mktemp("wheels")
    result = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env=environment({"PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (built,) = folder.glob("careplan_exchange-*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        found = archive.namelist()
    assert len(found) == len(set(found)), "a file stands twice in the wheel"
    return set(found)


def files(folder: Path) -> Iterator[str]:
    """What lies below a folder of the checkout, without what Python or an editor leaves there."""
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in relative.parts):
            yield relative.as_posix()


def test_every_file_of_the_package_is_in_the_wheel(names: set[str]) -> None:
    wanted = {f"careplan_exchange/{name}" for name in files(PACKAGE)}
    assert wanted <= names
    for one in (
        "py.typed",
        "review/templates/plan.html",
        "store/migrations/env.py",
        "store/migrations/versions/r0001_first_tables.py",
        "sandbox/patients/02-older-adult-si-units.json",
        "sandbox/rules/R5.json",
    ):
        assert f"careplan_exchange/{one}" in names


@pytest.mark.parametrize("folder", KNOWLEDGE)
def test_the_knowledge_is_in_the_wheel_as_it_is_in_the_checkout(
    wheel: Path, names: set[str], folder: str
) -> None:
    packaged = f"careplan_exchange/_knowledge/{folder}/"
    ours = set(files(ROOT / folder))
    assert any(name.endswith(".yaml") for name in ours)
    assert {name.removeprefix(packaged) for name in names if name.startswith(packaged)} == ours
    with zipfile.ZipFile(wheel) as archive:
        for name in ours:
            assert archive.read(packaged + name) == (ROOT / folder / name).read_bytes()


def test_nothing_else_is_in_the_wheel(names: set[str]) -> None:
    tops = {PurePosixPath(name).parts[0] for name in names}
    (info,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"careplan_exchange", info}
    inside = {PurePosixPath(name).parts[1] for name in names if name.startswith("careplan_exchange/")}
    assert not {"tests", "bench", "docs", "docker"} & inside
    leftovers = (".pyc", ".db", ".db-wal", ".toml", ".key", ".pem")
    assert [name for name in names if name.endswith(leftovers)] == []


def test_the_wheel_says_what_it_is_and_what_command_it_brings(wheel: Path, names: set[str]) -> None:
    (info,) = {name.split("/", maxsplit=1)[0] for name in names if ".dist-info/" in name}
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        commands = configparser.ConfigParser()
        commands.read_string(archive.read(f"{info}/entry_points.txt").decode())
    assert dict(commands["console_scripts"]) == {"careplan": "careplan_exchange.__main__:main"}
    assert (metadata["Name"], metadata["License-Expression"]) == ("careplan-exchange", "Apache-2.0")
    assert f"{info}/licenses/LICENSE" in names
    required = set()
    for line in metadata.get_all("Requires-Dist", ()):
        name = re.match(r"[\w.-]+", line)
        assert name is not None, line
        required.add(name[0].lower().replace(".", "-"))
    assert {"fhir-resources", "fastapi", "httpx", "tenacity", "structlog"} <= required
    assert not {"pytest", "respx", "hypothesis", "ruff", "mypy", "hatchling"} & required


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed into a folder, away from the checkout; what it depends on stays where it is."""
    place = tmp_path_factory.mktemp("installed")
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"),
            *("--no-deps", "--no-compile", "--target", str(place), str(wheel)),
        ],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return place


def careplan(installed: Path, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(installed / "bin" / "careplan"), *arguments],
        cwd=folder,
        env=environment({"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_installed_away_from_the_checkout_its_own_knowledge_holds_together(
    installed: Path, tmp_path: Path
) -> None:
    script = "from careplan_exchange import knowledge; print(knowledge.root())"
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == installed / "careplan_exchange" / "_knowledge"
    checked = careplan(installed, tmp_path, "knowledge", "check")
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
    assert "hold together" in checked.stdout


def test_installed_away_from_the_checkout_it_makes_its_database_and_shows_its_help(
    installed: Path, tmp_path: Path
) -> None:
    helped = careplan(installed, tmp_path, "--help")
    assert (helped.returncode, "Usage: careplan" in helped.stdout) == (0, True)
    doctor = careplan(installed, tmp_path, "doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert (tmp_path / "careplan.db").exists()
    verified = careplan(installed, tmp_path, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
