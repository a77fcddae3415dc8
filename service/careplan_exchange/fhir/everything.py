"""`Patient/[id]/$everything`: a patient's record in one search, under the same rules as any other.

http://hl7.org/fhir/R4/patient-operation-everything.html. Which resources belong to a record is the server's
judgement, so a caller must know that its server's judgement is complete.
"""

from urllib.parse import quote, urlencode

import msgspec

from careplan_exchange.errors import IncompleteRecordError
from careplan_exchange.model.record import Resource

from .bundle import Bundle, identified, read_header
from .search import refuse_partial, whole
from .session import Session


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the operation. `types` empty: every type. `since`: an instant; `count`: the page size."""

    patient_id: str
    types: tuple[str, ...] = ()
    since: str | None = None
    count: int | None = None

    what = "The operation $everything"
    type = "Patient"
    only_counts = True  # its resources are of many types: `everything` compares with the total itself

    @property
    def url(self) -> str:
        """Relative to the base URL, encoded."""
        params = {
            "_type": ",".join(self.types) or None,
            "_since": self.since,
            "_count": None if self.count is None else str(self.count),
        }
        given = {name: value for name, value in params.items() if value is not None}
        address = f"Patient/{self.patient_id}/$everything"
        return f"{address}?{urlencode(given, safe=':,', quote_via=quote)}" if given else address

    @property
    def with_patient(self) -> bool:
        """Whether the answer must hold the patient."""
        return self.since is None and (not self.types or "Patient" in self.types)


async def everything(session: Session, asked: Everything) -> tuple[Resource, ...]:
    """The patient, what belongs to them, and what that refers to, each once and in its newest version.

    A server may pay no heed to `_since` (HAPI 8.8, measured) or to `_type`: older resources may be among them,
    others than of `types` are left out. Whose resources they are is for the caller to check. Raises
    IncompleteRecordError, also where the patient is not among them; NotFhirError, RefusedError (404: no such
    patient, or no such operation), UnavailableError.
    """
    total = 0

    def take(page: Bundle) -> list[Resource]:
        nonlocal total
        total = page.total or 0
        return _entries(page)

    found = await whole(session, asked, take, no_cache=True)
    if len(found) < total:
        raise IncompleteRecordError(
            f"{asked.what} has {total} resources by the server's own count, but {len(found)} came.",
            mend="Check the credentials' scopes and the server's paging; a part of a record is never used.",
        )
    if asked.with_patient and f"Patient/{asked.patient_id}" not in {resource.reference for resource in found}:
        raise IncompleteRecordError(
            f"{asked.what} came without the patient it was asked about.",
            mend="Check the credentials' scopes; a record without its patient is never used.",
        )
    return tuple(resource for resource in found if not asked.types or resource.type in asked.types)


def _entries(page: Bundle) -> list[Resource]:
    resources = []
    what = f"{Everything.what}: the answer"
    for entry in page.entry:
        if not entry.has_resource:
            raise IncompleteRecordError(
                f"{Everything.what} returned an entry without its resource.",
                mend="Report it to those who run the server: a searchset entry must hold a resource.",
            )
        header = read_header(entry.resource, what)
        mode = entry.search.mode if entry.search is not None else None
        if mode == "outcome" or header.resource_type == "OperationOutcome":
            refuse_partial(entry.resource, Everything.what)
        else:
            resources.append(identified(header, entry.resource, what))
    return resources
