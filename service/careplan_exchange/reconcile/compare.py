"""From three views of a plan to a ChangeSet: which resource is created, updated, retired, or left alone."""

from collections.abc import Mapping, Sequence

import msgspec

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Held, Json, Rendered, ResourceChange
from careplan_exchange.model.identity import full_url_of
from careplan_exchange.model.issue import Issue

from . import notices
from .decisions import as_recorded, three_way
from .merge import Decide, Sides, Walk
from .references import resolve
from .rules import STATUSES, WRITE_ORDER
from .standing import Standing, ended_by_a_person, reopen, retire, stand

_PLAN = "CarePlan"


def compare(
    rendered: Sequence[Rendered],
    held: Sequence[Held],
    bases: Mapping[str, Base],
    *,
    approve: bool,
    patient: str,
) -> ChangeSet:
    """What would be written, in the order in which it is written: goals, requests, detected issues, the plan.

    `rendered`: what we propose now. `held`: what the target holds of it, and of what `bases` know (by identity),
    read without a cache. `approve`: the statuses of `rendered` are a person's decision and not our first word.
    `patient`: the reference for the ChangeSet. Nothing is deleted, nothing that a person wrote is overwritten,
    and nothing that somebody deleted comes back unless a conflict is accepted (`accept`).
    """
    view = _View(rendered, held, bases, approve=approve)
    plan = view.plan()
    if plan is not None and ended_by_a_person(plan, view.bases.get(plan.identity)):
        return _ended(view, plan, patient)
    changes = tuple(view.change(identity) for identity in view.identities)
    return ChangeSet(patient=patient, changes=changes, issues=tuple(view.issues))


def _ended(view: "_View", plan: Held, patient: str) -> ChangeSet:
    """A person has ended the plan: everything stays, and where we still propose one, a person is asked."""
    changes = {identity: view.untouched(identity) for identity in view.identities if identity in view.held}
    if (wanted := view.rendered.get(plan.identity)) is not None:
        base = view.bases.get(plan.identity)
        ours = reopen(view.resolved(wanted), plan, base)
        element = STATUSES[_PLAN].element
        question = ElementChange(
            path=f"{_PLAN}.{element}",
            kind="conflict",
            before=base.ours.get(element) if base else None,
            theirs=plan.body[element],
            ours=ours[element],
        )
        changes[plan.identity] = msgspec.structs.replace(changes[plan.identity], ours=ours, elements=(question,))
        view.issues.append(notices.plan_ended(plan))
    return ChangeSet(patient=patient, changes=tuple(changes.values()), issues=tuple(view.issues))


