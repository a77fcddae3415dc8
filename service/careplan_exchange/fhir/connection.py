"""What the client needs to know of an endpoint: where it is, how to sign in, and how hard it may be asked."""

import base64
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from careplan_exchange.errors import SettingsError


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


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint.

    `base_url` is normalised: lower-case scheme and host, no default port, no trailing slash. `identity` names the
    endpoint in derived identifiers (default: the normalised base URL). `ca_bundle` is trusted beside the public
    authorities. `timeout_seconds` bounds the wait for a connection and between two pieces of an answer.
    `attempts` counts the first request too. `concurrency` caps the requests under way at one time.
    `max_response_bytes` bounds one answer after decompression. Raises SettingsError for a URL that is no base
    URL.
    """

    base_url: str
    identity: str | None = None
    auth: NoAuth | BasicAuth | BearerAuth = NoAuth()
    ca_bundle: Path | None = None
    timeout_seconds: float = 30.0
    attempts: int = 4
    concurrency: int = 5
    max_response_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        base_url = normalised(self.base_url)
        msgspec.structs.force_setattr(self, "base_url", base_url)
        msgspec.structs.force_setattr(self, "identity", self.identity or base_url)


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
            if not token or not all("!" <= character <= "~" for character in token):
                raise SettingsError(
                    "The bearer token is empty or holds characters that a header cannot carry.",
                    mend="Check the variable or file that holds it: one line, nothing but the token.",
                )
            return f"Bearer {token}"
