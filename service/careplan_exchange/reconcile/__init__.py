"""Step four: what would change on the server, and what is left alone because a person wrote it.

In: our rendering of the plan (`Rendered`), what the target holds now (`Held`), and what was written last
(`Base`), all as plain JSON. Out: a `ChangeSet`, element by element; and, once the server has answered, the
next `Base`. Pure: no request, no clock, no setting.

Read `merge.py` first (the three-way walk), then `rules.py` (the tables it goes by), then `compare.py`.
`docs/merge.md` has the rules on one page. Nothing but the names below may be imported from outside.
"""

from .after import accept, next_base, same_decision, without_days
from .compare import close, compare
from .documents import as_revision, stands_as_final
from .ending import resolved_problems
from .generations import Current, current_plan, generations, numbered
from .grounds import ground_of_plan, grounds_of
from .held import held_in
from .modified import modified
from .rejected import not_again
from .undo import base_after_undo, undo

__all__ = [
    "Current",
    "accept",
    "as_revision",
    "base_after_undo",
    "close",
    "compare",
    "current_plan",
    "generations",
    "ground_of_plan",
    "grounds_of",
    "held_in",
    "modified",
    "next_base",
    "not_again",
    "numbered",
    "resolved_problems",
    "same_decision",
    "stands_as_final",
    "undo",
    "without_days",
]
