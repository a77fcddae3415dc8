"""What a sync came to last, kept in memory, so that a record in which nothing has changed is not planned again.

A plan is a function of the record, the knowledge, the day, what was written last and what waits. A digest covers
all of them; where it is the one of a sync that found nothing to do, there is nothing to do again. Nothing is kept
beyond the process, and nothing but "unchanged" is ever taken from here: a write is always planned anew.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from careplan_exchange.model.receipt import Receipt

_KEPT = 2_000
"""Patients: a receipt with its issues takes some 20 kB."""


class Seen(NamedTuple):
    """Whose plan, and a digest of everything that it and its comparison rest on; None where that is not known."""

    target: str
    patient: str
    digest: bytes | None


class Standing:
    """The last finding about each patient that was "unchanged". One for each process."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[bytes, Receipt]] = OrderedDict()

    def found(self, seen: Seen, exchange: str) -> Receipt | None:
        """The receipt of `exchange`, where nothing has changed since the last one that found nothing to do."""
        known = self._known.get(seen[:2])
        if known is None or known[0] != seen.digest:
            return None
        self._known.move_to_end(seen[:2])
        return msgspec.structs.replace(known[1], exchange=exchange)

    def keep(self, seen: Seen, receipt: Receipt) -> None:
        """`receipt` is what was made of what was `seen`; only "unchanged" is kept."""
        self._known.pop(seen[:2], None)
        if receipt.outcome != "unchanged" or seen.digest is None:
            return
        self._known[seen[:2]] = (seen.digest, receipt)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
