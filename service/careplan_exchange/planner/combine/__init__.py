"""Several protocols as one plan: `combining.py` has the order, `rules.py` the shapes of `protocols/combine/`,
`ranking.py` what the plan costs and what comes first. docs/combining.md is for people."""

from .combining import combine
from .loading import compile_combining, lint_combining
from .ranking import ranked
from .rules import Combining

__all__ = ["Combining", "combine", "compile_combining", "lint_combining", "ranked"]
