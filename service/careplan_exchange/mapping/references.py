"""Which resource of the record a reference means (http://hl7.org/fhir/R4/references.html#literal)."""

from collections.abc import Container


def held(reference: str, type_: str, known: Container[str]) -> str | None:
    """`Type/id` of the resource among `known` that a relative, absolute, versioned or `urn:uuid` reference to a
    `type_` leads to; None where it is not there."""
    head = reference.partition("/_history/")[0]
    if head.startswith("urn:uuid:"):
        found = f"{type_}/{head.removeprefix('urn:uuid:')}"
    else:
        found = "/".join(head.split("/")[-2:])
    return found if found.startswith(f"{type_}/") and found in known else None
