"""What stands over all protocols: rules about the whole plan, which no single protocol can hold."""

from collections.abc import Mapping

import msgspec

from .circumstances import Circumstances
from .combine import Combining
from .progress import Threshold
from .risk.models import Compiled
from .safety import Gate


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Compiled from the folders beside the protocols: how several become one plan, what a patient's circumstances
    and preferences change in it, the safety gate after all of that, the equations of risk, and by concept the
    change that is progress. By default nothing but the very same is said once, and nothing is checked: that is
    for the tests of one protocol alone."""

    combining: Combining = Combining()
    circumstances: Circumstances = Circumstances()
    safety: Gate | None = None
    risks: tuple[Compiled, ...] = ()
    thresholds: Mapping[str, Threshold] = msgspec.field(default_factory=dict)
