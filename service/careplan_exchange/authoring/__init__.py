"""For people who write protocols: a skeleton to begin with, golden cases, previews, comparisons, a page to read.

In: the files of a protocol, a case or a snapshot. Out: values that a command shows. Pure but for `skeleton.py`'s
templates; reading files and records is the command's. Read `cases.py` first.
"""

from .cases import Case, Outcome, read_cases, run_case
from .chosen import chosen, definitions
from .pages import page
from .reach import Reach, reach_of
from .skeleton import skeleton

__all__ = [
    "Case",
    "Outcome",
    "Reach",
    "chosen",
    "definitions",
    "page",
    "reach_of",
    "read_cases",
    "run_case",
    "skeleton",
]
