"""The container files against what the service really reads. No engine is needed: the files are parsed, the settings
they give are loaded, the health check and the wheel build are run here."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from careplan_exchange import config, connections
from careplan_exchange.api import ApiAuth, check_binding
from tests.support.product import careplan
from tests.support.shared import ROOT

DOCKER = ROOT / "docker"
COMPOSE = sorted(DOCKER.glob("compose.*.yaml"))
SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN", "API_KEY")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), continuation lines joined."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def final_stage() -> list[tuple[str, str]]:
    steps = instructions()
    last = max(number for number, (name, _) in enumerate(steps) if name == "FROM")
    return steps[last:]


def image_environment() -> dict[str, str]:
    words = [word for name, arguments in final_stage() if name == "ENV" for word in shlex.split(arguments)]
    return dict(word.split("=", 1) for word in words)


def compose(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def ours(path: Path) -> dict[str, Any]:
    """The one service of a compose file that is built here."""
    (found,) = [one for one in compose(path)["services"].values() if "build" in one]
    return found


@pytest.fixture(params=COMPOSE, ids=lambda path: path.stem)
def compose_file(request) -> Path:
    return request.param


@pytest.fixture
def settings(compose_file: Path, tmp_path: Path, monkeypatch) -> config.Settings:
    """The settings as the service would load them in this container, with its secrets in a folder of the test."""
    for name in [name for name in os.environ if name.startswith("CAREPLAN_")]:
        monkeypatch.delenv(name)
    for name in compose(compose_file).get("secrets", {}):
        (tmp_path / name).write_text(f"secret-of-{name}-0123456789\n")
    service = ours(compose_file)
    variables = image_environment() | service["environment"]
    for name, value in variables.items():
        if name.startswith("CAREPLAN_"):
            given = "a-key-of-a-developer" if value.startswith("${") else value
            monkeypatch.setenv(name, given.replace("/run/secrets", str(tmp_path)))
    file = tmp_path / "careplan.toml"
    if any("careplan.toml" in volume for volume in service.get("volumes", [])):
        text = (DOCKER / "careplan.example.toml").read_text()
        file.write_text(text.replace("/run/secrets", str(tmp_path)))
    else:
        file.write_text("")
    return config.load(file)


def test_there_is_one_compose_file_for_development_and_one_for_production():
    assert [path.stem for path in COMPOSE] == ["compose.dev", "compose.prod"]


def test_every_base_image_is_slim_and_of_a_named_version():
    bases = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
    assert len(bases) == 2
    for base in bases:
        assert base == "python:3.12-slim-bookworm"


def test_the_container_runs_as_a_numbered_user_that_is_not_root():
    (user,) = [arguments for name, arguments in final_stage() if name == "USER"]
    assert all(part.isdecimal() and int(part) > 0 for part in user.split(":"))
    created = " ".join(arguments for name, arguments in final_stage() if name == "RUN")
    assert f"--uid {user.split(':')[0]} " in created


def test_dependencies_come_from_the_lock_with_their_hashes():
    installs = [
        arguments for name, arguments in instructions() if name == "RUN" and "requirements.lock" in arguments
    ]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--no-deps" in installs[0]
    assert "--hash=sha256:" in (ROOT / "requirements.lock").read_text()
    assert not any("pip" in arguments for name, arguments in final_stage() if name == "RUN")


def test_the_commands_are_ones_that_the_product_has(tmp_path):
    steps = dict(final_stage())
    assert json.loads(steps["ENTRYPOINT"]) == ["careplan"]
    assert careplan(tmp_path, *json.loads(steps["CMD"]), "--help").returncode == 0
    # The head of compose.prod.yaml has this one bring the database up to the version.
    assert "--migrate" in careplan(tmp_path, "doctor", "--help").stdout


def test_no_secret_is_built_into_the_image():
    for name, arguments in instructions():
        if name in {"ENV", "ARG"}:
            assert not any(word in arguments.upper() for word in SECRET_WORDS), arguments
    for name, arguments in final_stage():
        assert name not in {"COPY", "ADD"} or arguments.startswith("--from=build"), arguments


def copied() -> list[str]:
    words = [arguments.split() for name, arguments in instructions() if name == "COPY"]
    return [source for line in words if not line[0].startswith("--from") for source in line[:-1]]


def test_what_the_image_copies_exists_and_is_let_through_by_dockerignore():
    rules = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    for source in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source.removeprefix('./')}" in rules, source
    assert not any(word in rule for rule in rules if rule.startswith("!") for word in ("tests", "docker", ".git"))


def test_the_copied_files_are_enough_to_build_the_wheel_with_its_knowledge(tmp_path):
    pytest.importorskip("hatchling", reason="the build backend is installed by `make`")
    for source in copied():
        target = tmp_path / "build" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheels")]
    result = subprocess.run(build, cwd=tmp_path / "build", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = (tmp_path / "wheels").glob("careplan_exchange-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("mappings", "profiles", "protocols"):
        assert any(name.startswith(f"careplan_exchange/_knowledge/{folder}/") for name in names), folder
    assert "careplan_exchange/api/app.py" in names


class _Health(BaseHTTPRequestHandler):
    status = 200
    asked: list[str] = []  # noqa: RUF012 - shared by the handlers of this one server

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing on the screen."""


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_the_live_route_and_tells_well_from_ill(status, code):
    (check,) = [arguments for name, arguments in final_stage() if name == "HEALTHCHECK"]
    python, *arguments = json.loads(check[check.index("[") :])
    assert python == "python"
    _Health.status = status
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = os.environ | {"CAREPLAN_SERVER__PORT": str(server.server_port)}
        result = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
        server.shutdown()
    assert result.returncode == code, result.stderr
    assert _Health.asked.pop() == "/health/live"
    assert image_environment()["CAREPLAN_SERVER__PORT"].isdecimal()


