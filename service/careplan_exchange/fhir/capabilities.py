"""CapabilityStatement: what a server says it can do (http://hl7.org/fhir/R4/capabilitystatement.html)."""

import msgspec

from careplan_exchange.errors import NotFhirError, UnsupportedServerError
from careplan_exchange.model.record import FhirRelease

from .bundle import NOT_FHIR_MEND

_RELEASES: dict[str, FhirRelease] = {"4.0": "R4", "4.3": "R4", "5.0": "R5"}
"""R4B (4.3) differs from R4 in nothing that is read or written here."""


class _Code(msgspec.Struct, frozen=True):
    code: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Type(msgspec.Struct, frozen=True, rename="camel"):
    type: str = ""
    interaction: list[_Code] = []
    search_param: list[_Named] = []


class _Rest(msgspec.Struct, frozen=True):
    mode: str = ""
    resource: list[_Type] = []
    interaction: list[_Code] = []


class _Software(msgspec.Struct, frozen=True):
    name: str | None = None
    version: str | None = None


class _Statement(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    fhir_version: str = ""
    software: _Software | None = None
    rest: list[_Rest] = []


_decoder = msgspec.json.Decoder(_Statement)


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What one server says of itself. `interactions` and `parameters` are by resource type.

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

    def supports(self, resource_type: str, interaction: str) -> bool:
        """Whether it lists this interaction (`read`, `search-type`, `create` …) for this type."""
        return interaction in self.interactions.get(resource_type, frozenset())

    def searchable(self, resource_type: str, parameter: str) -> bool:
        """Whether it lists this search parameter for this type, and search at all."""
        return self.supports(resource_type, "search-type") and parameter in self.parameters[resource_type]


def read_capabilities(body: bytes) -> Capabilities:
    """Raises NotFhirError where it is no CapabilityStatement, UnsupportedServerError where the version is none of
    ours or it describes no server."""
    try:
        statement = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotFhirError("The server's /metadata is not a CapabilityStatement.", mend=NOT_FHIR_MEND) from None
    if statement.resource_type != "CapabilityStatement":
        raise NotFhirError("The server's /metadata is not a CapabilityStatement.", mend=NOT_FHIR_MEND)
    release = _RELEASES.get(".".join(statement.fhir_version.split(".")[:2]))
    if release is None:
        stated = statement.fhir_version[:20] or "no version"
        raise UnsupportedServerError(
            f"The server speaks FHIR {stated}; this product reads 4.0, 4.3 and 5.0.",
            mend="Give the server's R4, R4B or R5 base URL: many servers have one for each version.",
        )
    rest = next((rest for rest in statement.rest if rest.mode == "server"), None)
    if rest is None:
        raise UnsupportedServerError(
            "The server's CapabilityStatement describes no REST server.",
            mend="Report it to those who run the server: CapabilityStatement.rest with mode 'server' is missing.",
        )
    whole = {entry.code for entry in rest.interaction}
    return Capabilities(
        release=release,
        fhir_version=statement.fhir_version,
        software=_software(statement.software),
        transaction="transaction" in whole,
        batch=not whole.isdisjoint({"batch", "transaction"}),
        interactions={kind.type: frozenset(entry.code for entry in kind.interaction) for kind in rest.resource},
        parameters={kind.type: frozenset(entry.name for entry in kind.search_param) for kind in rest.resource},
    )


def _software(software: _Software | None) -> str | None:
    if software is None or not software.name:
        return None
    return f"{software.name} {software.version or ''}".strip()[:100]
