"""Settings: a file, over it the environment (`CAREPLAN_…`), over it a command's options.

Only `bootstrap.py` and the commands that show or write settings import this module.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as MalformedVariableError,
)

from .errors import SettingsError
from .spelling import did_you_mean

DEFAULT_FILE = Path("careplan.toml")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Endpoint(_Section):
    """One FHIR server. A secret is named by a variable or a file, so that none stands in the settings file."""

    url: AnyHttpUrl
    identity: str | None = Field(
        default=None,
        description="Names this server in the identifiers we derive; keep it when the URL changes.",
    )
    vendor: str | None = Field(
        default=None,
        description="Whose query plan is used (mappings/vendors), where the server's software does not tell.",
    )
    auth: Literal["none", "basic", "bearer", "smart"] = "none"
    username: str | None = None
    password_env: str | None = Field(default=None, description="The environment variable with the password.")
    password_file: Path | None = None
    token_env: str | None = Field(default=None, description="The environment variable with the bearer token.")
    token_file: Path | None = None
    client_id: str | None = Field(default=None, description="As whom we are registered (SMART).")
    private_key_file: Path | None = Field(default=None, description="PEM or JWK; RSA signs RS384, P-384 ES384.")
    kid: str | None = Field(default=None, description="The key's id, over that of its file or its thumbprint.")
    published_key_files: tuple[Path, ...] = Field(
        default=(),
        description="Further keys in our JWKS, while keys are rotated; one that is not there is left out.",
    )
    scopes: str | None = Field(default=None, description="Separated by spaces; v1 or v2 of SMART.")
    token_url: AnyHttpUrl | None = Field(default=None, description="Where the server does not say it itself.")
    fhir_version: Literal["4.0", "4.3", "5.0"] | None = Field(
        default=None, description="Where the server does not say it, or speaks several."
    )
    companion: str | None = Field(
        default=None,
        description="The endpoint to which a plan goes where this one takes neither plan nor document.",
    )
    ca_bundle: Path | None = Field(default=None, description="PEM file of a private certificate authority.")
    client_certificate: Path | None = Field(default=None, description="PEM file for mutual TLS.")
    client_key: Path | None = Field(default=None, description="Its key, where that is in another file.")
    proxy: AnyHttpUrl | None = None
    headers: Mapping[str, str] = Field(
        default_factory=dict, description="Fixed headers of every FHIR request.", repr=False
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 4
    concurrency: Annotated[int, Field(ge=1, le=50)] = 5
    patient_deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 300.0
    max_response_mb: Annotated[int, Field(ge=1, le=2048)] = 64

    @model_validator(mode="after")
    def _credentials_are_named(self) -> Self:
        if self.url.username or self.url.password:
            raise ValueError('it holds a user name or password: set auth = "basic", `username`, `password_env`')
        if self.auth == "basic" and not (self.username and (self.password_env or self.password_file)):
            raise ValueError('auth = "basic" needs `username` and one of `password_env`, `password_file`')
        if self.auth == "bearer" and not (self.token_env or self.token_file):
            raise ValueError('auth = "bearer" needs one of `token_env`, `token_file`')
        if self.auth == "smart" and not (self.client_id and self.private_key_file and self.scopes):
            raise ValueError('auth = "smart" needs `client_id`, `private_key_file` and `scopes`')
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("`client_key` needs `client_certificate`")
        if self.proxy is not None and (self.proxy.username or self.proxy.password):
            raise ValueError("`proxy` holds a user name or password: name it by the variable HTTPS_PROXY instead")
        return self


class Store(_Section):
    """`sqlite:///careplan.db` or `postgresql://user@host/name`; the password comes from a variable or file."""

    url: str = Field(default="sqlite:///careplan.db", repr=False)  # it may hold a password
    password_env: str | None = None
    password_file: Path | None = None
    key_file: Path | None = Field(
        default=None, description="The key that seals what is clinical (`careplan store key new` makes one)."
    )
    key_env: str | None = Field(default=None, description="Or the environment variable with that key.")
    old_key_files: tuple[Path, ...] = Field(
        default=(), description="Keys that only open what they sealed before, while keys are rotated."
    )

    @model_validator(mode="after")
    def _an_old_key_has_a_new_one(self) -> Self:
        if self.old_key_files and not (self.key_file or self.key_env):
            raise ValueError("`old_key_files` needs `key_file` or `key_env`: the key that seals from now on")
        return self


class Server(_Section):
    """The HTTP service. Beyond loopback it starts only with an API key or an OIDC issuer."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    api_key: SecretStr | None = Field(default=None, description="Set it by CAREPLAN_SERVER__API_KEY.")
    api_key_file: Path | None = None
    oidc_issuer: AnyHttpUrl | None = None
    oidc_audience: str | None = None

    @model_validator(mode="after")
    def _an_issuer_has_an_audience(self) -> Self:
        if self.oidc_issuer is not None and not self.oidc_audience:
            raise ValueError("`oidc_issuer` needs `oidc_audience`: whose tokens are meant for this service")
        return self


