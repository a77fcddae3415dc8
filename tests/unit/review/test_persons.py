"""Who has approved of what, and how much of it each person has seen."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.review import approvers, consents, content_of
from careplan_exchange.review.persons import has_approved, has_seen, seen_of

BARE = Pending(
    id="r1",
    request=ExchangeRequest(endpoint="e", patient="p1"),
    target="https://target.example.org/fhir",
    patient="Patient/p1",
    change_set=ChangeSet(patient="Patient/p1", changes=()),
    why=(),
    created_at="2026-11-24T08:00:00Z",
)


def step(kind: Any, by: str, **more: Any) -> ReviewStep:
    return ReviewStep(kind=kind, by=by, at="2026-11-24T10:00:00Z", **more)


def after(*steps: ReviewStep) -> Pending:
    return msgspec.structs.replace(BARE, steps=steps)


FIRST = step("modify", "Dr Strange", edits={"Goal/1 description.text": "x"})
SECOND = step("modify", "Dr House", edits={"Goal/1 description.text": "y"})
SHOWN, ONCE, TWICE = content_of(BARE), content_of(after(FIRST)), content_of(after(FIRST, SECOND))


def test_the_content_is_what_was_found_and_who_wants_what_otherwise() -> None:
    assert len(SHOWN) == len(ONCE) == 16
    assert len({SHOWN, ONCE, TWICE, content_of(after(SECOND, FIRST))}) == 4
    assert content_of(after(msgspec.structs.replace(FIRST, by="Dr Who"))) != ONCE
    assert content_of(after(msgspec.structs.replace(FIRST, edits={"Goal/1 description.text": "z"}))) != ONCE
    assert content_of(after(step("assign", "a", to="b"), FIRST, step("approve", "c"))) == ONCE
    other = msgspec.structs.replace(BARE, change_set=ChangeSet(patient="Patient/p2", changes=()))
    assert content_of(other) != SHOWN


@pytest.mark.parametrize("kind", ["approve", "revert"])
def test_to_approve_and_to_wish_a_revert_is_to_consent(kind: str) -> None:
    given = step(kind, "Dr Who", content=SHOWN)
    assert consents(after(given)) == (given,)
    assert consents(after(step("assign", "Dr Who", to="x"), step("reject", "Dr Who"))) == ()


def test_whoever_modified_last_stands_alone_until_others_approve_of_that() -> None:
    assert approvers(after(FIRST, SECOND)) == ("Dr House",)
    given = (step("approve", "Dr Who", content=ONCE), step("approve", "Dr No", content=TWICE))
    assert approvers(after(FIRST, given[0], SECOND, given[1])) == ("Dr House", "Dr No")


def test_a_person_counts_once_under_the_name_that_was_given_first() -> None:
    twice = (step("approve", "Dr Who"), step("approve", " dr  WHO "))
    assert approvers(after(*twice)) == ("Dr Who",)
    assert has_approved(after(*twice), "DR\twho")
    assert not has_approved(after(*twice), "Dr Whom")
    assert not has_approved(BARE, "Dr Who")


@pytest.mark.parametrize(
    ("pending", "by", "seen", "knows"),
    [
        (BARE, "Dr Who", None, True),
        (BARE, "Dr Who", SHOWN, True),
        (BARE, "Dr Who", ONCE, False),
        (after(FIRST), "Dr Who", None, False),
        (after(FIRST), "Dr Who", SHOWN, False),
        (after(FIRST), "Dr Who", ONCE, True),
        (after(FIRST), "dr strange", None, True),
        (after(FIRST), "Dr Strange", SHOWN, False),
        (after(FIRST, SECOND), "Dr Strange", None, False),
        (after(FIRST, step("approve", "Dr Who", content=ONCE)), "Dr Who", None, True),
        (after(step("assign", "Dr No", to="Dr Who")), "Dr Who", None, True),
    ],
)
def test_a_person_knows_what_they_were_shown_and_what_they_made_of_it(
    pending: Pending, by: str, seen: str | None, knows: bool
) -> None:
    assert has_seen(pending, by, seen) is knows


APPROVED = step("approve", "Dr No", content=ONCE)
ALL = after(FIRST, APPROVED, SECOND)


@pytest.mark.parametrize(
    ("by", "seen", "steps"),
    [
        ("Dr Who", TWICE, (FIRST, APPROVED, SECOND)),
        ("Dr Who", ONCE, (FIRST,)),
        ("Dr Who", SHOWN, ()),
        ("Dr Who", "0123456789abcdef", ()),
        ("Dr Who", None, ()),
        ("dr house", None, (FIRST, APPROVED, SECOND)),
        ("Dr Strange", None, (FIRST,)),
        ("Dr House", SHOWN, ()),
        ("Dr No", None, ()),
    ],
)
def test_what_is_told_as_new_begins_after_the_modification_that_a_person_saw_or_made(
    by: str, seen: str | None, steps: tuple[ReviewStep, ...]
) -> None:
    assert seen_of(ALL, by, seen) == after(*steps)
