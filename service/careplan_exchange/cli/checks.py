"""What `careplan doctor` looks at. Each check says what it found and, where something is wrong, the mend."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from careplan_exchange import bootstrap, config, connections, installed
from careplan_exchange.errors import CareplanError, ConfigurationError
from careplan_exchange.fhir import Capabilities, CircuitNote, KeyFile, Token, connect, describe, read_keys
from careplan_exchange.store import look, open_store
from careplan_exchange.store import migrate as migrate_store

_WRITES = ("CarePlan", "Goal")


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
    checks = [_python(), await _database(settings, migrate=migrate), _knowledge(settings)]
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
        async with open_store(settings.store.url, password=password) as store:
            verdict = await store.ledger.verify()
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
    found = f"{facts.place} answers, {became}; the ledger holds ({verdict.entries} entries)"
    return Check("database", ok=True, found=found)


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
            yield _writing(what, capabilities)
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


def _writing(what: str, capabilities: Capabilities) -> Check:
    what = f"{what}, writing"
    if capabilities.says_nothing:
        found = "its CapabilityStatement lists no interactions: what it takes is found out by trying"
        return Check(what, ok=True, found=found)
    asked = [(kind, interaction) for kind in _WRITES for interaction in ("create", "update")]
    missing = [
        f"{kind} {interaction}" for kind, interaction in asked if not capabilities.supports(kind, interaction)
    ]
    if missing:
        found = f"can be read; does not declare {', '.join(missing)}"
        return Check(what, ok=True, found=found, mend="Give a --target that takes CarePlan and Goal.")
    how = "in one transaction" if capabilities.transaction else "one by one: it declares no transaction"
    return Check(what, ok=True, found=f"takes CarePlan and Goal, {how}")


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
