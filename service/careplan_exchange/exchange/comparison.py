"""All sides of one exchange, read once: compared as often as a decision asks, and once more after the write."""

from collections.abc import Callable, Collection, Mapping, Sequence

from careplan_exchange.model.changes import Base, ChangeSet, Held, WrittenResource
from careplan_exchange.review import is_draft, is_in_use, is_plan

from .settling import as_held, bases_of

Compare = Callable[[Sequence[Held], Mapping[str, Base], bool], ChangeSet]
"""From what is held, what was written last, and whether the plan is approved, to what would change."""


class Comparison:
    """`compare` knows our rendering; `plans` are the identities under which it has the plan, none where none is
    proposed. `replaces`: it would stand in the place of a plan that has ended."""

    def __init__(
        self,
        compare: Compare,
        held: Sequence[Held],
        bases: Mapping[str, Base],
        plans: Collection[str],
        *,
        replaces: bool = False,
    ) -> None:
        self.replaces = replaces
        self._compare, self._held, self._bases = compare, held, bases
        self._plans = plans
        self._standing = [one for one in held if is_plan(one.type) and (one.identity in plans or not plans)]

    def against(self, *, approve: bool) -> ChangeSet:
        """What would change. With `approve` a plan that nobody has adopted yet becomes active, goals included."""
        return self._compare(self._held, self._bases, approve)

    @property
    def is_new(self) -> bool:
        """Whether no plan stands, and none of ours is remembered."""
        return not self._standing and not any(plan in self._bases for plan in self._plans)

    @property
    def is_draft(self) -> bool:
        """Whether the plan stands, and nobody has adopted it yet."""
        return any(is_draft(one.type, one.body) for one in self._standing) and not any(
            is_in_use(one.type, one.body) for one in self._standing
        )

    @property
    def versions(self) -> Mapping[str, str]:
        """Of what stands, by identity."""
        return {one.identity: one.version_id for one in self._held}

    def after(self, changes: ChangeSet, written: Sequence[WrittenResource]) -> "Comparison":
        """The comparison that a fresh read would give, once `changes` came to `written`."""
        fresh = {
            one.identity: Held(
                identity=one.identity, type=one.type, id=one.id, version_id=one.version_id, body=one.stored
            )
            for one in written
        }
        held = (*(one for one in self._held if one.identity not in fresh), *fresh.values())
        taken = [one for one in changes.changes if one.action == "unchanged" and one.base is None]
        bases = (*bases_of(taken, as_held(taken)), *bases_of(changes.changes, written))
        known = {**self._bases, **{base.identity: base for base in bases}}
        return Comparison(self._compare, held, known, self._plans, replaces=self.replaces)
