"""Properties of one merge, over generated plans in FHIR R4 and whatever other clients do to them.

test_properties.py walks through whole histories in few values; here one plan is wide, and every body is checked by
the lint that stands before each write.
"""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange.model.changes import Ground
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.identity import full_url_of
from careplan_exchange.reconcile import accept, not_again
from careplan_exchange.reconcile.decisions import three_way
from careplan_exchange.reconcile.merge import Sides, Walk
from careplan_exchange.writer.lint import lint
from tests.unit.reconcile.world import PATIENT, World, actions, goal, link, plan

GOALS = ("goal-1", "goal-2", "goal-3")
LINES = ("walk", "swim", "eat", "sleep", "weigh")
LOINC = ("4548-4", "8480-6", "29463-7")
SYSTEM = "http://loinc.org"

words = st.sampled_from(("one", "two", "three"))


def concept(code):
    return {"coding": [{"system": SYSTEM, "code": code}]}


@st.composite
def goals(draw, identity):
    codes = draw(st.lists(st.sampled_from(LOINC), unique=True, max_size=3))
    elements = {
        "subject": {"reference": PATIENT},
        "description": {"text": draw(words)},
        "note": [{"id": "reason", "text": draw(words)}],
    }
    if codes:
        elements["target"] = [
            {"id": code, "measure": concept(code), "detailQuantity": {"value": draw(st.integers(1, 3))}}
            for code in codes
        ]
    return goal(identity, **elements)


@st.composite
def proposals(draw):
    identities = draw(st.lists(st.sampled_from(GOALS), unique=True, max_size=3))
    elements = {
        "subject": {"reference": PATIENT},
        "title": draw(words),
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{draw(words)}</div>'},
    }
    keys = draw(st.lists(st.sampled_from(LINES), unique=True, max_size=5))
    if keys:
        elements["activity"] = [
            {
                "id": key,
                "detail": {
                    "status": "not-started",
                    "description": f"{key} {draw(words)}",
                    **({"goal": [link(identities[0])]} if identities and draw(st.booleans()) else {}),
                },
            }
            for key in keys
        ]
    return (*(draw(goals(one)) for one in identities), plan(*identities, **elements))


reasons = st.fixed_dictionaries(
    {
        key: st.sampled_from(("a", "b")).map(lambda digest: Ground(digest=digest))
        for key in (*GOALS, *LINES, "plan-1")
    }
)


# --- what another client does to one resource; each adds `token` where it adds anything --------------------------


def _extension(token):
    return {"url": "http://example.org/ours-not", "valueString": token}


def on_the_resource(body, token):
    body.setdefault("extension", []).append(_extension(token))


def on_an_item(body, token):
    for name in ("activity", "target"):
        for item in body.get(name, ())[:1]:
            item.setdefault("extension", []).append(_extension(token))


def inside_an_item(body, token):
    for item in body.get("activity", ())[-1:]:
        item["detail"].setdefault("extension", []).append(_extension(token))


def beside_a_primitive(body, token):
    if body["resourceType"] == "CarePlan":
        body["_created"] = {"extension": [_extension(token)]}
    else:
        body["_startDate"] = {"extension": [_extension(token)]}


def modifying(body, token):
    body.setdefault("modifierExtension", []).append(_extension(token))


def contained(body, token):
    inner = {"resourceType": "Basic", "id": f"c{token}", "code": {"text": token}}
    body.setdefault("contained", []).append(inner)
    body.setdefault("extension", []).append(
        {"url": "http://example.org/r", "valueReference": {"reference": f"#c{token}"}}
    )


def a_note(body, token):
    body.setdefault("note", []).insert(0, {"text": token})


def a_line_of_their_own(body, token):
    if body["resourceType"] == "CarePlan":
        body.setdefault("activity", []).insert(0, {"detail": {"status": "scheduled", "description": token}})
    else:
        body.setdefault("target", []).insert(0, {"measure": concept("2345-7"), "detailString": token})


def progress(body, token):
    for item in body.get("activity", ())[:1]:
        item.setdefault("progress", []).append({"text": token})


def reordered(body, _):
    for name in ("activity", "target", "goal"):
        if name in body:
            body[name].reverse()


ADDING = (
    on_the_resource, on_an_item, inside_an_item, beside_a_primitive, modifying, contained, a_note,
    a_line_of_their_own, progress, reordered,
)  # fmt: skip


def reworded(body, token):
    if body["resourceType"] == "CarePlan":
        body["title"] = token
    else:
        body["description"] = {"text": token}


