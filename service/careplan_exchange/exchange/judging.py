"""What a revert would change, and whether it may: by what stands on the server now, and by the policy."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from careplan_exchange.errors import ForbiddenByPolicyError, UsageError
from careplan_exchange.model.changes import ChangeSet, Commit, ResourceChange, identities_of
from careplan_exchange.model.review import Needs, Pending, ReviewStep
from careplan_exchange.reconcile import accept, same_decision, undo
from careplan_exchange.review import approvers, needed_to_undo, persons

from .steps import Target


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """Which exchange (`reverts`, with what it wrote: `commits`, oldest first) is taken back by which new one
    (`exchange`), and whose wish that is. `accepting` is a review of exactly this, which persons have approved."""

    exchange: str
    reverts: str
    commits: tuple[Commit, ...]
    step: ReviewStep
    accepting: Pending | None = None

    @property
    def patient(self) -> str:
        """Whose plan it is, for the store."""
        return self.commits[0].intent.patient


class Judged(NamedTuple):
    """`changes` is what is taken back. `why` it waits: empty where it may be written now. `same`: it is what the
    review shows that is carried out. `counts`: whoever asks is one of those who approve, because nobody else's
    work is undone with it."""

    changes: ChangeSet
    needs: Needs
    why: tuple[str, ...] = ()
    same: bool = False
    counts: bool = False

    @property
    def persons(self) -> int:
        """How many different people it takes: never none, for somebody asks."""
        return max(1, persons(self.needs))


async def judged(target: Target, asked: Undo) -> Judged:
    """The policy is asked as it is now, also about a review that waited under another one. Raises UsageError,
    and what a look at the server raises."""
    written = (one for commit in asked.commits for one in commit.written)
    held = await target.writer.current(identities_of(written))
    found = undo(asked.commits, held, patient=_subject(asked.commits))
    shown = asked.accepting
    same = shown is not None and same_decision(shown.change_set, found)
    changes = accept(found) if same else found
    if not changes.to_write and not found.conflicts:
        return Judged(changes, "auto")
    needs = needed_to_undo(found, _undone(asked.commits), target.policy)
    counts = shown is None and not found.conflicts
    judgement = Judged(changes, needs, same=same, counts=counts)
    agreed = len(approvers(shown)) if shown is not None and same else int(counts)
    if agreed >= judgement.persons:
        return judgement
    why: list[str] = [] if same else [*await _in_the_way(target, asked)] if found.conflicts else []
    if judgement.persons > 1:
        why.append(f"Taking back what exchange {asked.reverts} wrote waits for two persons.")
    why = why or ["It is no longer what was shown, so a person is asked anew."]
    return judgement._replace(why=tuple(why))


def forbidden(asked: Undo) -> ForbiddenByPolicyError:
    """Of a revert of which something is `never` allowed."""
    return ForbiddenByPolicyError(
        f"The review policy of this site never lets a part of what exchange {asked.reverts} wrote be taken back. "
        "Nothing was written.",
        mend="See protocols/review/policy.yaml for what is `never`; change it there, or mend the plan by hand on "
        "the server.",
    )


def _undone(commits: Sequence[Commit]) -> tuple[ResourceChange, ...]:
    """What was written, as it was decided then."""
    return tuple(
        change
        for commit in commits
        for change in commit.intent.changes
        if change.identity in {one.identity for one in commit.written}
    )


def _subject(commits: Sequence[Commit]) -> str:
    """The patient's reference on the target, as the resources themselves have it."""
    for commit in commits:
        for written in commit.written:
            subject = written.stored.get("subject") or written.stored.get("patient") or {}
            if subject.get("reference"):
                return str(subject["reference"])
    raise UsageError("What that exchange wrote names no patient.", mend="Take it back by hand on the server.")


async def _in_the_way(target: Target, asked: Undo) -> tuple[str, ...]:
    """Why it cannot be taken back without a person, and which later exchanges of ours are in the way."""
    last = asked.commits[-1]
    touched = {written.identity for commit in asked.commits for written in commit.written}
    known = await target.plans.commits(of=(last.intent.target, asked.patient))
    place = [commit.intent.id for commit in known].index(last.intent.id)
    since = dict.fromkeys(
        commit.intent.exchange
        for commit in known[place + 1 :]
        if any(written.identity in touched for written in commit.written)
    )
    sentence = f"What exchange {asked.reverts} wrote was changed since; taking it back would undo that too."
    if since:
        return (sentence, f"Later exchanges wrote there too: {', '.join(since)}. Take those back first.")
    return (sentence,)