class Ledger(_Section):
    """The ledger: whose it is, and who vouches for it. Without a key it works, and its heads are unsigned."""

    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")] = Field(
        default="default", description="Each tenant of a database has a chain of its own; never change it."
    )
    signing_key_file: Path | None = Field(default=None, description="PEM, from `careplan audit key new`.")
    signing_key_env: str | None = Field(default=None, description="The environment variable with that PEM.")
    public_keys: tuple[str, ...] = Field(
        default=(),
        description="Further public keys that are believed: FILE, or FILE@SEQ for one that was retired there.",
    )
    sign_every_entries: Annotated[int, Field(ge=1)] = 1000
    sign_every_minutes: Annotated[float, Field(gt=0)] = 60.0


class Audit(_Section):
    """Where AuditEvents go. "transaction": those of a write go with it, the others are kept; "kept": all are
    kept; "repository": all are sent to an Audit Record Repository, and kept."""

    events: Literal["transaction", "repository", "kept"] = "transaction"
    repository: str | None = Field(default=None, description="An endpoint (name or URL) that takes AuditEvents.")

    @model_validator(mode="after")
    def _a_repository_is_named(self) -> Self:
        if self.events == "repository" and self.repository is None:
            raise ValueError('events = "repository" needs `repository`: the endpoint to send them to')
        return self


class Knowledge(_Section):
    overlay: Path | None = Field(
        default=None, description="A folder laid over our mappings, profiles, protocols."
    )


class Settings(BaseSettings):
    """Everything that can be set, with safe defaults."""

    model_config = SettingsConfigDict(
        env_prefix="CAREPLAN_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    endpoints: Mapping[str, Endpoint] = Field(default_factory=dict)
    store: Store = Store()
    server: Server = Server()
    audit: Audit = Audit()
    knowledge: Knowledge = Knowledge()
    ledger: Ledger = Ledger()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The file comes in as the lowest layer: `load` passes it as init arguments.
        return (env_settings, init_settings)


def load(file: Path | None = None) -> Settings:
    """Settings from `file` (default `careplan.toml` where it exists) and the environment.

    Raises SettingsError naming the key and the nearest one that exists.
    """
    path = file or DEFAULT_FILE
    content: dict[str, Any] = {}
    if file is not None and not file.is_file():
        raise SettingsError(
            f"The settings file {file} does not exist.",
            mend="Write one with `careplan init`, or name another.",
        )
    if path.is_file():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML: {error}.", mend="Mend that line.") from None
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be read: {error.strerror}.", mend="Check its permissions."
            ) from None
    _refuse_unknown_variables()
    try:
        return Settings(**content)
    except MalformedVariableError as error:
        raise SettingsError(
            f"An environment variable cannot be read: {error}.",
            mend="Give it as JSON, or one field at a time.",
        ) from None
    except ValidationError as error:
        raise SettingsError(_explain(error), mend=f"Mend it in {path} or in the environment.") from None


