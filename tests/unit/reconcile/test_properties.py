"""Whatever a protocol proposes, a person edits and a server makes of it, in any order: the promises hold."""

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange.model import codec
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from tests.unit.reconcile.world import World, actions, goal, plan

GOAL, PLAN = "goal-1", "plan-1"
MEASURES = ("m1", "m2")
ACTIVITIES = ("a1", "a2")


def measured(measure, value, **more):
    return {
        "measure": {"coding": [{"system": "urn:m", "code": measure}]},
        "detailQuantity": {"value": value, "unit": "u"},
        **more,
    }


@st.composite
def proposals(draw):
    """What the planner says on one day: a goal (or none) and a plan, in few values so that they often repeat."""
    few = st.sampled_from((1, 2, 3))
    day = draw(st.sampled_from(("2026-01-01", "2026-02-02")))
    resources = []
    if draw(st.integers(0, 5)):
        elements = {"description": {"text": f"d{draw(few)}"}, "startDate": day}
        if draw(st.booleans()):
            elements["priority"] = {"text": f"p{draw(few)}"}
        targets = [measured(m, draw(few), dueDate=day) for m in MEASURES if draw(st.booleans())]
        if targets:
            elements["target"] = targets
        resources.append(goal(GOAL, **elements))
    elements = {"title": f"t{draw(few)}", "created": day, "text": {"status": "generated", "div": f"n{draw(few)}"}}
    activities = [
        {"id": a, "detail": {"description": f"{a} {draw(few)}"}} for a in ACTIVITIES if draw(st.booleans())
    ]
    if activities:
        elements["activity"] = activities
    resources.append(plan(*(GOAL for _ in resources), **elements))
    return tuple(resources)


EDITS = (
    "description", "drop-priority", "target", "drop-target", "add-target", "add-note", "add-extension",
    "goal-active", "goal-completed", "title", "narrative", "activity", "progress", "add-activity", "plan-active",
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.just("sync"), proposals()),
    st.tuples(st.just("approve"), proposals()),
    st.tuples(st.just("accept"), proposals()),
    st.tuples(st.just("edit"), st.sampled_from(EDITS)),
    st.tuples(st.just("edit"), st.sampled_from(EDITS)),
    st.tuples(st.just("forget"), st.none()),
)


def _without(*names):
    return lambda body: {key: value for key, value in body.items() if key not in names}


def _without_item_ids(body):
    return {
        key: [{k: v for k, v in item.items() if k != "id"} for item in value] if key == "activity" else value
        for key, value in body.items()
    }


def _with_defaults(body):
    body = json.loads(codec.encode(body))
    for item in body.get("target", ()):
        item.setdefault("default", "server")
    for item in body.get("activity", ()):
        item.setdefault("detail", {}).setdefault("doNotPerform", False)
    return {"implicitly": "server", **body}


def _has_our_narrative(body):
    return body.get("text", {}).get("status") == "generated"


SERVERS = {
    "as it is": lambda body: body,
    "without priority": _without("priority"),
    "without our narrative": lambda body: _without("text")(body) if _has_our_narrative(body) else body,
    "without item ids": _without_item_ids,
    "with defaults": _with_defaults,
    "backwards": lambda body: dict(reversed(body.items())),
    "its own narrative": lambda body: {**body, "text": {"div": "s"}} if _has_our_narrative(body) else body,
}


