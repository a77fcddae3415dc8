"""Drills: the twelve ways to lose, double or overwrite data on writing back, tried on a real server.

In: a server (or the sandbox), and a seed. Out: counts, which should all be zero. `script.py` says what a run can
consist of, `modes/` what the twelve are, `proxy.py` breaks the traffic, `clinician.py` edits meanwhile,
`outages.py` has the server killed, `running.py` carries one run out, `checker.py` counts by itself, `batch.py`
makes many. Read `running.py` first.
"""

from .batch import Line, Order, drill, lines_of, require_modes
from .checker import COUNTS
from .modes import MEANING, MODES
from .outages import Restart
from .report import as_test_report
from .running import Result

__all__ = [
    "COUNTS",
    "MEANING",
    "MODES",
    "Line",
    "Order",
    "Restart",
    "Result",
    "as_test_report",
    "drill",
    "lines_of",
    "require_modes",
]
