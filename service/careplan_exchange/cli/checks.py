"""What `careplan doctor` looks at. Each check says what it found and, where something is wrong, the mend."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from careplan_exchange import bootstrap, config, connections, installed
from careplan_exchange.audit import verify_ledger
from careplan_exchange.errors import (
    CareplanError,
    ConfigurationError,
    UnavailableError,
    UnsupportedServerError,
)
from careplan_exchange.fhir import Capabilities, CircuitNote, KeyFile, Token, connect, describe, read_keys
from careplan_exchange.store import Keys, key_id, look, open_store
from careplan_exchange.store import migrate as migrate_store
from careplan_exchange.writer import form_of, takes_any


class Check(NamedTuple):
    what: str
    ok: bool
    found: str
    mend: str = ""
    exit_code: int = 0

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


async def check_all(settings: config.Settings, *, migrate: bool) -> list[Check]:
    """Every check, in the order in which a person would mend things."""
    database = await _database(settings, migrate=migrate)
    checks = [_python(), database, _signing(settings), _knowledge(settings)]
    if database.ok:
        checks.append(await _outbox(settings))
    if not settings.endpoints:
        mend = (
            "Add [endpoints.NAME] to careplan.toml (`careplan init` writes one), or give a URL with each command."
        )
        checks.append(Check("endpoints", ok=True, found="none is configured", mend=mend))
    for name in settings.endpoints:
        checks.extend([check async for check in _endpoint(settings, name)])
    return checks


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check(
        "python", ok, found, "" if ok else "Use Python 3.11, 3.12 or 3.13.", ConfigurationError.exit_code
    )


async def _database(settings: config.Settings, *, migrate: bool) -> Check:
    try:
        password = connections.store_password(settings)
        facts = await look(settings.store.url, password=password)
        if migrate:
            await migrate_store(settings.store.url, password=password)
        keys = connections.store_keys(settings)
        signing = connections.signing_key(settings)
        believed = connections.believed_keys(settings, signing)
        tenant = settings.ledger.tenant
        async with open_store(settings.store.url, password=password, keys=keys, tenant=tenant) as store:
            verdict = await verify_ledger(store.ledger, believed)
            sealing, mend = _sealing(keys, store.sealed_with)
    except CareplanError as error:
        return _failed("database", error)
    if verdict.problem is not None:
        return Check(
            "database", ok=False, found=verdict.problem, mend="See `careplan audit verify`.", exit_code=6
        )
    became = {
        "empty": "made now",
        "older": f"brought from revision {facts.revision} to {facts.expected}",
        "current": f"of revision {facts.revision}",
    }[facts.state]
    found = f"{facts.place} answers, {became}; the ledger holds ({verdict.entries} entries); {sealing}"
    return Check("database", ok=True, found=found, mend=mend)


def _sealing(keys: Keys | None, sealed_with: str | None) -> tuple[str, str]:
    """How what is clinical stands in the store, and the mend where that can be better."""
    if keys is None:
        mend = (
            "Make a key with `careplan store key new --out FILE`, name FILE in `store.key_file`, then run "
            "`careplan store rekey`."
        )
        return "clinical documents stand in the clear", mend
    if sealed_with is None:
        return "clinical documents are sealed in part", "Run `careplan store rekey`."
    if sealed_with != key_id(keys.current):
        return f"clinical documents are sealed in part with the older key {sealed_with}", (
            "Run `careplan store rekey`, then take that key out of `store.old_key_files`."
        )
    return f"clinical documents are sealed with the key {sealed_with}", ""


def _signing(settings: config.Settings) -> Check:
    """Whether the ledger's head is signed as it grows."""
    what = "ledger, signing"
    try:
        key = connections.signing_key(settings)
        connections.believed_keys(settings, key)
    except CareplanError as error:
        return _failed(what, error)
    if key is None:
        mend = "Make a key with `careplan audit key new --out FILE`, and name FILE as ledger.signing_key_file."
        return Check(what, ok=True, found="heads are unsigned: no key is configured", mend=mend)
    said = settings.ledger
    found = f"key {key.id}, every {said.sign_every_entries} entries or {said.sign_every_minutes:g} minutes"
    return Check(what, ok=True, found=found)


async def _outbox(settings: config.Settings) -> Check:
    """AuditEvents that are not told: kept on purpose, or waiting for the repository."""
    what = "audit events"
    try:
        async with open_store(
            settings.store.url,
            password=connections.store_password(settings),
            keys=connections.store_keys(settings),
        ) as store:
            depth = await store.outbox.depth()
    except CareplanError as error:
        return _failed(what, error)
    if settings.audit.events != "repository":
        return Check(what, ok=True, found=f"kept here: {depth.waiting} parcel(s)")
    found = f"sent to {settings.audit.repository}; {depth.waiting} parcel(s) wait, {depth.failed} failed before"
    mend = "Run `careplan audit send` and see what it says." if depth.failed else ""
    return Check(what, not depth.failed, found, mend, UnavailableError.exit_code)