def test_the_image_alone_keeps_its_data_in_its_volume_and_listens_on_loopback(tmp_path, monkeypatch):
    for name, value in image_environment().items():
        if name.startswith("CAREPLAN_"):
            monkeypatch.setenv(name, value)
    loaded = config.load(_empty(tmp_path))
    (volume,) = json.loads(dict(final_stage())["VOLUME"])
    assert loaded.store.url == f"sqlite:///{volume}/careplan.db"
    assert loaded.server.host == "127.0.0.1"
    assert dict(final_stage())["EXPOSE"] == str(loaded.server.port)


def _empty(folder: Path) -> Path:
    file = folder / "careplan.toml"
    file.write_text("")
    return file


def test_every_variable_of_the_service_is_a_setting_and_the_service_may_start_with_them(settings, compose_file):
    assert settings.server.host == "0.0.0.0"
    key = connections.api_key(settings)
    assert key
    check_binding(settings.server.host, ApiAuth(api_key=key))
    published = [str(port).split(":")[-1] for port in ours(compose_file)["ports"]]
    assert published == [str(settings.server.port)]


def test_the_store_is_the_postgresql_of_the_same_file(settings, compose_file):
    database = urlsplit(settings.store.url)
    postgres = compose(compose_file)["services"][database.hostname]
    assert postgres["image"].startswith("postgres:15")
    assert database.username == postgres["environment"]["POSTGRES_USER"]
    assert database.path == f"/{postgres['environment']['POSTGRES_DB']}"
    assert database.password is None
    assert (connections.store_password(settings) is None) == (
        "POSTGRES_HOST_AUTH_METHOD" in postgres["environment"]
    )


def test_the_endpoints_can_be_connected_and_the_companion_is_in_the_same_file(settings, compose_file):
    services = compose(compose_file)["services"]
    hosts = {urlsplit(str(endpoint.url)).hostname for endpoint in settings.endpoints.values()}
    inside = {host for host in hosts if "." not in host}
    assert inside == {"hapi"}
    assert services["hapi"]["image"].startswith("hapiproject/hapi:v")
    for name in settings.endpoints:
        assert connections.connection(settings, name).base_url


