"""A small server and our memory of it, for tests of the merge: no network, no clock."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from careplan_exchange.model import codec
from careplan_exchange.model.changes import Base, ChangeSet, Ground, Held, Json, Rendered, WrittenResource
from careplan_exchange.model.identity import IDENTITY_SYSTEM, full_url_of
from careplan_exchange.reconcile import accept, compare, next_base

PATIENT = "Patient/1"
A1C = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
SBP = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
KINDS = [
    ("CarePlan", "status", "draft", "active", "revoked"),
    ("Goal", "lifecycleStatus", "proposed", "active", "cancelled"),
    ("ServiceRequest", "status", "draft", "active", "revoked"),
    ("MedicationRequest", "status", "draft", "active", "cancelled"),
    ("DetectedIssue", "status", "preliminary", "final", "cancelled"),
]
"""Each with its element of status: our first word, what approval makes of it, and what retiring does."""


def identifier(identity: str) -> list[Json]:
    return [{"system": IDENTITY_SYSTEM, "value": identity}]


def rendered(kind: str, identity: str, **elements: Any) -> Rendered:
    body = {"resourceType": kind, "identifier": identifier(identity), **elements}
    return Rendered(identity=identity, type=kind, full_url=full_url_of(identity), body=body)


def goal(identity: str = "goal-1", **elements: Any) -> Rendered:
    standard = {
        "lifecycleStatus": "proposed",
        "description": {"text": "HbA1c below 7"},
        "startDate": "2026-01-01",
    }
    return rendered("Goal", identity, **(standard | elements))


def plan(*goals: str, identity: str = "plan-1", **elements: Any) -> Rendered:
    standard: Json = {"status": "draft", "intent": "plan", "title": "Plan", "created": "2026-01-01"}
    if goals:
        standard["goal"] = [link(one) for one in goals]
    return rendered("CarePlan", identity, **(standard | elements))


def link(identity: str) -> Json:
    return {"reference": full_url_of(identity)}


def target(value: str, measure: Json = A1C, **elements: Any) -> Json:
    return {"measure": measure, "detailQuantity": {"value": Decimal(value), "unit": "%", "code": "%"}, **elements}


def activity(identity: str, description: str, **detail: Any) -> Json:
    return {"id": identity, "detail": {"status": "not-started", "description": description, **detail}}


def coded(code: str, text: str | None = None) -> Json:
    concept: Json = {"coding": [{"system": "http://example.org/cs", "code": code}]}
    return concept | ({"text": text} if text else {})


def because(**digests: str) -> dict[str, Ground]:
    """Reasons by key; `goal_1` stands for `goal-1`."""
    return {
        key.replace("_", "-"): Ground(digest=digest, because=(f"Because of {digest}.",))
        for key, digest in digests.items()
    }


class World:
    """`keep` is what the server makes of a body on its way in. Everything passes through JSON, as it would."""

    def __init__(self, keep: Callable[[Json], Json] = lambda body: body) -> None:
        self.keep = keep
        self.bodies: dict[str, Json] = {}
        self.bases: dict[str, Base] = {}
        self._next_id = 10

    def held(self) -> tuple[Held, ...]:
        return tuple(
            Held(
                identity=identity,
                type=body["resourceType"],
                id=body["id"],
                version_id=body["meta"]["versionId"],
                body=_through_json(body),
            )
            for identity, body in self.bodies.items()
        )

    def compare(self, *proposed: Rendered, approve: bool = False, **more: Any) -> ChangeSet:
        return compare(proposed, self.held(), self.bases, approve=approve, patient=PATIENT, **more)

    def sync(self, *proposed: Rendered, approve: bool = False, accepted: bool = False, **more: Any) -> ChangeSet:
        """Compare and write, as an exchange does. Returns what was compared (and accepted)."""
        changes = self.compare(*proposed, approve=approve, **more)
        if accepted:
            changes = accept(changes)
        self.write(changes)
        return changes

    def write(self, changes: ChangeSet) -> None:
        ids = {change.full_url: f"{change.type}/{self._id(change.id)}" for change in changes.to_write}
        for change in changes.changes:
            if change.action == "unchanged" and (change.base is not None or change.theirs is None):
                continue
            if change.action == "unchanged":
                body = self.bodies[change.identity]
            else:
                body = self._store(change.body, ids, ids[change.full_url])
                self.bodies[change.identity] = body
            self.bases[change.identity] = next_base(
                change,
                WrittenResource(
                    identity=change.identity,
                    type=change.type,
                    id=body["id"],
                    version_id=body["meta"]["versionId"],
                    action=change.action,
                    stored=_through_json(body),
                ),
            )

    def edit(self, identity: str, **elements: Any) -> None:
        """What a person writes; None takes an element out. The version rises."""
        body = copy.deepcopy(self.bodies[identity])
        for name, value in elements.items():
            body.pop(name, None)
            if value is not None:
                body[name] = value
        body["meta"] = {**body["meta"], "versionId": str(int(body["meta"]["versionId"]) + 1)}
        self.bodies[identity] = body

    def versions(self) -> dict[str, str]:
        return {identity: body["meta"]["versionId"] for identity, body in self.bodies.items()}

    def _id(self, known: str | None) -> str:
        self._next_id += 1
        return known or str(self._next_id)

    def _store(self, body: Json, ids: dict[str, str], reference: str) -> Json:
        text = codec.encode(self.keep(_through_json(body))).decode()
        for url, known in ids.items():
            text = text.replace(url, known)
        stored: Json = codec.decode(text)
        version = int(body.get("meta", {}).get("versionId", "0")) + 1
        stored["id"] = reference.partition("/")[2]
        stored["meta"] = {
            **stored.get("meta", {}),
            "versionId": str(version),
            "lastUpdated": f"2026-01-{version:02}T00:00:00Z",
        }
        return stored


def written(*proposed: Rendered, keep: Callable[[Json], Json] = lambda body: body, **options: Any) -> World:
    """A server, of this habit, to which this was written once."""
    world = World(keep)
    world.sync(*proposed, **options)
    return world


def change_of(changes: ChangeSet, identity: str) -> Any:
    return next(change for change in changes.changes if change.identity == identity)


def kinds(changes: ChangeSet, identity: str) -> dict[str, str]:
    return {element.path: element.kind for element in change_of(changes, identity).elements}


def actions(changes: ChangeSet) -> dict[str, str]:
    return {change.identity: change.action for change in changes.changes}


def keys_of(changes: ChangeSet) -> list[str]:
    return [issue.key for issue in changes.issues]


def _through_json(body: Json) -> Json:
    decoded: Json = codec.decode(codec.encode(body))
    return decoded
