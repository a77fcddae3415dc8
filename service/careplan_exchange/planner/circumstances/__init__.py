"""What a patient's circumstances and preferences change in a plan: `adapting.py` first, then `rules.py` for the
shapes of `protocols/circumstances/`. docs/combining.md is for people."""

from .adapting import adapt
from .loading import compile_circumstances, lint_circumstances
from .rules import Circumstances

__all__ = ["Circumstances", "adapt", "compile_circumstances", "lint_circumstances"]
