"""What is asked of a server before anything else: which FHIR version it speaks, and what it can do.

`/metadata` says both. Where its `fhirVersion` is missing or none of ours, `$versions` is asked; where that says
nothing either, the endpoint's setting counts. Where a server speaks several versions under one URL and begins
with another than ours, every request names it (http://hl7.org/fhir/R4/http.html#version-parameter).
"""

from careplan_exchange import logs
from careplan_exchange.errors import UnsupportedServerError

from .ask import Ask, require_json
from .capabilities import Capabilities, Statement, capabilities_of, read_statement
from .failures import refused
from .session import Session
from .versions import RELEASES, Versions, not_spoken, read_versions, refused_version, short, unstated_version

_SAYS_NOTHING = Versions(default="", listed=())


async def discover(session: Session) -> Capabilities:
    """Raises NotFhirError, UnsupportedServerError (no CapabilityStatement, a version that is none of ours, or
    none stated anywhere), and what `Session.send` raises."""
    statement = await _metadata(session)
    spoken = statement.fhir_version
    versions = await _versions(session) if short(spoken) is None else _SAYS_NOTHING
    spoken = spoken or versions.default
    ours = [version for version in RELEASES if version in map(short, versions.listed)]
    choice = session.connection.fhir_version or short(spoken) or next(iter(ours), None)
    if choice is None:
        raise refused_version(spoken) if spoken else unstated_version()
    if spoken and short(spoken) != choice:
        session.speak(choice)
        statement = await _metadata(session)
        spoken = statement.fhir_version or choice
        if short(spoken) != choice:
            session.speak(None)
            raise not_spoken(choice, spoken)
    capabilities = capabilities_of(statement, spoken or choice)
    logs.get_logger().info(
        logs.FHIR_CAPABILITIES,
        endpoint=logs.hashed(session.base_url),
        release=capabilities.release,
        software=capabilities.software,
    )
    return capabilities


async def _metadata(session: Session) -> Statement:
    what = "The CapabilityStatement"
    url = f"{session.base_url}/metadata"
    answer = await session.send(Ask(method="GET", url=url, what=what, label="metadata"))
    if answer.status in {404, 410}:
        raise UnsupportedServerError(
            f"There is no CapabilityStatement at {url} ({answer.status}).",
            mend="Check the endpoint's URL: it is the FHIR base URL, often with a path such as /fhir or /r4.",
        )
    if not answer.ok:
        raise refused(answer.status, answer.body, what)
    require_json(answer, f"{what}: the answer")
    return read_statement(answer.body)


async def _versions(session: Session) -> Versions:
    what = "The operation $versions"
    ask = Ask(method="GET", url=f"{session.base_url}/$versions", what=what, label="metadata")
    answer = await session.send(ask)
    return (read_versions(answer.body) if answer.ok else None) or _SAYS_NOTHING
