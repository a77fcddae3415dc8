"""Risk by published equations: in, the variables of one patient; out, a result within its validity, or why none.

The equations are data (`protocols/risk/`), each with its paper; this folder holds the three shapes that they
have: a logistic model, a product of powers, a sum of points. A result is a variable of its own (`%fib4`), so that
a protocol can decide by it, and a line in `Proposal.risks`. Read models.py, then computing.py.
"""

from .assessing import assessed
from .computing import Worked, work_out
from .loading import compile_models, lint_models
from .models import Model

__all__ = ["Model", "Worked", "assessed", "compile_models", "lint_models", "work_out"]
