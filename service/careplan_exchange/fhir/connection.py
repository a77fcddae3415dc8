"""What the client needs to know of an endpoint: where it is, how to sign in, and how hard it may be asked."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from careplan_exchange.errors import SettingsError

from .discovery import require_trustworthy
from .keys import Key
from .versions import FhirVersion


class NoAuth(msgspec.Struct, frozen=True):
    """The endpoint asks for no credentials."""


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A user name and password (RFC 7617)."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "BasicAuth(…)"


class BearerAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token (RFC 6750). `read_token` gives the token of now; it is asked before each request, so that
    a token that was renewed in its file or variable is used without a restart."""

    read_token: Callable[[], str]


class SmartAuth(msgspec.Struct, frozen=True, kw_only=True):
    """SMART Backend Services (http://hl7.org/fhir/smart-app-launch/backend-services.html). `read_key` gives the
    private key of now, so that one that was replaced in its file is used without a restart. `scopes` are
    separated by spaces. `token_url` None: the server says where."""

    client_id: str
    read_key: Callable[[], Key]
    scopes: str
    token_url: str | None = None


Auth = NoAuth | BasicAuth | BearerAuth | SmartAuth

OURS = frozenset(
    {
        "authorization", "proxy-authorization", "host", "cookie", "connection", "content-length", "content-type",
        "transfer-encoding", "accept", "accept-encoding", "x-request-id", "if-match", "if-none-exist", "prefer",
        "cache-control", "if-none-match",
    }
)  # fmt: skip
"""Headers that a setting may not fix: they name the server, carry credentials, or say what a request is."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint.

    `base_url` is normalised: lower-case scheme and host, no default port, no trailing slash. `identity` names the
    endpoint in derived identifiers (default: the normalised base URL). `ca_bundle` is trusted beside the public
    authorities. `client_certificate` (with `client_key`, where it is in a file of its own) is shown to the server
    (mutual TLS). `proxy` is used instead of what the environment says. `headers` go with every FHIR request.
    `timeout_seconds` bounds the wait for a connection and between two pieces of an answer.
    `attempts` counts the first request too. `concurrency` caps the requests under way at one time: over
    every process that names the same `host_folder`, else in this one alone. One patient's record takes no longer
    than `patient_deadline_seconds`.
    `max_response_bytes` bounds one answer after decompression. `fhir_version` is for a server that does not say
    it, or that speaks several under one URL. Raises SettingsError for a URL that is no base URL, a header that
    is not to be fixed, and credentials that would travel in the clear.
    """

    base_url: str
    identity: str | None = None
    auth: Auth = NoAuth()
    ca_bundle: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    proxy: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 30.0
    attempts: int = 4
    concurrency: int = 5
    max_response_bytes: int = 64 * 1024 * 1024
    fhir_version: FhirVersion | None = None
    patient_deadline_seconds: float = 300.0
    host_folder: Path | None = None

    def __post_init__(self) -> None:
        base_url = normalised(self.base_url)
        msgspec.structs.force_setattr(self, "base_url", base_url)
        msgspec.structs.force_setattr(self, "identity", self.identity or base_url)
        if isinstance(self.auth, SmartAuth):
            require_trustworthy(base_url, "The URL of an endpoint with SMART Backend Services")
            if self.auth.token_url is not None:
                require_trustworthy(self.auth.token_url, "The endpoint's token_url")
        if self.client_certificate is not None and not base_url.startswith("https://"):
            raise SettingsError(
                "The endpoint has a client_certificate, but its URL is not https: nobody would see it.",
                mend="Give the endpoint's https URL, or take client_certificate out.",
            )
        for name, value in self.headers:
            _require_fixable(name, value)

    def __repr__(self) -> str:
        return f"Connection({self.base_url!r}, auth={type(self.auth).__name__})"


def normalised(base_url: str) -> str:
    """The one form of a base URL. Raises SettingsError; the message repeats no credentials."""
    try:
        url = httpx.URL(base_url)
        host = url.host  # decoding it is a part of checking it
    except (httpx.InvalidURL, UnicodeError):
        raise SettingsError(
            "The endpoint's URL is not a valid URL.", mend="Give it as https://host[:port]/path."
        ) from None
    if url.scheme not in {"http", "https"} or not host:
        raise SettingsError(
            "The endpoint's URL is not an http or https URL.", mend="Give it as https://host[:port]/path."
        )
    if url.userinfo:
        raise SettingsError(
            "The endpoint's URL holds a user name or password, which would end up in logs.",
            mend='Take it out of the URL and set auth = "basic", username and password_env.',
        )
    if url.query or url.fragment:
        raise SettingsError(
            "The endpoint's URL has a query or fragment; a FHIR base URL has none.",
            mend="Give the address before the '?' or '#'.",
        )
    return str(url).rstrip("/")


def describe(connection: Connection) -> str:
    """Which authentication is in use, for a person; never a secret."""
    kinds = {
        BasicAuth: "a user name and password",
        BearerAuth: "a bearer token",
        SmartAuth: "SMART Backend Services",
    }
    parts = [kinds.get(type(connection.auth), "no credentials")]
    if connection.client_certificate is not None:
        parts.append("a client certificate")
    if connection.proxy is not None:
        parts.append("a proxy")
    if connection.headers:
        parts.append(f"the headers {', '.join(name for name, _ in connection.headers)}")
    return ", ".join(parts)


def carried(token: str) -> bool:
    """Whether a header can carry it."""
    return bool(token) and all("!" <= character <= "~" for character in token)


def _require_fixable(name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name) or not all(" " <= character <= "~" for character in value):
        raise SettingsError(
            "A fixed header of the endpoint has a name or value that no header can have.",
            mend="Mend `headers` of the endpoint: a name like Epic-Client-ID and a value of one line, in ASCII.",
        )
    if name.lower() in OURS:
        raise SettingsError(
            f"The header {name} cannot be fixed: it carries credentials or belongs to the request itself.",
            mend="Take it out of `headers`; credentials are set by `auth`.",
        )


def authorization(auth: NoAuth | BasicAuth | BearerAuth) -> str | None:
    """The value of the Authorization header now. Raises SettingsError where there is no usable token."""
    match auth:
        case NoAuth():
            return None
        case BasicAuth(username=username, password=password):
            return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        case BearerAuth(read_token=read_token):
            token = read_token()
            # httpx would put a token that it cannot send into the text of its own error.
            if not carried(token):
                raise SettingsError(
                    "The bearer token is empty or holds characters that a header cannot carry.",
                    mend="Check the variable or file that holds it: one line, nothing but the token.",
                )
            return f"Bearer {token}"
