"""What rendering needs besides the proposal: whose plan it is, where it goes, and today's date."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from careplan_exchange.model.changes import Json, Rendered
from careplan_exchange.model.identity import IDENTITY_SYSTEM, full_url_of, identity_of, nth


class RenderContext(msgspec.Struct, frozen=True, kw_only=True):
    """`source_patient` is the patient's reference on the source, `subject` the one on the target.

    `source_endpoint` is the base URL that evidence was read from. Where `same_server` is false the target does
    not hold that evidence, so it is named by a logical reference. `status` "active" is for a plan that a person
    has approved. `version` is this software's. `generations`: which one it is (model/identity.nth), by the first
    identity, of what comes after one that has ended.
    """

    endpoint_identity: str
    source_endpoint: str
    source_patient: str
    subject: str
    same_server: bool
    now: datetime
    status: Literal["draft", "active"]
    version: str
    generations: Mapping[str, int] = {}

    def identity(self, resource_type: str, key: str) -> str:
        first = identity_of(self.endpoint_identity, self.source_patient, resource_type, key)
        return nth(first, self.generations.get(first, 1))

    def link(self, resource_type: str, key: str) -> Json:
        """The reference to another resource of this rendering, before the server has given it an id."""
        return {"reference": full_url_of(self.identity(resource_type, key))}

    def rendered(self, resource_type: str, key: str, elements: Json) -> Rendered:
        """A resource with our identifier. Elements that are None or empty are left out: FHIR allows neither."""
        identity = self.identity(resource_type, key)
        body = {
            "resourceType": resource_type,
            "identifier": [{"system": IDENTITY_SYSTEM, "value": identity}],
            **compact(elements),
        }
        return Rendered(identity=identity, type=resource_type, full_url=full_url_of(identity), body=body)


def compact(elements: Json) -> Json:
    return {name: value for name, value in elements.items() if value is not None and value not in ("", [], {})}
