"""The shapes of the files in `mappings/vendors/`, one struct an element; see the README there.

Whatever a vendor's file does not say is as in `generic.yaml`.
"""

from typing import Literal

import msgspec

from careplan_exchange.mapping.files import Text
from careplan_exchange.model.record import Shape

PatientValue = Literal["<id>", "Patient/<id>"]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What every element has: the public page that says so, `measured: …`, or `not confirmed: …`."""

    source: Text


class Ability(Row, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Whether something is used: `as-stated` where the CapabilityStatement lists it."""

    use: Literal["yes", "no", "as-stated"]
    reason: Text


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One more search parameter. `<today>` in the value is the day of the run."""

    name: Text
    value: Text


class LastUpdated(Row, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Whether a search by `_lastUpdated` finds every change. `overlap_minutes`: how far back beyond the last
    reading it asks, for clocks that differ and writes that come late. `listing`: what makes a search give ids and
    versions alone."""

    finds_every_change: bool
    reason: Text
    overlap_minutes: int = 10
    listing: tuple[Filter, ...] = (Filter("_elements", "id"),)


class Everything(Row, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`Patient/[id]/$everything`: whether it holds the whole record, and when it is used instead of searches."""

    whole: bool
    use: Literal["never", "without-batch"]
    reason: Text


class Header(Row, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An HTTP header that the vendor wants with every request; its value stands in the endpoint's `headers`."""

    name: Text
    reason: Text


class Each(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One query for each of these values. `whole`: together they find everything of the type."""

    parameter: Text
    values: tuple[Text, ...]
    whole: bool
    reason: Text


class Type(Row, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is asked for of one resource type. None: as in `generic.yaml`.

    `only` narrows on purpose: such a type is never claimed as read whole; `with` does not narrow. `include` names
    what comes along with it (`MedicationRequest:medication`). `releases`: the FHIR releases that have the type.
    """

    type: Text
    parameter: Text | None = None
    value: PatientValue | None = None
    count: int | None = None
    only: tuple[Filter, ...] | None = None
    with_: tuple[Filter, ...] | None = msgspec.field(default=None, name="with")
    each: Each | None = None
    include: tuple[Text, ...] | None = None
    releases: tuple[Shape, ...] | None = None


class Vendor(Row, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One file. `matches` are patterns for CapabilityStatement.software.name; `total` is `estimate` where
    Bundle.total is exact on the last page only; `ids_at_once`: how many ids one `_id` may name."""

    vendor: Text
    title: Text
    reviewed: Text
    matches: tuple[Text, ...] = ()
    value: PatientValue | None = None
    count: int | None = None
    total: Literal["exact", "estimate"] | None = None
    ids_at_once: int | None = None
    batch: Ability | None = None
    include: Ability | None = None
    last_updated: LastUpdated | None = None
    everything: Everything | None = None
    headers: tuple[Header, ...] = ()
    types: tuple[Type, ...] = ()
