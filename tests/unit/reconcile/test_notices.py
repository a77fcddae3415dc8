"""What a person is told of a merge, in the terms of OperationOutcome.issue."""

import pytest

from careplan_exchange.model.changes import Base, Held
from careplan_exchange.reconcile import notices
from tests.unit.reconcile.world import goal

HELD = Held(identity="one", type="CarePlan", id="7", version_id="3", body={})
CAN_BE_UNDONE = (notices.left_deleted, notices.plan_ended)
BASE = Base(identity="one", type="Goal", id="8", version_id="2", ours={}, stored={})


@pytest.mark.parametrize(
    ("notice", "about", "expected"),
    [
        (notices.deleted, BASE, ("warning", "deleted", None, "Goal/8/_history/2")),
        (notices.left_deleted, BASE, ("information", "deleted", None, "Goal/8/_history/2")),
        (notices.plan_ended, HELD, ("information", "business-rule", "CarePlan.status", "CarePlan/7/_history/3")),
        (notices.plan_replaced, HELD, ("warning", "business-rule", "CarePlan.status", "CarePlan/7/_history/3")),
        (notices.ended, HELD, ("information", "informational", None, "CarePlan/7/_history/3")),
        (
            notices.narrative_kept,
            HELD,
            ("information", "informational", "CarePlan.text", "CarePlan/7/_history/3"),
        ),
        (notices.rendered_twice, goal(), ("error", "duplicate", None, None)),
    ],
)
def test_a_notice_says_what_happened_and_what_to_do_where_there_is_something(notice, about, expected):
    issue = notice(about)

    assert (issue.severity, issue.code, issue.expression, issue.source) == expected
    assert issue.detail.endswith(".")
    assert (issue.mend is not None) == (issue.severity != "information" or notice in CAN_BE_UNDONE)
