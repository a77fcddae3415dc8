"""CapabilityStatement: what a server says it can do (http://hl7.org/fhir/R4/capabilitystatement.html)."""

import re

import msgspec

from careplan_exchange.errors import NotFhirError, UnsupportedServerError
from careplan_exchange.model.record import FhirRelease

from .bundle import NOT_FHIR_MEND, refuse_outcome
from .versions import RELEASES, refused_version, short

_US_CORE = re.compile(r"/fhir/us/core/.*\|(\d+(?:\.\d+){0,2})", re.ASCII)
"""A canonical of US Core with its version, whatever it names there: the guide, a server's role, a profile."""


class _Code(msgspec.Struct, frozen=True):
    code: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Operation(msgspec.Struct, frozen=True):
    name: str = ""
    definition: str = ""


class _Type(msgspec.Struct, frozen=True, rename="camel"):
    type: str = ""
    operation: list[_Operation] = []
    interaction: list[_Code] = []
    search_param: list[_Named] = []
    search_include: list[str] = []
    update_create: bool = False
    supported_profile: list[str] = []


class _Rest(msgspec.Struct, frozen=True):
    mode: str = ""
    resource: list[_Type] = []
    interaction: list[_Code] = []


class _Software(msgspec.Struct, frozen=True):
    name: str | None = None
    version: str | None = None


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """A CapabilityStatement, as far as it is used."""

    resource_type: str
    fhir_version: str = ""
    software: _Software | None = None
    implementation_guide: list[str] = []
    instantiates: list[str] = []
    rest: list[_Rest] = []


_decoder = msgspec.json.Decoder(Statement)


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What one server says of itself. `interactions`, `parameters`, `includes` and `operations` (their names, no
    `$`) are by resource type; where `interactions` is empty it says nothing of any type, and everything may be
    tried. `client_ids` are the types of which a client may choose the id; `us_core` is the version of US Core
    that it names, the oldest where it names several.

    `batch` is also true where only transaction is listed: it is the same address, and HAPI 8.8 takes batches
    without listing them (measured). A server that does not is found out by its refusal.
    """

    release: FhirRelease
    fhir_version: str
    software: str | None
    transaction: bool
    batch: bool
    interactions: dict[str, frozenset[str]]
    parameters: dict[str, frozenset[str]]
    includes: dict[str, frozenset[str]] = {}
    operations: dict[str, frozenset[str]] = {}
    client_ids: frozenset[str] = frozenset()
    us_core: str | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether no interaction of any type is listed."""
        return not self.interactions

    def supports(self, resource_type: str, interaction: str) -> bool:
        """Whether it lists this interaction (`read`, `search-type`, `create` …) for this type."""
        return interaction in self.interactions.get(resource_type, frozenset())

    def searchable(self, resource_type: str, parameter: str) -> bool:
        """Whether it lists this search parameter for this type, and search at all."""
        return self.supports(resource_type, "search-type") and parameter in self.parameters[resource_type]


def read_statement(body: bytes) -> Statement:
    """Raises NotFhirError where it is no CapabilityStatement, UnsupportedServerError for that of DSTU2,
    IncompleteRecordError for an OperationOutcome."""
    try:
        statement = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotFhirError("The server's /metadata is not a CapabilityStatement.", mend=NOT_FHIR_MEND) from None
    if statement.resource_type == "Conformance":  # its name until DSTU2
        raise refused_version(statement.fhir_version or "1.0")
    refuse_outcome(statement.resource_type, body, "The answer to /metadata")
    if statement.resource_type != "CapabilityStatement":
        raise NotFhirError("The server's /metadata is not a CapabilityStatement.", mend=NOT_FHIR_MEND)
    return statement


def capabilities_of(statement: Statement, fhir_version: str) -> Capabilities:
    """What a server that speaks this version says of itself. Raises UnsupportedServerError where the version is
    none of ours, or where `rest` describes no server.

    A statement without any `rest` says nothing of interactions: they are tried. Only what must not be tried for
    lack of a word is taken as absent: a transaction by a server that may not be atomic.
    """
    version = short(fhir_version)
    if version is None:
        raise refused_version(fhir_version)
    rest = next((rest for rest in statement.rest if rest.mode == "server"), None if statement.rest else _Rest())
    if rest is None:
        raise UnsupportedServerError(
            "The server's CapabilityStatement describes no REST server.",
            mend="Report it to those who run the server: CapabilityStatement.rest with mode 'server' is missing.",
        )
    whole = {entry.code for entry in rest.interaction}
    return Capabilities(
        release=RELEASES[version],
        fhir_version=fhir_version,
        software=_software(statement.software),
        transaction="transaction" in whole,
        batch=not statement.rest or not whole.isdisjoint({"batch", "transaction"}),
        interactions={kind.type: frozenset(entry.code for entry in kind.interaction) for kind in rest.resource},
        parameters={kind.type: frozenset(entry.name for entry in kind.search_param) for kind in rest.resource},
        includes={kind.type: frozenset(kind.search_include) for kind in rest.resource},
        operations={
            kind.type: frozenset(entry.name.lstrip("$") for entry in kind.operation)
            for kind in rest.resource
            if kind.operation
        },
        client_ids=frozenset(kind.type for kind in rest.resource if kind.update_create),
        us_core=_us_core(statement, rest),
    )


def _us_core(statement: Statement, rest: _Rest) -> str | None:
    """http://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.implementationGuide"""
    profiles = [profile for kind in rest.resource for profile in kind.supported_profile]
    named = [*statement.implementation_guide, *statement.instantiates, *profiles]
    versions = {found[1] for canonical in named if (found := _US_CORE.search(canonical))}
    return min(versions, key=lambda version: [int(part) for part in version.split(".")], default=None)


def _software(software: _Software | None) -> str | None:
    if software is None or not software.name:
        return None
    return f"{software.name} {software.version or ''}".strip()[:100]
