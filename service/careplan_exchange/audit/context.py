"""What the companions of a write say of it besides the changes themselves."""

from datetime import UTC, datetime

import msgspec

from careplan_exchange.model.changes import Json

SOFTWARE = "careplan-exchange"
SOFTWARE_SYSTEM = "urn:careplan-exchange:software"


class CompanionContext(msgspec.Struct, frozen=True, kw_only=True):
    """`request_id` is the transaction's X-Request-Id, `recorded` the moment (aware), `subject` the patient's
    reference on the target, `target` and `source_endpoint` base URLs, `version` this software's. Where
    `same_server` is false the target does not hold the evidence: logical references name it."""

    exchange: str
    request_id: str
    recorded: datetime
    subject: str
    target: str
    version: str
    same_server: bool
    source_endpoint: str

    @property
    def instant(self) -> str:
        return self.recorded.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def software(self) -> Json:
        """The agent that writes. No target holds a Device for this software: it is named, not referenced."""
        return {
            "identifier": {"system": SOFTWARE_SYSTEM, "value": f"{SOFTWARE}/{self.version}"},
            "display": f"{SOFTWARE} {self.version}",
        }
