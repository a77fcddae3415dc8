import pytest

from careplan_exchange.errors import OutcomeUnknownError, VersionConflictError
from tests.support.writing import an_intent, an_update, creates


async def lost(server, writer, intent, what):
    server.lost = what
    with pytest.raises(OutcomeUnknownError):
        await writer.write(intent, ())


async def test_an_answer_lost_after_the_commit_is_settled_as_committed_and_nothing_is_sent_again(server, writer):
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    settled = await writer.settle(intent, {})
    assert settled.outcome == "committed"
    assert [each.identity for each in settled.written] == [change.identity for change in intent.changes]
    assert settled.written[-1].stored["goal"][0] == {"reference": f"Goal/{settled.written[0].id}"}
    assert len(server.writes) == 1


async def test_a_request_that_never_arrived_is_settled_as_absent(server, writer):
    intent = an_intent(creates())
    await lost(server, writer, intent, "request")
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_a_cached_absence_is_not_believed(server, writer):
    server.stale_without_no_cache = True
    intent = an_intent(creates()[:1])
    await writer.current({"Goal": {intent.changes[0].identity}})
    await lost(server, writer, intent, "answer")
    assert (await writer.settle(intent, {})).outcome == "committed"


async def test_an_edit_after_the_commit_does_not_hide_it_and_our_own_version_is_returned(server, writer):
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    goal = server.of("Goal")[0]
    server.edit(f"Goal/{goal['id']}", description={"text": "a clinician's"})
    settled = await writer.settle(intent, {})
    assert settled.outcome == "committed"
    assert settled.written[0].version_id == "1"
    assert settled.written[0].stored["description"] == {"text": "HbA1c below 7 %"}


async def test_an_update_is_found_committed_even_where_somebody_edited_after_it(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    intent = an_intent([an_update(goal, description={"text": "ours"})])
    await lost(server, writer, intent, "answer")
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    settled = await writer.settle(intent, {})
    assert settled.outcome == "committed"
    assert (settled.written[0].version_id, settled.written[0].stored["description"]) == ("2", {"text": "ours"})


async def test_an_update_that_never_arrived_is_absent(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    intent = an_intent([an_update(goal, description={"text": "ours"})])
    await lost(server, writer, intent, "request")
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_an_update_that_never_arrived_is_absent_also_where_a_clinician_edited_meanwhile(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    intent = an_intent([an_update(goal, description={"text": "ours"})])
    await lost(server, writer, intent, "request")
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_an_update_of_a_resource_that_is_gone_is_absent(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    intent = an_intent([an_update(goal, description={"text": "ours"})])
    await lost(server, writer, intent, "request")
    server.delete(f"Goal/{goal.id}")
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_a_part_of_a_transaction_is_unclear_and_says_which(server, writer):
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    server.delete("CarePlan/4")
    settled = await writer.settle(intent, {})
    assert settled.outcome == "unclear"
    assert [issue.source for issue in settled.issues] == [
        "Goal/1/_history/1",
        "Goal/2/_history/1",
        "DetectedIssue/3/_history/1",
    ]


async def test_something_under_our_identity_that_we_never_sent_is_unclear(server, writer):
    intent = an_intent(creates()[:1])
    server.put({**intent.changes[0].body, "description": {"text": "somebody else's"}})
    settled = await writer.settle(intent, {})
    assert settled.outcome == "unclear"
    assert settled.issues[0].key == "write.settle.foreign"


async def test_an_identity_that_stands_twice_is_unclear(server, writer):
    intent = an_intent(creates()[:1])
    server.put(intent.changes[0].body)
    server.put(intent.changes[0].body)
    settled = await writer.settle(intent, {})
    assert settled.outcome == "unclear"
    assert settled.issues[0].key == "write.settle.duplicate"


async def test_a_server_that_drops_an_element_does_not_hide_a_commit(server, writer):
    server.drops = {"note", "priority"}
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    settled = await writer.settle(intent, {})
    assert settled.outcome == "committed"
    assert [(issue.severity, issue.expression) for issue in settled.written[0].issues] == [
        ("warning", "Goal.priority"),
        ("warning", "Goal.note"),
    ]


async def test_a_commit_of_which_the_server_dropped_what_matters_is_for_a_person(server, writer):
    server.drops = {"target"}
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    settled = await writer.settle(intent, {})
    assert settled.outcome == "unclear"
    assert [issue.expression for issue in settled.issues] == ["Goal.target"]


async def test_an_update_on_a_server_that_drops_an_element_is_recognised_by_what_it_keeps(server, writer):
    server.drops = {"note"}
    changes = creates()[:1]
    (goal,) = await writer.write(an_intent(changes), ())
    update = an_update(goal, description={"text": "ours"}, note=changes[0].body["note"])
    base = type(update.base)(**{**as_dict(update.base), "ours": changes[0].body})
    intent = an_intent([type(update)(**{**as_dict(update), "base": base})])
    await lost(server, writer, intent, "answer")
    settled = await writer.settle(intent, {})
    assert (settled.outcome, settled.written[0].version_id) == ("committed", "2")


def as_dict(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


async def test_an_edit_on_a_server_that_drops_an_element_is_not_taken_for_our_update(server, writer):
    server.drops = {"note"}
    changes = creates()[:1]
    (goal,) = await writer.write(an_intent(changes), ())
    update = an_update(goal, note=changes[0].body["note"])  # all that it brings is what the server never keeps
    base = type(update.base)(**{**as_dict(update.base), "ours": changes[0].body})
    intent = an_intent([type(update)(**{**as_dict(update), "base": base})])
    await lost(server, writer, intent, "request")
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_an_update_of_a_resource_that_was_never_ours_is_told_by_its_content_alone(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    update = an_update(goal, description={"text": "ours"})
    intent = an_intent([type(update)(**{**as_dict(update), "base": None})])
    await lost(server, writer, intent, "request")
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_an_update_of_an_identity_that_moved_to_another_resource_is_absent(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    intent = an_intent([an_update(goal, description={"text": "ours"})])
    await lost(server, writer, intent, "request")
    server.delete(f"Goal/{goal.id}")
    server.put(creates()[0].body)
    assert (await writer.settle(intent, {})).outcome == "absent"


async def test_an_update_that_changes_nothing_stands_already(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    settled = await writer.settle(an_intent([an_update(goal)]), {})
    assert (settled.outcome, settled.written[0].version_id) == ("committed", "1")


async def test_without_transactions_a_part_that_stands_is_settled_as_such_and_found_by_the_next_read(
    server, writer
):
    server.takes_transactions = False
    intent = an_intent(creates())
    for change in intent.changes[:-1]:
        server.put(change.body)
    settled = await writer.settle(intent, {})
    assert settled.outcome == "partial"
    assert [each.identity for each in settled.written] == [change.identity for change in intent.changes[:-1]]
    held = await writer.current({c.type: {x.identity for x in intent.changes} for c in intent.changes})
    assert [each.type for each in held] == ["DetectedIssue", "Goal", "Goal"]


async def test_settling_sends_nothing(server, writer):
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    before = len(server.writes)
    await writer.settle(intent, {})
    assert len(server.writes) == before


async def test_a_late_second_copy_of_the_request_finds_everything_there(server, writer):
    intent = an_intent(creates())
    await lost(server, writer, intent, "answer")
    with pytest.raises(VersionConflictError):
        await writer.write(intent, ())
    assert len(server.of("CarePlan")) == 1
