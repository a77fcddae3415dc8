"""Where a server's tokens are asked for.

First `/.well-known/smart-configuration` (http://hl7.org/fhir/smart-app-launch/conformance.html), then the
CapabilityStatement's `oauth-uris` extension, which older servers have instead
(http://hl7.org/fhir/smart-app-launch/1.0.0/conformance/index.html).
"""

import ipaddress
from collections.abc import Awaitable, Callable

import httpx
import msgspec

from careplan_exchange.errors import SettingsError, UnsupportedServerError

WELL_KNOWN = ".well-known/smart-configuration"
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """`algorithms` are those that the server says it takes; empty where it does not say."""

    token_url: str
    algorithms: tuple[str, ...] = ()


class _Configuration(msgspec.Struct, frozen=True):
    token_endpoint: str = ""
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] | None = None


class _Uri(msgspec.Struct, frozen=True, rename="camel"):
    url: str = ""
    value_uri: str | None = None


class _Extension(msgspec.Struct, frozen=True):
    url: str = ""
    extension: list[_Uri] = []


class _Security(msgspec.Struct, frozen=True):
    extension: list[_Extension] = []


class _Rest(msgspec.Struct, frozen=True):
    mode: str = ""
    security: _Security | None = None


class _Statement(msgspec.Struct, frozen=True):
    rest: list[_Rest] = []


async def discover(base_url: str, get: Callable[[str], Awaitable[bytes | None]]) -> Discovered:
    """`get` gives the body at a URL, or None where the server has nothing for us there.

    Raises UnsupportedServerError where neither says it, or what it says is not to be trusted with a signature.
    """
    found = _configured(await get(f"{base_url}/{WELL_KNOWN}")) or _stated(await get(f"{base_url}/metadata"))
    if found is None:
        raise UnsupportedServerError(
            f"The server does not say where its tokens are asked for: neither /{WELL_KNOWN} nor its "
            "CapabilityStatement names a token endpoint.",
            mend="Set token_url of the endpoint; those who run the server know it.",
        )
    if not trustworthy(found.token_url):
        raise UnsupportedServerError(
            "The server names a token endpoint that is not an https address; nothing is sent there.",
            mend="Report it to those who run the server, or set token_url of the endpoint to its https address.",
        )
    return found


def trustworthy(url: str) -> bool:
    """Whether a signature may be sent there: https, or this machine."""
    try:
        parsed = httpx.URL(url)
        host = parsed.host
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return False
    if parsed.userinfo or parsed.fragment or not host:
        return False
    return parsed.scheme == "https" or (parsed.scheme == "http" and _loopback(host))


def require_trustworthy(url: str, what: str) -> str:
    """The URL. Raises SettingsError for one that is neither https nor on this machine."""
    if not trustworthy(url):
        raise SettingsError(
            f"{what} is not an https address (http is for this machine only).",
            mend="Give it as https://host[:port]/path, without a user name.",
        )
    return url


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _configured(body: bytes | None) -> Discovered | None:
    try:
        document = msgspec.json.decode(body or b"", type=_Configuration)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    algorithms = document.token_endpoint_auth_signing_alg_values_supported or ()
    return (
        Discovered(token_url=document.token_endpoint, algorithms=algorithms) if document.token_endpoint else None
    )


def _stated(body: bytes | None) -> Discovered | None:
    try:
        statement = msgspec.json.decode(body or b"", type=_Statement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for rest in statement.rest:
        for extension in rest.security.extension if rest.security else ():
            if extension.url != OAUTH_URIS:
                continue
            for uri in extension.extension:
                if uri.url == "token" and uri.value_uri:
                    return Discovered(token_url=uri.value_uri)
    return None
