"""The one factory of HTTP clients. Nothing else in the product makes an httpx client for a FHIR server."""

import logging
import ssl

import httpx

from careplan_exchange.errors import SettingsError

from .connection import Connection, SmartAuth

CONNECT_SECONDS = 10.0
"""A server that does not take a TCP connection in this time is away; a slow answer is another matter."""

KEEP_ALIVE_SECONDS = 4.0
"""Below the 5 s after which common servers drop an idle connection: a write sent into a connection that is being
closed has an unknown outcome."""


def http_client(connection: Connection, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for this endpoint: no redirects, its own pool, TLS verified. `transport` replaces the network.

    Raises SettingsError where the CA bundle, the client certificate or the proxy cannot be used.
    """
    # These two write URLs (patient ids) and headers (tokens) at INFO and DEBUG.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    timeout = httpx.Timeout(connection.timeout_seconds, connect=min(CONNECT_SECONDS, connection.timeout_seconds))
    if transport is not None:
        return httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False)
    return httpx.AsyncClient(
        verify=_tls(connection),
        proxy=_proxy(connection),
        timeout=timeout,
        follow_redirects=False,
        limits=httpx.Limits(
            max_connections=connection.concurrency,
            max_keepalive_connections=connection.concurrency,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
        ),
    )


def _tls(connection: Connection) -> ssl.SSLContext:
    if connection.base_url.startswith("http://") and not isinstance(connection.auth, SmartAuth):
        # Loading the public authorities takes 20 ms of CPU. This context trusts nobody, and is never used: no
        # request leaves the endpoint's origin.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = httpx.create_ssl_context()
    if connection.ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=connection.ca_bundle)
        except OSError as error:  # ssl.SSLError is one: not a PEM file
            raise SettingsError(
                f"The CA bundle {connection.ca_bundle} cannot be used: {error.strerror or 'not a PEM file'}.",
                mend="Set ca_bundle to a readable PEM file with the certificate authority's certificate.",
            ) from None
    if connection.client_certificate is not None:
        try:
            # With an empty password OpenSSL does not ask for one at the terminal.
            context.load_cert_chain(connection.client_certificate, connection.client_key, password="")
        except OSError as error:
            torn = isinstance(error, ssl.SSLError)
            why = "it and its key do not fit, or are no PEM" if torn else error.strerror
            raise SettingsError(
                f"The client certificate {connection.client_certificate} cannot be used: {why}.",
                mend="Set client_certificate and client_key to PEM files that belong together, not encrypted.",
            ) from None
    return context


def _proxy(connection: Connection) -> httpx.Proxy | None:
    if connection.proxy is None:
        return None
    try:
        return httpx.Proxy(connection.proxy)
    except (ValueError, httpx.InvalidURL):
        raise SettingsError(
            "The endpoint's proxy is not an address of one.", mend="Give proxy as http://host:port."
        ) from None