class _View:
    """The three sides by identity, with every reference between our resources as the server has it."""

    def __init__(
        self, rendered: Sequence[Rendered], held: Sequence[Held], bases: Mapping[str, Base], *, approve: bool
    ) -> None:
        self.issues: list[Issue] = []
        self.approve = approve
        self.held = {one.identity: one for one in held}
        self.rendered: dict[str, Rendered] = {}
        for one in rendered:
            if one.identity in self.rendered:
                self.issues.append(notices.rendered_twice(one))
            self.rendered.setdefault(one.identity, one)
        urls = {identity: self._full_url(identity) for identity in {*self.held, *bases}}
        self._standing = {urls[one.identity]: one.reference for one in held}
        remembered = {urls[base.identity]: f"{base.type}/{base.id}" for base in bases.values()}
        known = {**self._standing, **remembered}
        self.gone = frozenset(urls[identity] for identity in bases if identity not in self.held)
        self.bases = {
            identity: msgspec.structs.replace(
                base, ours=resolve(base.ours, known), stored=resolve(base.stored, known)
            )
            for identity, base in bases.items()
        }
        retired = sorted(self.held.keys() - self.rendered.keys())
        self.identities = sorted([*self.rendered, *retired], key=lambda one: WRITE_ORDER.index(self._type(one)))

    def _full_url(self, identity: str) -> str:
        one = self.rendered.get(identity)
        return one.full_url if one else full_url_of(identity)

    def _type(self, identity: str) -> str:
        rendered = self.rendered.get(identity)
        return rendered.type if rendered else self.held[identity].type

    def plan(self) -> Held | None:
        """The plan that the server holds of what we propose; where we propose none, the one that it holds."""
        proposed = any(one.type == _PLAN for one in self.rendered.values())
        plans = (one for one in self.held.values() if one.type == _PLAN)
        return next((one for one in plans if one.identity in self.rendered or not proposed), None)

    def resolved(self, rendered: Rendered) -> Json:
        resolved: Json = resolve(rendered.body, self._standing)
        return resolved

    def change(self, identity: str) -> ResourceChange:
        rendered, held, base = self.rendered.get(identity), self.held.get(identity), self.bases.get(identity)
        if held is None:
            proposed = self.rendered[identity]
            return self._deleted(proposed, base) if base else self._created(proposed)
        if ended_by_a_person(held, base):
            if rendered is not None:
                self.issues.append(notices.ended(held))
            return self.untouched(identity)
        if rendered is None:
            return self._retired(held, base)
        standing = stand(self.resolved(rendered), held, base, approve=self.approve)
        change = self._merged(held, base, standing, three_way(known=base is not None, gone=self.gone))
        if any(element.path == f"{held.type}.text" and element.kind == "theirs" for element in change.elements):
            self.issues.append(notices.narrative_kept(held))
        return change

    def untouched(self, identity: str) -> ResourceChange:
        held, base = self.held[identity], self.bases.get(identity)
        return self._existing(held, base, ours=base.ours if base else {}, body=held.body, elements=())

    def _created(self, rendered: Rendered) -> ResourceChange:
        body = self.resolved(rendered)
        return ResourceChange(
            identity=rendered.identity,
            type=rendered.type,
            action="create",
            full_url=rendered.full_url,
            body=body,
            ours=body,
        )

    def _deleted(self, rendered: Rendered, base: Base) -> ResourceChange:
        """It was on the server and is not any more: it comes back only if a person says so."""
        body = self.resolved(rendered)
        self.issues.append(notices.deleted(base))
        question = ElementChange(path=rendered.type, kind="conflict", before=base.ours, theirs=None, ours=body)
        return ResourceChange(
            identity=rendered.identity,
            type=rendered.type,
            action="unchanged",
            full_url=rendered.full_url,
            body={},
            ours=body,
            base=base,
            elements=(question,),
        )

    def _retired(self, held: Held, base: Base | None) -> ResourceChange:
        """What a person has worked on is not ended over their head: then the status is a conflict."""
        standing = retire(held, base)
        change = self._merged(held, base, standing, three_way(known=base is not None))
        if all(element.kind != "theirs" for element in change.elements):
            return change
        asked = [
            msgspec.structs.replace(element, kind="conflict") if element.kind == "ours" else element
            for element in change.elements
        ]
        return self._merged(held, base, standing, as_recorded(asked))

    def _merged(self, held: Held, base: Base | None, standing: Standing, decide: Decide) -> ResourceChange:
        walk = Walk(decide, known=base is not None)
        sides = Sides(standing.ours, held.body, standing.ours_before, standing.stored_before)
        merged = walk.resource(held.type, sides)
        return self._existing(held, base, ours=standing.ours, body=merged.value, elements=tuple(walk.elements))

    def _existing(
        self,
        held: Held,
        base: Base | None,
        *,
        ours: Json,
        body: Json,
        elements: tuple[ElementChange, ...],
    ) -> ResourceChange:
        taken = any(element.kind == "ours" for element in elements)
        return ResourceChange(
            identity=held.identity,
            type=held.type,
            action="update" if taken else "unchanged",
            full_url=self._full_url(held.identity),
            body=body,
            ours=ours,
            theirs=held.body,
            base=base,
            id=held.id,
            version_id=held.version_id,
            elements=elements,
        )
