"""The three sides of a whole plan by identity, and the change of each resource."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from careplan_exchange.model.changes import Base, ElementChange, Ground, Held, Json, Rendered, ResourceChange
from careplan_exchange.model.identity import full_url_of
from careplan_exchange.model.issue import Issue

from . import notices
from .asking import asked
from .decisions import three_way
from .ending import Ending, ending_of
from .keys import KEYS
from .merge import Decide, Sides, Walk
from .narrative import narrated
from .references import Resolver, without
from .rules import WRITE_ORDER
from .standing import Standing, ended_by_a_person, retire, stand
from .values import MISSING

_PLAN = "CarePlan"
_LINES = frozenset({"CarePlan.activity", "CarePlan.goal"})

NOBODY_KNOWS = "Somebody deleted it, and nothing here remembers for which reason it was proposed."
NEW_REASON = "Somebody deleted it, and the reason for it is another one now."
ASKED_AGAIN = "Somebody deleted it, and it was asked for again."
WORKED_ON = "It is no longer proposed, and a person has worked on it."


class View:
    """Every reference between our resources is as the server has it."""

    def __init__(
        self,
        rendered: Sequence[Rendered],
        held: Sequence[Held],
        bases: Mapping[str, Base],
        *,
        approve: bool,
        grounds: Mapping[str, Ground] | None = None,
        resolved: Collection[str] = (),
        again: bool = False,
    ) -> None:
        self.issues: list[Issue] = []
        self._approve = approve
        self._grounds = grounds or {}
        self._resolved = resolved
        self._again = again
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
        of_bases, self._resolve = Resolver(known), Resolver(self._standing)
        self.bases = {
            identity: msgspec.structs.replace(base, ours=of_bases(base.ours), stored=of_bases(base.stored))
            for identity, base in bases.items()
        }
        self._left = {one for one in bases if one in self.rendered and one not in self.held and self._stays(one)}
        self._left_urls = frozenset(urls[identity] for identity in self._left)
        self._gone = frozenset(urls[one] for one in bases if one not in self.held and one not in self._left)
        self._identity_of = {one.full_url: one.identity for one in self.rendered.values()}
        for identity, url in urls.items():
            self._identity_of |= {url: identity, known[url]: identity}
        retired = sorted(self.held.keys() - self.rendered.keys())
        mentioned = [*(one for one in self.rendered if one not in self._left), *retired]
        self.identities = sorted(mentioned, key=lambda one: WRITE_ORDER.index(self._type(one)))
        self.issues += [notices.left_deleted(self.bases[one]) for one in self.rendered if one in self._left]

    def plan(self) -> Held | None:
        """The plan that the server holds of what we propose; where we propose none, the one that it holds."""
        proposed = any(one.type == _PLAN for one in self.rendered.values())
        plans = (one for one in self.held.values() if one.type == _PLAN)
        return next((one for one in plans if one.identity in self.rendered or not proposed), None)

    def stays_deleted(self, resource_type: str) -> bool:
        """Whether somebody deleted the resource of this type, and it is proposed for the same reason still."""
        return any(self.rendered[one].type == resource_type for one in self._left)

    def has_been_ended(self, held: Held) -> bool:
        return ended_by_a_person(held, self.bases.get(held.identity))

    def change(self, identity: str) -> ResourceChange:
        rendered, held, base = self.rendered.get(identity), self.held.get(identity), self.bases.get(identity)
        if held is None:
            proposed = self.rendered[identity]
            return self._deleted(proposed, base) if base else self._created(proposed)
        if self.has_been_ended(held):
            if rendered is not None:
                self.issues.append(notices.ended(held))
            return self.untouched(identity)
        if rendered is None:
            return self.retired(identity, ending_of(held, self.rendered.values(), self._resolved))
        standing = stand(self._resolved_body(rendered), held, base, approve=self._approve)
        reasons = base.grounds if base else {}
        decide = three_way(
            known=base is not None,
            gone=self._gone,
            same_reason=lambda line: self._same_reason(line, reasons),
        )
        change = narrated(self._merged(held, base, standing, decide))
        if any(element.path == f"{held.type}.text" and element.kind == "theirs" for element in change.elements):
            self.issues.append(notices.narrative_kept(held))
        return change

    def untouched(self, identity: str) -> ResourceChange:
        held, base = self.held[identity], self.bases.get(identity)
        return self._existing(held, base, ours=base.ours if base else {}, body=held.body, elements=())

    def retired(self, identity: str, ending: Ending) -> ResourceChange:
        """What a person has worked on is not ended over their head: then the status is a conflict."""
        held, base = self.held[identity], self.bases.get(identity)
        standing = retire(held, base, ending)
        change = self._merged(held, base, standing, three_way(known=base is not None))
        return (
            asked(change, WORKED_ON, whole=True) if any(one.kind != "ours" for one in change.elements) else change
        )

    def with_reasons(self, change: ResourceChange) -> ResourceChange:
        """Each conflict with the reason for which the line is proposed, each element with the digest of it."""
        elements = tuple(self._with_reason(element) for element in change.elements)
        return msgspec.structs.replace(change, elements=elements, grounds=self._digests(change))

    def _with_reason(self, element: ElementChange) -> ElementChange:
        ground = self._grounds.get(element.line or "")
        if ground is None:
            return element
        because = ground.because if element.kind == "conflict" else ()
        return msgspec.structs.replace(element, ground=ground.digest, because=because)

    def _digests(self, change: ResourceChange) -> dict[str, str]:
        """Of the resource, and of the lines that it holds where it is a plan."""
        lines = [change.identity]
        if change.type == _PLAN:
            for name in ("activity", "goal"):
                items = (Sides(item, MISSING) for item in change.ours.get(name, ()))
                lines += [line for item in items if (line := self._line_of(f"{_PLAN}.{name}", item))]
        return {line: self._grounds[line].digest for line in lines if line in self._grounds}

    def _line_of(self, pattern: str, item: Sides) -> str | None:
        """An activity by its element id, a goal by what the plan refers to."""
        if pattern not in _LINES:
            return None
        for side in (item.ours, item.base_ours, item.theirs):
            if not isinstance(side, dict):
                continue
            key = side.get("id") if pattern.endswith("activity") else None
            line = key if key is not None else self._identity_of.get(KEYS["reference"](side) or "")
            if line in self._grounds:
                return line
        return None

    def _stays(self, identity: str) -> bool:
        base = self.bases[identity]
        return not self._again and self._same_reason(identity, base.grounds) is True

    def _same_reason(self, line: str, before: Mapping[str, str]) -> bool | None:
        ground = self._grounds.get(line)
        return None if ground is None or line not in before else before[line] == ground.digest

    def _resolved_body(self, rendered: Rendered) -> Json:
        """Our rendering, without what refers to something that stays deleted."""
        return self._resolve(without(rendered.body, self._left_urls))

    def _created(self, rendered: Rendered) -> ResourceChange:
        body = self._resolved_body(rendered)
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
        body = self._resolved_body(rendered)
        self.issues.append(notices.deleted(base))
        same = self._same_reason(rendered.identity, base.grounds)
        question = ElementChange(
            path=rendered.type,
            kind="conflict",
            before=base.ours,
            ours=body,
            why=NOBODY_KNOWS if same is None else ASKED_AGAIN if same else NEW_REASON,
            line=rendered.identity,
        )
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

    def _merged(self, held: Held, base: Base | None, standing: Standing, decide: Decide) -> ResourceChange:
        walk = Walk(
            decide,
            known=base is not None,
            line=held.identity,
            key_of=self._line_of,
            settled=not self._gone,
        )
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

    def _full_url(self, identity: str) -> str:
        one = self.rendered.get(identity)
        return one.full_url if one else full_url_of(identity)

    def _type(self, identity: str) -> str:
        rendered = self.rendered.get(identity)
        return rendered.type if rendered else self.held[identity].type
