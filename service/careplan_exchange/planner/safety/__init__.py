"""The safety gate: after everything else, on every plan. Rules are data, in `protocols/safety/`.

In: a Proposal and the bindings of its patient. Out: the same with unsafe activities withheld, each with a
DetectedIssue; what the patient takes already reported; questions where a deciding fact is missing; red flags.
Read `rules.py`, `judging.py` (rules against a patient), `gate.py` (what becomes of the proposal), `flags.py`.
`protocols/safety/README.md` says how to write a rule.
"""

from .gate import check, guarded, recognised
from .lint import involves_codes, lint
from .lint_activities import lint_activities
from .loading import compile_gate
from .patient import Checked
from .rules import Gate

__all__ = [
    "Checked",
    "Gate",
    "check",
    "compile_gate",
    "guarded",
    "involves_codes",
    "lint",
    "lint_activities",
    "recognised",
]
