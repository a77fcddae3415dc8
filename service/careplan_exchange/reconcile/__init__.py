"""Step four: what would change on the server, and what is left alone because a person wrote it.

In: our rendering of the plan (`Rendered`), what the target holds now (`Held`), and what was written last
(`Base`), all as plain JSON. Out: a `ChangeSet`, element by element; and, once the server has answered, the
next `Base`. Pure: no request, no clock, no setting.

Read `merge.py` first (the three-way walk), then `rules.py` (the tables it goes by), then `compare.py`.
`docs/merge.md` has the rules on one page. Nothing but the names below may be imported from outside.
"""

from .after import accept, next_base, same_decision
from .compare import compare
from .held import held_in

__all__ = ["accept", "compare", "held_in", "next_base", "same_decision"]
