"""A patient's record from a Bundle file, taken as a server would take it in: references inside the Bundle are
resolved, and what has no id gets that of its fullUrl (failing that, its place in the file).

Decided, and held to by tests:

- The file is the whole record: a type that does not occur in it was looked at and is empty. A page of a search
  that has a next page is not whole, and is refused.
- It is about one patient. Patient resources of others may be in it (a mother, a donor: somebody links to them);
  anything else that is about another patient, of whichever type, makes the file unusable.
- It is read as R4: a Bundle does not say its version.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from careplan_exchange.errors import (
    IncompleteRecordError,
    NotFhirError,
    PatientAmbiguousError,
    PatientNotFoundError,
)
from careplan_exchange.fhir import (
    ID,
    Bundle,
    Entry,
    Header,
    as_resource,
    newest,
    read_bundle,
    read_header,
    refuse_partial,
)
from careplan_exchange.logs import hashed
from careplan_exchange.model import codec
from careplan_exchange.model.record import PatientRecord, Resource

from .kinds import ASKED, TYPES
from .patient import (
    BusinessIdentifier,
    belonging,
    belongings,
    has_identifier,
    only_one,
    parse_patient,
    refuse_another,
    refuse_merged,
    subjects_of,
)

_MEND = "Give a file with one FHIR Bundle in JSON, of type collection, searchset, transaction or batch-response."
_REFUSED_TYPES = {
    "history": "A history holds old versions and deletions; export the current resources instead.",
    "subscription-notification": "A notification is not a record; export the patient's resources instead.",
}


class _Item(NamedTuple):
    """One resource of the file, its id settled. `full_url` is empty where the entry has none."""

    full_url: str
    header: Header
    id: str
    raw: msgspec.Raw

    @property
    def reference(self) -> str:
        return f"{self.header.resource_type}/{self.id}"


class BundleSource:
    """ports.Source over the bytes of one Bundle file.

    `identity` names the file in derived identifiers. `name` stands for the base URL that a file does not have, as
    a hash: a file is often named after the patient.
    """

    def __init__(self, data: bytes, *, identity: str, name: str) -> None:
        self._data = data
        self._identity = identity
        self._endpoint = f"urn:careplan-exchange:bundle:{hashed(name)}"
        self._items: tuple[_Item, ...] | None = None

    @property
    def endpoint(self) -> str:
        return self._endpoint

    @property
    def identity(self) -> str:
        return self._identity

    async def pull(self, patient_id: str) -> PatientRecord:
        """The record of this patient (an id, or `system|value`).

        Raises UsageError, NotFhirError, IncompleteRecordError, PatientNotFoundError, PatientAmbiguousError,
        PatientMergedError, WrongPatientError.
        """
        asked = parse_patient(patient_id)
        items = self._read()
        if isinstance(asked, BusinessIdentifier):
            asked = only_one(_holders(items, asked), "this file")
        places = _places(items)
        patient = _patient(items, asked, places)
        subjects: dict[str, tuple[str, ...]] = {}
        for item in items:
            about = subjects[item.reference] = _subjects(item, places)
            if belonging(about, asked, self._endpoint) == "another":
                raise refuse_another(item.header.resource_type)
        wanted = (item for item in items if item.header.resource_type in TYPES - {"Patient"})
        resources, issues = belongings(
            newest(_resolved(item, places) for item in wanted), subjects, asked, self._endpoint
        )
        return PatientRecord(
            endpoint=self._endpoint,
            identity=self._identity,
            release="R4",
            patient=patient,
            resources=resources,
            categories=ASKED,
            issues=issues,
        )

    def patient_id(self) -> str:
        """The id of the one patient whom the file is about.

        Raises NotFhirError, IncompleteRecordError, PatientNotFoundError, PatientAmbiguousError.
        """
        items = self._read()
        ids = sorted({item.id for item in items if item.header.resource_type == "Patient"})
        if len(ids) > 1:
            places = _places(items)
            about = {subject for item in items for subject in _subjects(item, places)}
            ids = [each for each in ids if f"Patient/{each}" in about]
            if len(ids) != 1:
                raise PatientAmbiguousError(
                    "The file is not about one patient alone.", mend="Give each patient a file of their own."
                )
        if not ids:
            raise PatientNotFoundError("There is no Patient in the file.", mend=_MEND)
        return ids[0]

    def left_aside(self) -> Counter[str]:
        """How many resources the file holds of each type that is not part of a record. Raises as `pull` does."""
        items = self._read()
        references = {(item.header.resource_type, item.id) for item in items}
        return Counter(type_ for type_, _ in references if type_ not in TYPES)

    def _read(self) -> tuple[_Item, ...]:
        if self._items is None:
            self._items = _items(self._data)
        return self._items


def _items(data: bytes) -> tuple[_Item, ...]:
    """Every resource of the Bundle, and of the Bundles in it, with an id. Raises NotFhirError and
    IncompleteRecordError."""
    try:
        bundle = read_bundle(data, "The file")
        _refuse_part(bundle)
        return tuple(_item(entry, place) for place, entry in enumerate(_entries(bundle), start=1))
    except NotFhirError as error:
        raise NotFhirError(error.detail, mend=_MEND) from None


def _places(items: tuple[_Item, ...]) -> dict[str, str]:
    return {item.full_url: item.reference for item in items if item.full_url}


def _entries(bundle: Bundle) -> Iterator[Entry]:
    """The entries that hold a resource of the record; the searchsets of a batch-response are opened."""
    for entry in bundle.entry:
        if entry.response is not None and entry.response.code >= 400:
            raise IncompleteRecordError(
                f"An entry of the Bundle says that its request failed ({entry.response.code}).",
                mend="Fetch the Bundle again; a part of a record is never used.",
            )
        if not entry.has_resource:
            continue
        kind = read_header(entry.resource, "An entry of the Bundle").resource_type
        if kind == "OperationOutcome":
            refuse_partial(entry.resource, "The search in this file")
        elif kind == "Bundle":
            inner = read_bundle(entry.resource, "An entry of the Bundle")
            _refuse_part(inner)
            yield from _entries(inner)
        elif kind != "Parameters":
            yield entry


def _refuse_part(bundle: Bundle) -> None:
    if bundle.type in _REFUSED_TYPES:
        raise NotFhirError(f"The file is a Bundle of type {bundle.type}.", mend=_REFUSED_TYPES[bundle.type])
    if bundle.next is not None:
        raise IncompleteRecordError(
            "The file is one page of a search that has more pages.",
            mend="Fetch all pages into one Bundle without a next link, or plan from the server itself.",
        )


def _item(entry: Entry, place: int) -> _Item:
    header = read_header(entry.resource, f"Entry {place} of the Bundle")
    full_url = entry.full_url or ""
    resource_id = header.id or full_url.rpartition("/")[2].rpartition(":")[2] or f"entry-{place}"
    if not ID.fullmatch(resource_id):
        raise NotFhirError(f"Entry {place} of the Bundle has no valid id.", mend=_MEND)
    return _Item(full_url=full_url, header=header, id=resource_id, raw=entry.resource)


def _patient(items: tuple[_Item, ...], patient_id: str, places: dict[str, str]) -> Resource:
    found = [item for item in items if item.reference == f"Patient/{patient_id}"]
    if not found:
        raise PatientNotFoundError(
            "There is no Patient with this id in the file.",
            mend="Give the id of a Patient resource in it, or an identifier as system|value.",
        )
    if len({item.full_url for item in found}) > 1:
        raise PatientAmbiguousError(
            "The file holds patients of several servers under this id.",
            mend="Export each server's patient into a file of its own.",
        )
    patient = newest(_resolved(item, places) for item in found)[0]
    refuse_merged(patient)
    return patient


def _holders(items: tuple[_Item, ...], wanted: BusinessIdentifier) -> list[str]:
    return [i.id for i in items if i.header.resource_type == "Patient" and has_identifier(i.raw, wanted)]


def _subjects(item: _Item, places: dict[str, str]) -> tuple[str, ...]:
    """Whom it is about, resolved in the file. Types outside the record may name several, or none: they count as
    naming nobody."""
    try:
        subjects = subjects_of(item.raw)
    except NotFhirError:
        if item.header.resource_type in TYPES:
            raise
        return ()
    return tuple(places.get(subject, subject) for subject in subjects)


def _resolved(item: _Item, places: dict[str, str]) -> Resource:
    """The resource as a server would store it: the file's own bytes where nothing needs to be resolved."""
    resource = as_resource(item.header, item.id, item.raw)
    content = codec.decode(resource.content)
    if item.header.id is not None and places.keys().isdisjoint(_references(content)):
        return resource
    content = _with_places({**content, "id": item.id}, places)
    return msgspec.structs.replace(resource, content=codec.encode(content))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "reference" and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _with_places(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: places.get(inner, inner)
            if key == "reference" and isinstance(inner, str)
            else _with_places(inner, places)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_places(inner, places) for inner in value]
    return value
