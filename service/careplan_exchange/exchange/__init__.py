"""The data path for one patient: pull, map, plan, compare, decide, write, record.

Read `path.sync` first: it reads as this list. The dry run (`reading.propose`) is the same code, stopped before
anything is compared. In: ports and knowledge (`Steps`), what was asked (`Request`). Out: a Receipt.
"""

from .decided import close_what_was_carried_out, require_known_outcome
from .deciding import approvals_of, note_step
from .judging import Undo
from .path import sync
from .reading import explain, propose, read, suppose
from .remembering import recover
from .standing import Standing
from .steps import Knowledge, Request, Steps, Target, known_as
from .undoing import revert
from .writing import NotCarriedOutError

__all__ = [
    "Knowledge",
    "NotCarriedOutError",
    "Request",
    "Standing",
    "Steps",
    "Target",
    "Undo",
    "approvals_of",
    "close_what_was_carried_out",
    "explain",
    "known_as",
    "note_step",
    "propose",
    "read",
    "recover",
    "require_known_outcome",
    "revert",
    "suppose",
    "sync",
]
