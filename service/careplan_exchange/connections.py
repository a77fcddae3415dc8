"""Settings to what adapters are opened with: an endpoint's connection, the keys we publish, secrets of our own.

Secrets are read here, and again whenever they are used: a file that was replaced counts without a restart.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from careplan_exchange import config
from careplan_exchange.audit import Keyring, PublicKey, SigningKey
from careplan_exchange.errors import SettingsError
from careplan_exchange.fhir import (
    BasicAuth,
    BearerAuth,
    Connection,
    Key,
    KeyFile,
    NoAuth,
    SmartAuth,
    jwks,
    read_keys,
)
from careplan_exchange.store import Keys, key_of


def connection(settings: config.Settings, name: str) -> Connection:
    """What the FHIR client needs to know of an endpoint. Secrets are read here, and again when they are used."""
    endpoint = config.endpoint_named(settings, name)
    auth = _auth(endpoint, name)
    return Connection(
        base_url=str(endpoint.url).rstrip("/"),
        identity=endpoint.identity,
        auth=auth,
        ca_bundle=endpoint.ca_bundle,
        client_certificate=endpoint.client_certificate,
        client_key=endpoint.client_key,
        proxy=str(endpoint.proxy) if endpoint.proxy is not None else None,
        headers=tuple(endpoint.headers.items()),
        timeout_seconds=endpoint.timeout_seconds,
        attempts=endpoint.attempts,
        concurrency=endpoint.concurrency,
        max_response_bytes=endpoint.max_response_mb * 1024 * 1024,
        fhir_version=endpoint.fhir_version,
        patient_deadline_seconds=endpoint.patient_deadline_seconds,
        host_folder=_host_folder(),
    )


def _host_folder() -> Path | None:
    """Where the processes of one user on one host share what they must agree on about a server. It holds no data
    and may be deleted when none runs."""
    if not hasattr(os, "getuid"):
        return None
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "careplan-exchange"
    return Path(tempfile.gettempdir()) / f"careplan-exchange-{os.getuid()}"


def _auth(endpoint: config.Endpoint, name: str) -> NoAuth | BasicAuth | BearerAuth | SmartAuth:
    match endpoint.auth:
        case "basic":
            what = f"password of endpoint {name}"
            password = config.secret(what, endpoint.password_env, endpoint.password_file)
            return BasicAuth(username=endpoint.username or "", password=password)
        case "bearer":
            what = f"token of endpoint {name}"
            config.secret(what, endpoint.token_env, endpoint.token_file)
            return BearerAuth(read_token=lambda: config.secret(what, endpoint.token_env, endpoint.token_file))
        case "smart":
            file = KeyFile(endpoint.private_key_file or Path(), endpoint.kid)
            file.current()
            return SmartAuth(
                client_id=endpoint.client_id or "",
                read_key=file.current,
                scopes=" ".join((endpoint.scopes or "").split()),
                token_url=str(endpoint.token_url) if endpoint.token_url is not None else None,
            )
    return NoAuth()


def published_keys(settings: config.Settings) -> dict[str, list[dict[str, str]]]:
    """The public parts of every key that we sign in with, or are about to, or did: our JWK Set.

    Read anew each time, so that a key is rotated without a restart. A file that is not there or is being replaced
    is left out: `doctor` names what is wrong with it.
    """
    found: list[Key] = []
    for endpoint in settings.endpoints.values():
        if endpoint.auth != "smart" or endpoint.private_key_file is None:
            continue
        with suppress(SettingsError):
            found.append(KeyFile(endpoint.private_key_file, endpoint.kid).current())
        for path in endpoint.published_key_files:
            with suppress(SettingsError):
                found.extend(read_keys(path))
    return jwks(found)


def api_key(settings: config.Settings) -> str | None:
    """The key that callers of the HTTP service must show, if one is set. Raises SettingsError."""
    server = settings.server
    if server.api_key is not None:
        return server.api_key.get_secret_value()
    return config.secret("API key", None, server.api_key_file) if server.api_key_file is not None else None


def signing_key(settings: config.Settings) -> SigningKey | None:
    """The key that signs the ledger's head, where one is configured. Raises SettingsError."""
    said = settings.ledger
    if said.signing_key_env is None and said.signing_key_file is None:
        return None
    return SigningKey.from_pem(
        config.secret("signing key of the ledger", said.signing_key_env, said.signing_key_file)
    )


def believed_keys(settings: config.Settings, key: SigningKey | None) -> Keyring | None:
    """The public keys by which the ledger's seals are checked: our own and those that are named. None where there
    is none. Raises SettingsError."""
    keys = [public_key(name) for name in settings.ledger.public_keys]
    keyring = Keyring([key.public, *keys] if key is not None else keys)
    return keyring or None


def public_key(name: str) -> PublicKey:
    """The key in `FILE`, or, of `FILE@SEQ`, one that was retired at that entry. Raises SettingsError."""
    path, at, until = name.rpartition("@")
    retired = bool(at) and until.isascii() and until.isdigit()
    text = config.secret("public key of the ledger", None, Path(path if retired else name))
    return PublicKey.from_pem(text, int(until) if retired else None)


def store_password(settings: config.Settings) -> str | None:
    store = settings.store
    if store.password_env is None and store.password_file is None:
        return None
    return config.secret("password of the database", store.password_env, store.password_file)


def store_keys(settings: config.Settings) -> Keys | None:
    """The keys that seal and open what is clinical in the store; None: it stands in the clear. SettingsError."""
    store = settings.store
    if store.key_env is None and store.key_file is None:
        return None
    what = "key of the store"
    current = key_of(config.secret(what, store.key_env, store.key_file), what)
    older = f"older {what}"
    return Keys(current, tuple(key_of(config.secret(older, None, file), older) for file in store.old_key_files))
