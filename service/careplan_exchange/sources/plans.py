"""Query plans: what a server is asked for, chosen by vendor. `plan_files.py` makes them of the data."""

import difflib
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from careplan_exchange.errors import SettingsError
from careplan_exchange.model.record import Shape

from .plan_rows import Each, Filter, PatientValue

GENERIC = "generic"


class TypePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for of one resource type; see `plan_rows.Type`."""

    type: str
    parameter: str
    value: PatientValue
    count: int
    only: tuple[Filter, ...]
    also: tuple[Filter, ...]
    each: Each | None
    include: tuple[str, ...]
    releases: tuple[Shape, ...]

    @property
    def whole(self) -> bool:
        """Whether its queries find everything of the type: not where they are narrowed on purpose, and not where
        there is one query a category unless the plan says that the categories cover all."""
        return not self.only and (self.each is None or self.each.whole)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's plan, with what it takes from `generic`."""

    vendor: str
    title: str
    matches: tuple[str, ...]
    types: tuple[TypePlan, ...]
    batch: Literal["yes", "no", "as-stated"]
    include: Literal["yes", "no", "as-stated"]
    everything: Literal["never", "without-batch"]
    finds_every_change: bool
    overlap_minutes: int
    listing: tuple[Filter, ...]
    estimates_total: bool
    ids_at_once: int
    headers: tuple[str, ...]


class Plans(msgspec.Struct, frozen=True):
    """Every plan by the vendor's name."""

    by_vendor: Mapping[str, Plan]

    def choose(self, vendor: str | None, software: str | None) -> Plan:
        """The plan of this vendor; without one that whose pattern fits CapabilityStatement.software, else the
        generic one. Raises SettingsError for a vendor that has none."""
        if vendor is not None:
            if vendor not in self.by_vendor:
                near = difflib.get_close_matches(vendor, self.by_vendor, n=1)
                raise SettingsError(
                    f"There is no query plan for the vendor '{vendor}'."
                    + (f" Did you mean '{near[0]}'?" if near else ""),
                    mend=f"Set vendor to one of {', '.join(sorted(self.by_vendor))}, "
                    "or add a file to mappings/vendors.",
                )
            return self.by_vendor[vendor]
        for plan in self.by_vendor.values():
            if software and any(re.search(pattern, software, re.IGNORECASE) for pattern in plan.matches):
                return plan
        return self.by_vendor[GENERIC]
