"""Settings: what stands over what, what is refused, and what is never shown."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import AnyHttpUrl, BaseModel

from careplan_exchange import config
from careplan_exchange.cli.template import settings_file
from careplan_exchange.config import endpoint_named, load, secret
from careplan_exchange.errors import SettingsError

SECRET = "the-secret-itself"
SECTIONS: dict[str, type[BaseModel]] = {
    "store": config.Store,
    "server": config.Server,
    "audit": config.Audit,
    "knowledge": config.Knowledge,
    "ledger": config.Ledger,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and no setting from outside."""
    monkeypatch.chdir(tmp_path)
    for variable in config.os.environ:
        if variable.upper().startswith("CAREPLAN_"):
            monkeypatch.delenv(variable)
    return tmp_path


def toml(folder: Path, text: str, name: str = "careplan.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(*said: str, file: Path | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(file)
    error = caught.value
    assert error.exit_code == 2
    assert error.mend
    for words in said:
        assert words in error.detail
    return error


# --- what stands over what --------------------------------------------------------------------------------------


def test_without_a_file_and_a_variable_everything_has_a_safe_default() -> None:
    settings = load()
    assert settings.server.host == "127.0.0.1"
    assert settings.log_level == "WARNING"
    assert dict(settings.endpoints) == {}


def test_the_file_in_the_folder_is_read(folder: Path) -> None:
    toml(folder, "[server]\nport = 9001\n")
    assert load().server.port == 9001


def test_a_named_file_is_read_instead(folder: Path) -> None:
    toml(folder, "[server]\nport = 9001\n")
    assert load(toml(folder, "[server]\nport = 9002\n", "other.toml")).server.port == 9002


def test_a_variable_stands_over_the_file_and_the_rest_of_the_section_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(folder, '[server]\nport = 9001\nhost = "127.0.0.2"\n[knowledge]\noverlay = "site"\n')
    monkeypatch.setenv("CAREPLAN_SERVER__PORT", "9003")
    settings = load()
    assert (settings.server.port, settings.server.host) == (9003, "127.0.0.2")
    assert settings.knowledge.overlay == Path("site")


def test_a_variable_completes_an_endpoint_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml(folder, '[endpoints.hospital]\nurl = "https://fhir.example.org/r4"\ntimeout_seconds = 7\n')
    monkeypatch.setenv("CAREPLAN_ENDPOINTS__HOSPITAL__URL", "https://other.example.org/r4")
    endpoint = load().endpoints["hospital"]
    assert (str(endpoint.url), endpoint.timeout_seconds) == ("https://other.example.org/r4", 7)


def test_a_section_may_come_as_json_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREPLAN_KNOWLEDGE", '{"overlay": "site"}')
    assert load().knowledge.overlay == Path("site")


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "DEBUG"
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[knowlege]\noverlay = "x"', ("'knowlege'", "'knowledge'")),
        ('[policy]\nnew_plans = "draft"', ("'policy'", "protocols/review/policy.yaml")),
        ("[server]\nprot = 1", ("'server.prot'", "'port'")),
        ('[store]\nulr = "x"', ("'store.ulr'", "'url'")),
        ('[knowledge]\noverly = "x"', ("'knowledge.overly'", "'overlay'")),
        ('[endpoints.a]\nurl = "https://x.org"\ntimeout = 3', ("'endpoints.a.timeout'", "'timeout_seconds'")),
        ('loglevel = "INFO"', ("'loglevel'", "'log_level'")),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_one(folder: Path, text: str, said: tuple[str, ...]) -> None:
    toml(folder, text)
    assert "careplan.toml" in refused("is not a setting", *said).mend


def test_a_key_like_no_other_is_refused_without_a_guess(folder: Path) -> None:
    toml(folder, "zzzzzz = 1")
    assert "Did you mean" not in refused("'zzzzzz' is not a setting").detail


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("CAREPLAN_STROE__URL", "store"),
        ("CAREPLAN_STORE__ULR", "url"),
        ("CAREPLAN_SERVER__API_KEYS", "api_key"),
        ("CAREPLAN_LOGLEVEL", "log_level"),
        ("careplan_server__prt", "port"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, SECRET)
    error = refused(variable, f"'{nearest}'")
    assert variable in error.mend
    assert SECRET not in f"{error.detail} {error.mend}"


def test_a_misspelt_key_of_an_endpoint_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREPLAN_ENDPOINTS__A__URL", "https://x.org")
    monkeypatch.setenv("CAREPLAN_ENDPOINTS__A__TOKENENV", "X")
    refused("'endpoints.a.tokenenv'", "'token_env'")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[knowledge]\noverlay = 7", "'knowledge.overlay'"),
        ("[server]\nport = 65536", "'server.port'"),
        ('[endpoints.a]\nurl = "ftp://x.org"', "'endpoints.a.url'"),
        ("[endpoints.a]\nattempts = 3", "'endpoints.a.url'"),
        ('[endpoints.a]\nurl = "https://x.org"\ntimeout_seconds = 0', "'endpoints.a.timeout_seconds'"),
        ('[endpoints.a]\nurl = "https://x.org"\nattempts = 0', "'endpoints.a.attempts'"),
        ('[endpoints.a]\nurl = "https://x.org"\nconcurrency = 51', "'endpoints.a.concurrency'"),
        ('[endpoints.a]\nurl = "https://x.org"\nmax_response_mb = 0', "'endpoints.a.max_response_mb'"),
        ('[endpoints.a]\nurl = "https://x.org"\nauth = "basic"', "username"),
        ('[endpoints.a]\nurl = "https://x.org"\nauth = "basic"\nusername = "u"', "password_env"),
        ('[endpoints.a]\nurl = "https://x.org"\nauth = "basic"\npassword_env = "P"', "username"),
        ('[endpoints.a]\nurl = "https://x.org"\nauth = "bearer"', "token_env"),
        ('[endpoints.a]\nurl = "https://x.org"\nauth = "smart"\nclient_id = "c"', "private_key_file"),
        ('[endpoints.a]\nurl = "https://x.org"\nclient_key = "k.pem"', "client_certificate"),
        ('[endpoints.a]\nurl = "https://x.org"\nproxy = "http://u:pw@p:1"', "HTTPS_PROXY"),
        ('[server]\noidc_issuer = "https://login.example.org/"', "oidc_audience"),
    ],
)
def test_a_value_that_cannot_be_names_its_setting(folder: Path, text: str, said: str) -> None:
    toml(folder, text)
    refused(said)