def _knowledge(settings: config.Settings) -> Check:
    try:
        loaded = installed.load_knowledge(settings)
    except CareplanError as error:
        return _failed("knowledge", error)
    found = f"{len(loaded.protocols)} protocols, {len(loaded.vocabulary.concepts)} concepts"
    return Check("knowledge", ok=True, found=found)


async def _endpoint(settings: config.Settings, name: str) -> AsyncIterator[Check]:
    what = step = f"endpoint {name}"
    elsewhere = None
    try:
        async with connect(connections.connection(settings, name), ids=bootstrap.RandomIds()) as client:
            elsewhere = client.circuit_elsewhere()
            how = describe(client.connection)
            step = f"{what}, token"
            if (token := await client.granted()) is not None:
                yield _token(settings, name, token, step)
            step = what
            capabilities = await client.capabilities()
            software = capabilities.software or "unnamed software"
            endpoint = config.endpoint_named(settings, name)
            plan = installed.load_query_plans(settings).choose(endpoint.vendor, capabilities.software)
            found = f"answers: {software}, FHIR {capabilities.fhir_version}; query plan '{plan.vendor}'"
            unset = [each for each in plan.headers if each.lower() not in {h.lower() for h in endpoint.headers}]
            mend = f"Its query plan wants {', '.join(unset)} in `headers` of the endpoint." if unset else ""
            yield Check(what, ok=True, found=found, mend=mend)
            step = f"{what}, authentication"
            await client.search(bootstrap.ANY_PATIENT)
            yield Check(step, ok=True, found=f"{how}: a search for Patient is allowed")
            yield _circuit(what, client.circuit, elsewhere)
            step = f"{what}, writing"
            if endpoint.companion is not None:
                config.endpoint_named(settings, endpoint.companion)
            yield _writing(step, capabilities, endpoint.companion)
    except CareplanError as error:
        yield _failed(step, error)
        if elsewhere is not None:
            yield _circuit(what, client.circuit, elsewhere)


def _circuit(what: str, here: CircuitNote, elsewhere: CircuitNote | None) -> Check:
    """Our own requests just now, and what another process of this host met."""
    if elsewhere is None:
        return Check(f"{what}, circuit", ok=True, found=str(here))
    found = f"{here}; in another process of this host {elsewhere}"
    return Check(f"{what}, circuit", ok=True, found=found, mend="It tries again by itself after that time.")


def _writing(what: str, capabilities: Capabilities, companion: str | None) -> Check:
    """The rung of the write ladder on which the endpoint stands as a target, why, and what would raise it."""
    if not takes_any(capabilities) and companion is not None:
        return Check(what, ok=True, found=f"takes no plan and no document: a plan goes to endpoint {companion}")
    try:
        form = form_of(capabilities)
    except UnsupportedServerError as error:
        found = f"can be read; on no rung of the write ladder. {error.detail}"
        return Check(what, ok=True, found=found, mend=error.mend)
    how = "in one transaction" if form.atomic else "one by one: it declares no transaction"
    shape = f"US Core {form.us_core}" if form.us_core else "no version of US Core named"
    left_out = f"; without {', '.join(sorted(form.without))}" if form.without else ""
    found = f"rung '{form.rung}', {how}; {shape}{left_out}. {form.why}"
    mend = f"A higher rung needs {form.raise_by}." if form.raise_by else ""
    return Check(what, ok=True, found=found, mend=mend)


def _token(settings: config.Settings, name: str, token: Token, what: str) -> Check:
    """What SMART Backend Services came to: which key signed, for how long, and what was granted."""
    endpoint = config.endpoint_named(settings, name)
    key = KeyFile(endpoint.private_key_file or Path(), endpoint.kid).current()
    found = f"signed with {key.alg}, kid {key.kid}; {token.token_url} gives a token for {token.seconds} seconds"
    absent = [str(path) for path in endpoint.published_key_files if not path.exists()]
    for path in endpoint.published_key_files:
        if path.exists():
            read_keys(path)
    if absent:
        found += f"; not published, since not there: {', '.join(absent)}"
    asked, granted = set((endpoint.scopes or "").split()), set(token.scope.split())
    if granted and granted != asked:
        mend = "Compare with `scopes` of the endpoint: what was not granted is refused when it is asked for."
        return Check(what, ok=True, found=f"{found}; granted: {' '.join(sorted(granted))[:500]}", mend=mend)
    return Check(what, ok=True, found=found)


def _failed(what: str, error: CareplanError) -> Check:
    return Check(what, ok=False, found=error.detail, mend=error.mend, exit_code=error.exit_code)
