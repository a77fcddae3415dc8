"""Identity: the same endpoint, patient, protocol and goal or action always give the same identifier."""

import base64
import hashlib
import uuid

IDENTITY_SYSTEM = "urn:careplan-exchange:identity"
"""`Identifier.system` of every resource we author (http://hl7.org/fhir/R4/datatypes.html#Identifier)."""

EXCHANGE_TAG = "urn:careplan-exchange:exchange"
"""`meta.tag.system` of our Provenances: the code is the exchange that wrote."""

INSTALLATION_TAG = "urn:careplan-exchange:installation"
"""The same: the code is the store that remembers it (PlanStore.installation)."""

PLAN_KEY = "plan"
"""The key of the one CarePlan that a patient has in use from one endpoint (`nth`: of those before it too)."""

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


def nth(identity: str, generation: int) -> str:
    """The identity of what comes after a thing of ours that has ended: the first (`generation` 1) is `identity`
    itself, the second stands in its place once a person has agreed, and so on. It can be told without any memory:
    whoever knows the first knows them all."""
    if generation == 1:
        return identity
    digest = hashlib.sha256(f"{identity}\x1f{generation}".encode()).digest()
    return base64.b32encode(digest[:20]).decode().lower()


def full_url_of(identity: str) -> str:
    """The `urn:uuid:` that stands for a resource with this identity inside one transaction."""
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}"
