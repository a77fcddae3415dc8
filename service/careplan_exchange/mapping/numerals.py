"""A number that was sent as a text: `7.2`, `<7,2 %`, `≥ 90`."""

import re
from decimal import Decimal

from .wire import Quantity

_NUMBER = re.compile(
    r"(?P<comparator><=|>=|<|>|≤|≥)?\s*(?P<whole>-?[0-9]{1,12})(?:(?P<mark>[.,])(?P<part>[0-9]{1,12}))?"
    # Not a unit: the rest of a range, a fraction, a titre or another number.
    r"(?:\s*(?P<unit>(?![.,:/+\u2013-]\s*[0-9.,])[^0-9\s].*))?"
)
_COMPARATORS = {"≤": "<=", "≥": ">="}


def quantity_in(text: str) -> Quantity | None:
    """The quantity that the whole text is, its unit as displayed; None where the text is anything else.

    A comma before exactly three digits may part thousands or decimals, so such a text is none. What follows the
    number is a unit only if `mappings/units.yaml` knows it: that is for the caller to look up.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    whole, mark, part = match["whole"], match["mark"], match["part"]
    if mark == "," and len(part) == 3:
        return None
    comparator = match["comparator"]
    return Quantity(
        value=Decimal(f"{whole}.{part}" if part else whole),
        comparator=_COMPARATORS.get(comparator, comparator) if comparator else None,
        unit=match["unit"],
    )
