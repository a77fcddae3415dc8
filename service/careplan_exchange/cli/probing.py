"""`careplan doctor --probe`: what a server does with a stale version, tried on a resource of our own."""

from collections.abc import AsyncIterator

from careplan_exchange import bootstrap, config, connections
from careplan_exchange.errors import CareplanError
from careplan_exchange.fhir import connect
from careplan_exchange.ports import Habits
from careplan_exchange.writer import Probed, probe

from .checks import Check


async def probe_all(settings: config.Settings) -> list[Check]:
    """One check an endpoint that answers; those that do not have been told already. What was found is kept, so
    that the first update of every later exchange knows it; without a store nothing is probed."""
    try:
        async with bootstrap.services(settings) as services:
            habits = services.plans
            return [check for name in settings.endpoints async for check in _probed(settings, name, habits)]
    except CareplanError as error:  # of the store alone: `_probed` tells of those of a server
        return [Check("If-Match", ok=True, found=f"not probed: {error.detail}", mend=error.mend)]


async def _probed(settings: config.Settings, name: str, habits: Habits) -> AsyncIterator[Check]:
    what = f"endpoint {name}, If-Match"
    ids = bootstrap.RandomIds()
    try:
        async with connect(connections.connection(settings, name), ids=ids) as client:
            found = await probe(client, ids)
            if found.direct is not None:
                await habits.note_if_match(client.base_url, ignored=found.ignores_if_match)
            yield as_check(what, found)
    except CareplanError as error:
        yield Check(what, ok=True, found=f"not probed: {error.detail}", mend=error.mend)


def as_check(what: str, probed: Probed) -> Check:
    if probed.direct is None:
        found = "not probed: it takes no resource on which nothing depends"
        return Check(what, ok=True, found=found, mend=_left(probed))
    said = {True: "refuses a stale version", False: "ignores it"}
    found = f"an update {said[probed.direct]}"
    if probed.transaction is not None:
        found += f", in a transaction {said[probed.transaction]}"
    if not probed.ignores_if_match:
        return Check(what, ok=True, found=found, mend=_left(probed))
    mend = (
        "Have it check If-Match. Until then what a person writes at the same moment can be replaced for an "
        f"instant: each update is compared, and what it replaced is put back. {_left(probed)}"
    )
    return Check(what, ok=True, found=found, mend=mend.strip())


def _left(probed: Probed) -> str:
    return f"The probe could not delete {probed.left}: delete it by hand." if probed.left else ""