def endpoint_named(settings: Settings, name: str) -> Endpoint:
    """The endpoint of that name, or one made of a URL. Raises SettingsError naming the nearest name."""
    if name in settings.endpoints:
        return settings.endpoints[name]
    if is_url(name):
        endpoint = endpoint_at(name)
        return _configured_for(settings, endpoint.url) or endpoint
    raise SettingsError(
        f"There is no endpoint named '{name}'.{did_you_mean(name, settings.endpoints)}",
        mend="Give a URL (https://…), or add [endpoints.NAME] to careplan.toml.",
    )


def _configured_for(settings: Settings, url: AnyHttpUrl) -> Endpoint | None:
    """The configured endpoint at this URL: by name or by URL it is the same server, with the same identity."""
    wanted = str(url).rstrip("/")
    return next((one for one in settings.endpoints.values() if str(one.url).rstrip("/") == wanted), None)


def is_url(name: str) -> bool:
    return name.lower().startswith(("http://", "https://"))


def endpoint_at(url: str) -> Endpoint:
    """An endpoint of which only the URL is known. Raises SettingsError, which does not repeat the URL."""
    try:
        return Endpoint.model_validate({"url": url})
    except ValidationError as error:
        raise SettingsError(
            f"The endpoint's URL cannot be used: {error.errors()[0]['msg']}.",
            mend="Give it as https://host[:port]/path.",
        ) from None


def secret(what: str, env: str | None, file: Path | None) -> str:
    """The secret behind a variable or file, without white space around it, never empty.

    Raises SettingsError that names the place, never the value.
    """
    if env is not None:
        value = os.environ.get(env, "").strip()
        if not value:
            raise SettingsError(f"The {what} is empty: variable {env} is not set.", mend=f"Set {env}.")
        return value
    if file is not None:
        try:
            value = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(
                f"The {what} cannot be read from {file}: {error.strerror}.",
                mend="Check path and permissions.",
            ) from None
        except UnicodeDecodeError:
            raise SettingsError(
                f"The {what} in {file} is not text.", mend="Save it as UTF-8, one line."
            ) from None
        if not value:
            raise SettingsError(f"The {what} is empty: {file} holds nothing.", mend="Write it into that file.")
        return value
    raise SettingsError(f"No {what} is configured.", mend="Name its variable or file in careplan.toml.")


_SECTIONS: dict[str, type[BaseModel]] = {
    "store": Store,
    "server": Server,
    "audit": Audit,
    "knowledge": Knowledge,
    "ledger": Ledger,
}


_MOVED = {"policy": " Write protocols/review/policy.yaml in the knowledge overlay instead (docs/review.md)."}
"""Settings of earlier versions, and where what they said stands now."""


def _refuse_unknown_variables() -> None:
    """pydantic-settings passes over a misspelt variable in silence; a setting that does nothing is a trap."""
    for variable in os.environ:
        if not variable.upper().startswith("CAREPLAN_"):
            continue
        first, *rest = variable.upper().removeprefix("CAREPLAN_").lower().split("__")
        fields = list(Settings.model_fields)
        if first not in fields:
            raise SettingsError(
                f"{variable} is not a setting.{_MOVED.get(first) or did_you_mean(first, fields)}",
                mend=f"Unset or rename {variable}.",
            )
        section = _SECTIONS.get(first)
        if section is not None and rest and rest[0] not in section.model_fields:
            raise SettingsError(
                f"{variable} is not a setting.{did_you_mean(rest[0], list(section.model_fields))}",
                mend=f"Unset or rename {variable}.",
            )


def _explain(error: ValidationError) -> str:
    sentences = []
    for problem in error.errors(include_input=False, include_url=False):
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = _known_at(problem["loc"])
            hint = _MOVED.get(path) or did_you_mean(str(problem["loc"][-1]), known)
            sentences.append(f"'{path}' is not a setting.{hint}")
        else:
            sentences.append(f"'{path}': {problem['msg']}.")
    return " ".join(sentences)


def _known_at(path: tuple[int | str, ...]) -> list[str]:
    if len(path) == 1:
        return list(Settings.model_fields)
    if path[0] == "endpoints":
        return list(Endpoint.model_fields)
    section = _SECTIONS.get(str(path[0]))
    return list(section.model_fields) if section else []