def test_the_settings_example_uses_real_keys_only():
    loaded = config.Settings(**tomllib.loads((DOCKER / "careplan.example.toml").read_text()))
    assert set(loaded.endpoints) == {"hospital", "companion"}


def test_every_secret_that_is_read_is_given_to_the_container_and_comes_from_a_file(compose_file):
    document = compose(compose_file)
    given = document.get("secrets", {})
    assert all(set(secret) == {"file"} for secret in given.values())
    for service in document["services"].values():
        mounted = [one if isinstance(one, str) else one["source"] for one in service.get("secrets", [])]
        assert set(mounted) <= set(given)
        read = [value for value in service["environment"].values() if str(value).startswith("/run/secrets/")]
        assert {Path(path).name for path in read} <= set(mounted)
    if given:
        example = (DOCKER / "careplan.example.toml").read_text()
        paths = [endpoint.token_file for endpoint in config.Settings(**tomllib.loads(example)).endpoints.values()]
        assert {path.name for path in paths if path} <= set(ours(compose_file)["secrets"])
    assert "secrets/" in (DOCKER / ".gitignore").read_text().splitlines()


def test_no_password_stands_in_a_compose_file(compose_file):
    for service in compose(compose_file)["services"].values():
        for name, value in service["environment"].items():
            if any(word in name for word in SECRET_WORDS):
                assert value.startswith(("/run/secrets/", "${")), name
                assert ":-" not in value, f"{name} has a default"
        assert "env_file" not in service


def test_every_image_is_of_a_named_version_and_every_mount_exists(compose_file):
    for name, service in compose(compose_file)["services"].items():
        tag = service.get("image", ":built").partition(":")[2]
        assert tag not in {"", "latest"}, name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and source != "./careplan.toml":
                assert (DOCKER / source).exists(), source
            if not source.startswith("."):
                assert source in compose(compose_file)["volumes"]


def test_what_is_waited_for_says_when_it_is_well(compose_file):
    services = compose(compose_file)["services"]
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[other]


def test_in_development_every_port_stays_on_this_machine():
    for service in compose(DOCKER / "compose.dev.yaml")["services"].values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


def test_in_production_containers_are_hardened_limited_and_closed_but_for_the_service():
    document = compose(DOCKER / "compose.prod.yaml")
    for name, service in document["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"], name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert not service.get("privileged"), name
        assert bool(service.get("ports")) == (name == "service")
    assert document["networks"]["inside"]["internal"] is True
    for name in ("postgres", "hapi"):
        assert document["services"][name]["networks"] == ["inside"]


def test_the_container_has_time_to_stop_in_order():
    from careplan_exchange.api.server import REQUEST_GRACE_SECONDS
    from careplan_exchange.jobs.runner import GRACE_SECONDS

    given = compose(DOCKER / "compose.prod.yaml")["services"]["service"]["stop_grace_period"]
    assert int(given.removesuffix("s")) > REQUEST_GRACE_SECONDS + GRACE_SECONDS


def test_shell_scripts_parse():
    for script in DOCKER.rglob("*.sh"):
        assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed; the checks above stand in")
def test_hadolint_has_no_complaint():
    result = subprocess.run([HADOLINT, str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def _compose_command() -> list[str] | None:
    docker = shutil.which("docker")
    if (
        docker
        and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
    ):
        return [docker, "compose"]
    return None


@pytest.mark.skipif(_compose_command() is None, reason="there is no `docker compose`; the checks above stand in")
def test_docker_compose_reads_the_files(compose_file, tmp_path):
    copy = shutil.copytree(DOCKER, tmp_path / "docker")
    (copy / "careplan.toml").write_text("")
    command = [*(_compose_command() or []), "-f", str(copy / compose_file.name), "config", "--quiet"]
    result = subprocess.run(
        command, env=os.environ | {"DEV_API_KEY": "x"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
