"""FHIR versions: which are ours, and what a server that serves several under one URL says of them.

http://hl7.org/fhir/R4/versioning.html#mt-version,
http://hl7.org/fhir/R4/capabilitystatement-operation-versions.html.
"""

from typing import Literal

import msgspec

from careplan_exchange.errors import UnsupportedServerError
from careplan_exchange.model.record import FhirRelease

FhirVersion = Literal["4.0", "4.3", "5.0"]
"""Major and minor, as in the `fhirVersion` parameter of a MIME type."""

RELEASES: dict[FhirVersion, FhirRelease] = {"4.0": "R4", "4.3": "R4B", "5.0": "R5"}

_OTHERS = {
    "0.": "an early draft",
    "1.": "DSTU2",
    "3.": "STU3",
    "4.": "a preview of R4B or R5",
    "6.": "R6 or a preview of it",
}


class Versions(msgspec.Struct, frozen=True):
    """The answer to `$versions`: what is spoken without being asked, and everything that is."""

    default: str
    listed: tuple[str, ...]


class _Parameter(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    value_code: str | None = None
    value_string: str | None = None


class _Parameters(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    parameter: list[_Parameter] = []


def short(version: str) -> FhirVersion | None:
    """`4.0` for `4.0.1`; None where it is none of ours."""
    return next((ours for ours in RELEASES if ours == ".".join(version.split(".")[:2])), None)


def read_versions(body: bytes) -> Versions | None:
    """None where it is no answer to `$versions`."""
    try:
        answer = msgspec.json.decode(body, type=_Parameters)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if answer.resource_type != "Parameters":
        return None
    said = [(entry.name, entry.value_code or entry.value_string or "") for entry in answer.parameter]
    listed = tuple(value for name, value in said if name == "version" and value)
    default = next((value for name, value in said if name == "default" and value), "")
    return Versions(default=default, listed=listed) if listed or default else None


def refused_version(version: str) -> UnsupportedServerError:
    """The error for a version that is none of ours. It is the server's word, so not any text is repeated."""
    name = next((name for start, name in _OTHERS.items() if version.startswith(start)), "")
    stated = version if len(version) <= 20 and version.isascii() and version.isprintable() else "something else"
    return UnsupportedServerError(
        f"The server speaks FHIR {stated}{f' ({name})' if name else ''}; this product reads 4.0 (R4), 4.3 (R4B) "
        "and 5.0 (R5).",
        mend="Give the server's R4, R4B or R5 base URL: many servers have one for each version. Where one URL "
        "serves several, set fhir_version of the endpoint.",
    )


def unstated_version() -> UnsupportedServerError:
    return UnsupportedServerError(
        "The server does not say which FHIR version it speaks: neither fhirVersion of its CapabilityStatement "
        "nor $versions does.",
        mend='Set fhir_version of the endpoint to "4.0" (R4), "4.3" (R4B) or "5.0" (R5); those who run the '
        "server know it.",
    )


def not_spoken(wanted: FhirVersion, stated: str) -> UnsupportedServerError:
    return UnsupportedServerError(
        f"fhir_version of the endpoint is {wanted}, but the server answers in FHIR {stated[:20]}, also when it "
        f"is asked for {wanted}.",
        mend="Take fhir_version out of the endpoint's settings, or give the base URL of that version.",
    )