def test_a_repository_that_is_not_named_is_asked_for(folder: Path) -> None:
    toml(folder, '[audit]\nevents = "repository"\n')
    refused("audit", "`repository`")
    toml(folder, '[audit]\nevents = "repository"\nrepository = "arr"\n')
    assert config.load().audit.repository == "arr"


def test_every_fault_of_a_file_is_named_at_once(folder: Path) -> None:
    toml(folder, "[server]\nport = -1\nprot = 2\n[polcy]\n")
    refused("'server.port'", "'server.prot'", "'polcy'")


def test_a_file_that_is_not_there_or_not_toml_says_so(folder: Path) -> None:
    assert "careplan init" in refused("none.toml", file=Path("none.toml")).mend
    refused("not valid TOML", "line 2", file=toml(folder, "[server]\nport =\n", "broken.toml"))
    (folder / "latin.toml").write_bytes(b'host = "\xe9"')
    refused("not valid TOML", file=folder / "latin.toml")


def test_a_file_that_may_not_be_read_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = toml(folder, "")

    def denied(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    assert "permissions" in refused("Permission denied", file=path).mend


def test_a_variable_that_is_no_json_says_which_setting_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREPLAN_SERVER", f"port: {SECRET}")
    error = refused("server")
    assert SECRET not in error.detail


# --- endpoints --------------------------------------------------------------------------------------------------


def test_an_endpoint_is_found_by_name_or_made_of_a_url(folder: Path) -> None:
    toml(folder, '[endpoints.hospital]\nurl = "https://fhir.example.org/r4"\nattempts = 2\n')
    settings = load()
    assert endpoint_named(settings, "hospital").attempts == 2
    assert endpoint_named(settings, "https://else.example.org/r4") == config.Endpoint(
        url=AnyHttpUrl("https://else.example.org/r4")
    )


@pytest.mark.parametrize("url", ["https://fhir.example.org/r4", "HTTPS://FHIR.example.org/r4/"])
def test_the_url_of_a_configured_endpoint_is_that_endpoint(folder: Path, url: str) -> None:
    toml(folder, '[endpoints.hospital]\nurl = "https://fhir.example.org/r4"\nidentity = "hospital"\n')
    assert endpoint_named(load(), url).identity == "hospital"


def test_an_unknown_name_is_refused_with_the_nearest_one(folder: Path) -> None:
    toml(folder, '[endpoints.hospital]\nurl = "https://fhir.example.org/r4"\n')
    with pytest.raises(SettingsError, match="Did you mean 'hospital'"):
        endpoint_named(load(), "hospitl")


@pytest.mark.parametrize("url", ["https://", "http://a b/", f"https://user:{SECRET}@fhir.example.org/r4"])
def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        endpoint_named(load(), url)
    assert SECRET not in f"{caught.value.detail} {caught.value.mend}"


# --- secrets ----------------------------------------------------------------------------------------------------


def test_no_secret_shows_in_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREPLAN_SERVER__API_KEY", SECRET)
    monkeypatch.setenv("CAREPLAN_STORE__URL", f"postgresql://careplan:{SECRET}@db/careplan")
    settings = load()
    for shown in (repr(settings), str(settings), repr(settings.server), str(settings.store)):
        assert SECRET not in shown
    assert settings.server.api_key is not None
    assert settings.server.api_key.get_secret_value() == SECRET


def test_a_url_with_a_password_is_refused_without_repeating_it(folder: Path) -> None:
    toml(folder, f'[endpoints.a]\nurl = "https://user:{SECRET}@fhir.example.org/r4"\n')
    error = refused("endpoints.a", "password_env")
    assert SECRET not in f"{error.detail} {error.mend}"
    toml(folder, f'[endpoints.a]\nurl = "https://{SECRET}@fhir.example.org/r4"\n')
    assert SECRET not in refused("user name").detail


def test_a_secret_comes_from_a_variable_or_a_file_without_white_space(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", f" {SECRET}\n")
    assert secret("password", "PASSWORD", None) == SECRET
    (folder / "secret").write_text(f"{SECRET}\n")
    assert secret("password", None, folder / "secret") == SECRET
    assert secret("password", "PASSWORD", folder / "none") == SECRET, "the variable is looked at first"


def test_a_secret_that_is_not_there_names_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLANK", "  ")
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff\xfe" + SECRET.encode())
    for env, file, place in (
        ("PASSWORD", None, "PASSWORD"),
        ("BLANK", None, "BLANK"),
        (None, folder / "none", "none"),
        (None, folder / "empty", "empty"),
        (None, folder / "binary", "binary"),
        (None, None, "password"),
    ):
        with pytest.raises(SettingsError) as caught:
            secret("password", env, file)
        assert place in caught.value.detail
        assert SECRET not in f"{caught.value.detail} {caught.value.mend}"


# --- the file that `careplan init` writes -----------------------------------------------------------------------


TEMPLATE = settings_file("https://fhir.example.org/r4")
COMMENTED = re.compile(r"^# (?=\w+ = )", re.MULTILINE)


def test_the_written_file_loads_as_it_is(folder: Path) -> None:
    settings = load(toml(folder, TEMPLATE))
    assert str(settings.endpoints["hospital"].url) == "https://fhir.example.org/r4"


def test_every_setting_in_the_written_file_is_at_its_default() -> None:
    content = tomllib.loads(TEMPLATE)
    (endpoint,) = content.pop("endpoints").values()
    del endpoint["url"]
    assert content.pop("log_level") == config.Settings.model_fields["log_level"].default
    for section, values in (("endpoint", endpoint), *content.items()):
        fields = {**SECTIONS, "endpoint": config.Endpoint}[section].model_fields
        assert {key: fields[key].default for key in values} == values


def test_every_setting_is_in_the_written_file_and_in_its_section() -> None:
    content = tomllib.loads(COMMENTED.sub("", TEMPLATE))
    (endpoint,) = content.pop("endpoints").values()
    assert set(endpoint) == set(config.Endpoint.model_fields)
    assert set(content) == set(config.Settings.model_fields) - {"endpoints"}
    for section, model in SECTIONS.items():
        # The API key is a secret, and no secret stands in the file.
        assert set(content[section]) == set(model.model_fields) - {"api_key"}


def commented() -> list[str]:
    return [line.removeprefix("# ").split(" = ")[0] for line in TEMPLATE.splitlines() if COMMENTED.match(line)]


@pytest.mark.parametrize("number", range(len(commented())))
def test_each_commented_line_is_a_setting_once_it_is_uncommented(folder: Path, number: int) -> None:
    name = commented()[number]
    count = -1

    def uncomment(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        partner = {
            "oidc_issuer": "oidc_audience",
            "client_key": "client_certificate",
            "old_key_files": "key_file",
        }.get(name)
        return "" if count == number or (partner and commented()[count] == partner) else match[0]

    text = COMMENTED.sub(uncomment, TEMPLATE)
    assert text != TEMPLATE
    assert load(toml(folder, text)) != load(toml(folder, TEMPLATE))


def test_the_endpoint_of_the_written_file_may_hold_any_character(folder: Path) -> None:
    url = 'https://fhir.example.org/r4/"quoted"/\\/\U0001f600'
    assert tomllib.loads(settings_file(url))["endpoints"]["hospital"]["url"] == url