class Clinic:
    """A world with a clinician in it, and a note of everything that the clinician did and that must stand."""

    def __init__(self, server):
        self.world = World(keep=SERVERS[server])
        self.present: dict[tuple[str, str], str] = {}  # what was edited → the token that it holds since
        self.absent: set[tuple[str, str]] = set()
        self.forgetful = False
        self._tokens = 0

    def token(self):
        self._tokens += 1
        return f"by-hand-{self._tokens}"

    def edit(self, what):
        identity = (
            PLAN
            if what in ("title", "narrative", "activity", "progress", "add-activity", "plan-active")
            else GOAL
        )
        body = self.world.bodies.get(identity)
        if body is None:
            return
        body, token = json.loads(codec.encode(body)), self.token()
        self._edit(what, identity, body, token)
        body.pop("meta")
        body.pop("id")
        elements = {key: body.get(key) for key in {*body, *self.world.bodies[identity]} - {"meta", "id"}}
        self.world.edit(identity, **elements)

    def _edit(self, what, identity, body, token):  # noqa: C901, PLR0912 - a list of edits, not a decision
        if what in ("description", "narrative"):
            name = {"narrative": "text"}.get(what, what)
            body[name] = {"text": token, "div": token}
            self.present[identity, name] = token
        elif what == "title":
            body["title"] = token
            self.present[identity, "title"] = token
        elif what == "drop-priority" and body.pop("priority", None):
            self._gone(identity, '"priority"')
        elif what == "target" and body.get("target"):
            item = body["target"][0]
            item["detailQuantity"] = {"value": 99, "unit": token}
            self.present[identity, json.dumps(item["measure"])] = token
        elif what == "drop-target" and body.get("target"):
            item = body["target"].pop(0)
            body["target"] = body["target"] or None
            self.present.pop((identity, json.dumps(item["measure"])), None)
            self._gone(identity, json.dumps(item["measure"]["coding"][0]["code"]))
        elif what == "add-target":
            item = measured(token, 1)
            body["target"] = [item, *body.get("target", ())]
            self.present[identity, json.dumps(item["measure"])] = token
        elif what == "add-note":
            body["note"] = [*body.get("note", ()), {"text": token}]
            self.present[identity, token] = token
        elif what == "add-extension":
            body["extension"] = [*body.get("extension", ()), {"url": "u", "valueString": token}]
            self.present[identity, token] = token
        elif what in ("goal-active", "goal-completed"):
            self._set(identity, body, "lifecycleStatus", what.removeprefix("goal-"))
        elif what == "plan-active":
            self._set(identity, body, "status", "active")
        elif what in ("activity", "progress") and body.get("activity"):
            item = body["activity"][-1]
            name = json.dumps(item.get("id", token))
            if what == "activity":
                before = item["detail"]["description"]
                self.present = {key: value for key, value in self.present.items() if value != before}
                item["detail"]["description"] = token
            else:
                item["progress"] = [*item.get("progress", ()), {"text": token}]
                name += token
            self.present[identity, name] = token
        elif what == "add-activity":
            body["activity"] = [{"detail": {"description": token}}, *body.get("activity", ())]
            self.present[identity, token] = token

    def _set(self, identity, body, name, status):
        if body[name] != status:  # what stands already is nobody's edit
            body[name] = status
            self.present[identity, name] = f'"{status}"'

    def _gone(self, identity, what):
        base = self.world.bases.get(identity)
        if base and what in codec.encode(base.stored).decode():  # otherwise nobody could know that it was there
            self.absent.add((identity, what))

    def sync(self, proposed, how):
        if how != "sync":
            proposed = tuple(_approved(one) for one in proposed)
        compared = self.world.compare(*proposed, approve=how != "sync")
        overruled = json.dumps([codec.encode(element.theirs).decode() for _, element in compared.conflicts])
        absences = bool(compared.conflicts)
        self.world.sync(*proposed, approve=how != "sync", accepted=how == "accept")
        if how == "accept":
            self.present = {
                key: token
                for key, token in self.present.items()
                if self._holds(key, token) or token.strip('"') not in overruled
            }
            self.absent = {key for key in self.absent if not self._returned(key) or not absences}
        return proposed

    def forget(self):
        """The memory is lost: what was taken out and is not proposed now cannot be known any more."""
        self.world.bases.clear()
        self.absent.clear()
        self.forgetful = True

    def text(self, identity):
        return codec.encode(self.world.bodies.get(identity, {})).decode()

    def _holds(self, key, token):
        identity, what = key
        if token in ('"active"', '"completed"'):
            return f'"{self.world.bodies[identity][what]}"' == token
        return token in self.text(identity)

    def _returned(self, key):
        return key[1] in self.text(key[0])

    def broken(self):
        """What a clinician did and no longer stands."""
        lost = [key for key, token in self.present.items() if not self._holds(key, token)]
        return lost + [key for key in self.absent if self._returned(key)]


def _approved(one):
    element = "lifecycleStatus" if one.type == "Goal" else "status"
    one.body[element] = "active"
    return one


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SERVERS)), proposals(), st.lists(STEPS, max_size=12))
def test_no_sequence_of_proposals_edits_and_servers_breaks_a_promise(server, first, steps):
    clinic = Clinic(server)
    for kind, step in (("sync", first), *steps):
        if kind == "edit":
            clinic.edit(step)
        elif kind == "forget":
            clinic.forget()
        else:
            proposed = clinic.sync(step, kind)
            assert clinic.broken() == []
            _nothing_is_left_to_do(clinic, proposed, approve=kind != "sync")
            _what_nobody_edited_is_what_was_proposed(clinic, proposed)
            _ours_is_there_once(clinic)


def _nothing_is_left_to_do(clinic, proposed, *, approve):
    """Two syncs without a change are a fixed point, in what is written and in what is asked."""
    versions, bases = clinic.world.versions(), dict(clinic.world.bases)
    once = clinic.world.sync(*proposed, approve=approve)
    twice = clinic.world.compare(*proposed, approve=approve)
    assert set(actions(once).values()) <= {"unchanged"}
    assert clinic.world.versions() == versions
    assert clinic.world.bases == bases
    assert once == twice


def _what_nobody_edited_is_what_was_proposed(clinic, proposed):
    if clinic.forgetful or any(token == '"completed"' for token in clinic.present.values()):
        return
    by_identity = {one.identity: one.body for one in proposed}
    for identity, name in ((GOAL, "description"), (PLAN, "title")):
        if identity in by_identity and (identity, name) not in clinic.present:
            assert clinic.world.bodies[identity][name] == by_identity[identity][name]
    if not any(identity == PLAN and name not in ("title", "text", "status") for identity, name in clinic.present):
        held = [item["detail"]["description"] for item in clinic.world.bodies[PLAN].get("activity", ())]
        assert sorted(held) == sorted(
            item["detail"]["description"] for item in by_identity[PLAN].get("activity", ())
        )


def _ours_is_there_once(clinic):
    for body in clinic.world.bodies.values():
        ours = [one for one in body["identifier"] if one["system"] == IDENTITY_SYSTEM]
        assert len(ours) == 1
        ids = Counter(item["id"] for item in body.get("activity", ()) if "id" in item)
        assert all(count == 1 for count in ids.values())
