"""What the companions of a write say of it besides the changes themselves."""

import re
from datetime import UTC, datetime

import msgspec

from careplan_exchange.model.changes import Json
from careplan_exchange.model.identity import EXCHANGE_TAG, INSTALLATION_TAG
from careplan_exchange.model.review import ReviewStep

SOFTWARE = "careplan-exchange"
SOFTWARE_SYSTEM = "urn:careplan-exchange:software"

_PERSON = re.compile(
    r"(?:Practitioner|PractitionerRole|Patient|RelatedPerson|Organization)/[A-Za-z0-9\-.]{1,64}", re.ASCII
)

_NO_CONSENT = frozenset({"assign", "reject"})


class CompanionContext(msgspec.Struct, frozen=True, kw_only=True):
    """`request_id` is the transaction's X-Request-Id, `recorded` the moment (aware), `subject` the patient's
    reference on the target, `target` and `source_endpoint` base URLs, `version` this software's. Where
    `same_server` is false the target does not hold the evidence: logical references name it. `approvals` are the
    steps of the review that let this write through, empty where policy did; `installation` is the id of the store
    that remembers what was written. `events`: the AuditEvents go with the write; otherwise they are told later.
    """

    exchange: str
    request_id: str
    recorded: datetime
    subject: str
    target: str
    version: str
    same_server: bool
    source_endpoint: str
    approvals: tuple[ReviewStep, ...] = ()
    installation: str = ""
    events: bool = True

    @property
    def instant(self) -> str:
        return instant(self.recorded)

    @property
    def software(self) -> Json:
        return software(self.version)

    @property
    def persons(self) -> tuple[str, ...]:
        """Who let it through, each once, in order; whoever modified has approved what came of it."""
        return tuple(dict.fromkeys(step.by for step in self.approvals if step.kind not in _NO_CONSENT))

    @property
    def tags(self) -> Json:
        """`meta` that names the exchange and the installation: a later run finds who wrote what."""
        return tags(self.exchange, self.installation)


def instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def software(version: str) -> Json:
    """The agent that asks and writes. No server holds a Device for this software: it is named, not referenced."""
    return {
        "identifier": {"system": SOFTWARE_SYSTEM, "value": f"{SOFTWARE}/{version}"},
        "display": f"{SOFTWARE} {version}",
    }


def person(by: str) -> Json:
    """Whoever acted: a reference where that is what was given, else the name as it was signed."""
    return {"reference": by} if _PERSON.fullmatch(by) else {"display": by}


def tags(exchange: str, installation: str) -> Json:
    found = [{"system": EXCHANGE_TAG, "code": exchange}]
    if installation:
        found.append({"system": INSTALLATION_TAG, "code": installation})
    return {"tag": found}