def narrated(body, token):
    body["text"] = {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{token}</div>'}


def taken_up(body, _):
    name = "status" if body["resourceType"] == "CarePlan" else "lifecycleStatus"
    body[name] = "active"


def paused(body, _):
    name = "status" if body["resourceType"] == "CarePlan" else "lifecycleStatus"
    body[name] = "on-hold"


def thinned(body, _):
    for name in ("activity", "target", "goal"):
        if body.get(name):
            body[name].pop()
            if not body[name]:
                del body[name]


EDITS = st.lists(st.tuples(st.sampled_from((*GOALS, "plan-1")), st.sampled_from(ADDING)), max_size=6)
ANY_EDITS = st.lists(
    st.tuples(
        st.sampled_from((*GOALS, "plan-1")),
        st.sampled_from((*ADDING, reworded, narrated, taken_up, paused, thinned)),
    ),
    max_size=6,
)
DELETED = st.sets(st.sampled_from((*GOALS, "plan-1")), max_size=1)
HISTORIES = st.tuples(proposals(), proposals(), ANY_EDITS, DELETED, reasons, reasons)
"""A first proposal, a second one, what others did between them, and the reasons then and now."""


def edit(world, edits):
    """Applies them and returns the tokens that must stand from then on, by resource."""
    tokens = []
    for number, (identity, how) in enumerate(edits):
        if identity not in world.bodies:
            continue
        body = decode(encode(world.bodies[identity]))
        token = f"by-hand-{number}"
        how(body, token)
        meta = {**body["meta"], "versionId": str(int(body["meta"]["versionId"]) + 1)}
        world.bodies[identity] = {**body, "meta": meta}
        if token in encode(body).decode():
            tokens = [(one, old) for one, old in tokens if old in encode(world.bodies[one]).decode()]
            tokens.append((identity, token))
    return tokens


def content(world):
    """Everything that is said, whichever version says it."""
    bodies = copy.deepcopy(world.bodies)
    for body in bodies.values():
        body.pop("meta")
        body.pop("id")
        for name in ("activity", "target", "goal", "extension", "note", "contained", "modifierExtension"):
            if isinstance(body.get(name), list):
                body[name] = sorted(body[name], key=encode)
    text = encode(bodies).decode()
    for identity, body in world.bodies.items():
        text = text.replace(f'"{body["resourceType"]}/{body["id"]}"', f'"{identity}"')
    return decode(text)


@settings(max_examples=25, deadline=None)
@given(proposals(), reasons)
def test_what_stands_as_it_is_proposed_is_no_change(proposed, grounds):
    world = World()
    world.sync(*proposed, grounds=grounds)
    changes = world.compare(*proposed, grounds=grounds)

    assert set(actions(changes).values()) == {"unchanged"}
    assert all(change.elements == () and change.body == change.theirs for change in changes.changes)


@settings(max_examples=40, deadline=None)
@given(proposals(), proposals(), EDITS, reasons, reasons)
def test_whatever_others_add_survives_whatever_we_propose(first, then, edits, before, now):
    world = World()
    world.sync(*first, grounds=before)
    tokens = edit(world, edits)
    orders = {
        identity: [item.get("id") for item in body.get("activity", ())] for identity, body in world.bodies.items()
    }
    world.sync(*then, grounds=now)

    for identity, token in tokens:
        assert token in encode(world.bodies[identity]).decode(), (identity, token)
    for identity, order in orders.items():
        kept = [item.get("id") for item in world.bodies[identity].get("activity", ())]
        assert [one for one in kept if one in order] == [one for one in order if one in kept]


@settings(max_examples=40, deadline=None)
@given(proposals(), proposals(), EDITS)
def test_an_edit_and_a_proposal_that_do_not_meet_come_to_the_same_in_either_order(first, then, edits):
    edits = [(identity, how) for identity, how in edits if how in (on_the_resource, modifying, contained, a_note)]
    edited_first, proposed_first = World(), World()
    for world in (edited_first, proposed_first):
        world.sync(*first)
    both = {one.identity for one in first} & {one.identity for one in then}
    edits = [(identity, how) for identity, how in edits if identity in both]
    edit(edited_first, edits)
    edited_first.sync(*then)
    proposed_first.sync(*then)
    edit(proposed_first, edits)
    proposed_first.sync(*then)

    assert content(edited_first) == content(proposed_first)


@settings(max_examples=40, deadline=None)
@given(HISTORIES, st.booleans())
def test_what_would_be_written_is_valid_and_refers_to_what_is_there(history, agreed):
    first, then, edits, deleted, before, now = history
    world = World()
    world.sync(*first, grounds=before)
    edit(world, edits)
    for identity in deleted & world.bodies.keys():
        del world.bodies[identity]
    changes = world.compare(*then, grounds=now)
    changes = accept(changes) if agreed else changes
    links = {change.full_url: change.type for change in changes.to_write if change.action == "create"}
    for change in changes.to_write:
        assert lint(change.body, "R4", links) == ()
        for identity in GOALS:
            url = full_url_of(identity)
            assert url not in encode(change.body).decode() or url in links


@settings(max_examples=40, deadline=None)
@given(HISTORIES)
def test_what_was_decided_once_is_not_asked_twice(history):
    """Whether a person agrees or rejects: the same proposal for the same reasons then asks nothing."""
    first, then, edits, deleted, before, now = history
    for agrees in (True, False):
        world = World()
        world.sync(*first, grounds=before)
        edit(world, edits)
        for identity in deleted & world.bodies.keys():
            del world.bodies[identity]
        shown = world.compare(*then, grounds=now)
        if agrees:
            world.write(accept(shown))
            again = world.compare(*then, grounds=now)
            assert again.conflicts == ()
            world.write(again)
            assert world.compare(*then, grounds=now).to_write == ()
        else:
            again = not_again(world.compare(*then, grounds=now), [shown])
            assert again.conflicts == ()
            assert again.to_write == ()
            assert not_again(again, [shown]) == again


@settings(max_examples=40, deadline=None)
@given(HISTORIES)
def test_passing_over_what_is_settled_changes_nothing(history):
    """The shortcut of a comparison finds the same elements and the same body as the walk through everything."""
    first, then, edits, _, _, _ = history
    world = World()
    world.sync(*first)
    edit(world, edits)
    held = {one.identity: one.body for one in world.held()}
    for one in then:
        if one.identity not in held:
            continue
        base = world.bases[one.identity]
        walks = [Walk(three_way(known=True), known=True, settled=settled) for settled in (True, False)]
        bodies = [
            walk.resource(one.type, Sides(one.body, held[one.identity], base.ours, base.stored)).value
            for walk in walks
        ]
        assert walks[0].elements == walks[1].elements
        assert bodies[0] == bodies[1]
