"""Identity: the same endpoint, patient, protocol and goal or action always give the same identifier."""

import base64
import hashlib
import uuid

IDENTITY_SYSTEM = "urn:careplan-exchange:identity"
"""`Identifier.system` of every resource we author (http://hl7.org/fhir/R4/datatypes.html#Identifier)."""

PLAN_KEY = "plan"
"""The key of the one CarePlan that a patient has from one endpoint."""

_NAMESPACE = uuid.UUID("8f0c3c66-6d0a-5a52-9f6f-6a2f5f0b7a11")


def identity_of(endpoint_identity: str, patient_reference: str, resource_type: str, key: str) -> str:
    """The identifier value for one thing we author.

    In: the endpoint's identity (see PatientRecord), `Patient/<id>` on the source, the resource type, and the
    key of the goal, activity or `PLAN_KEY`. Out: 32 characters of base32, the same for the same arguments on
    every machine. It holds no readable part of any argument.
    """
    parts = (endpoint_identity, patient_reference, resource_type, key)
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest[:20]).decode().lower()


def full_url_of(identity: str) -> str:
    """The `urn:uuid:` that stands for a resource with this identity inside one transaction."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}"
