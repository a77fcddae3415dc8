"""A clinician at work on the same server: reads the plan or a goal, changes one thing, and puts it back.

What was changed is kept as an `Edit`, for the checker: it must be there at the end, in every later version.
"""

import copy
import random
from dataclasses import dataclass
from typing import Any, Literal

from .outside import Json, Outside, Stands

Holds = Literal["equals", "contains", "absent", "deleted"]

IDENTITY_SYSTEM = "urn:careplan-exchange:identity"
_ATTEMPTS = 5


@dataclass(frozen=True)
class Edit:
    """`version` of `reference` is the clinician's. The element at `path` (names, and numbers of list items)
    `holds` `value` from then on: "contains" is a list with an item that has these members, "deleted" the whole
    resource."""

    reference: str
    version: str
    path: tuple[str | int, ...]
    holds: Holds
    value: Any = None


class Clinician:
    """Works on one patient. `edits` is what was done, in order; `versions` the versions that were made."""

    def __init__(self, outside: Outside, patient: str, rng: random.Random) -> None:
        self._outside = outside
        self._patient = patient
        self._rng = rng
        self._count = 0
        self.edits: list[Edit] = []
        self.versions: set[tuple[str, str]] = set()

    async def edit(self) -> None:
        """One edit of what stands; nothing where no plan stands yet."""
        plans = await self._ours("CarePlan")
        if not plans:
            return
        kind = self._rng.choice(("plan",) * 4 + ("goal",) * 4 + ("delete",))
        if kind == "plan":
            await self._edit_plan(plans[0])
            return
        goals = await self._ours("Goal")
        if not goals:
            return
        goal = goals[self._rng.randrange(len(goals))]
        if kind == "delete" and not any(edit.reference == goal.reference for edit in self.edits):
            await self._delete(plans[0], goal)
        else:
            await self._edit_goal(goal)

    async def _ours(self, kind: str) -> list[Stands]:
        found = await self._outside.search(f"{kind}?patient=Patient/{self._patient}&_count=200")
        ours = [one for one in found if _is_ours(one.body)]
        return sorted(ours, key=lambda one: one.reference)

    def _mark(self) -> str:
        self._count += 1
        return f"Agreed at the visit, number {self._count} of {self._rng.randrange(10**6)}"

    async def _edit_plan(self, plan: Stands) -> None:
        mark = self._mark()
        match self._rng.choice(("title", "note", "extension", "activity", "description", "status")):
            case "title":
                await self._put(plan, ("title",), "equals", mark)
            case "note":
                await self._put(plan, ("note",), "contains", {"text": mark})
            case "extension":
                added = {"url": "https://ward.example.org/extension", "valueString": mark}
                await self._put(plan, ("extension",), "contains", added)
            case "activity" if "detail" in str(plan.body.get("activity", "detail")):
                detail = {"status": "scheduled", "description": mark}
                await self._put(plan, ("activity",), "contains", {"detail": detail})
            case "description":
                await self._put(plan, ("description",), "equals", mark)
            case _:
                await self._put(plan, ("status",), "equals", self._rng.choice(("active", "on-hold")))

    async def _edit_goal(self, goal: Stands) -> None:
        mark = self._mark()
        match self._rng.choice(("description", "note", "extension", "due", "status")):
            case "description":
                await self._put(goal, ("description",), "equals", {"text": mark})
            case "note":
                await self._put(goal, ("note",), "contains", {"text": mark})
            case "due" if goal.body.get("target"):
                day = f"2027-0{self._rng.randint(1, 9)}-1{self._rng.randrange(10)}"
                await self._put(goal, ("target", 0, "dueDate"), "equals", day)
            case "status":
                status = self._rng.choice(("active", "accepted", "on-hold", "completed"))
                await self._put(goal, ("lifecycleStatus",), "equals", status)
            case _:
                added = {"url": "https://ward.example.org/extension", "valueString": mark}
                await self._put(goal, ("extension",), "contains", added)

    async def _put(self, stands: Stands, path: tuple[str | int, ...], holds: Holds, value: Any) -> None:
        """As a careful client does: with `If-Match`, and again from a fresh read where somebody was quicker."""
        now: Stands | None = stands
        for _ in range(_ATTEMPTS):
            if now is None:
                return
            body = copy.deepcopy(now.body)
            body.get("meta", {}).pop("versionId", None)
            _set(body, path, value, add=holds == "contains")
            version = await self._outside.update(now, body)
            if version is not None:
                self.versions.add((now.reference, version))
                self.edits.append(Edit(now.reference, version, path, holds, value))
                return
            now = await self._outside.read(stands.reference)

    async def _delete(self, plan: Stands, goal: Stands) -> None:
        """The goal is taken out of the plan, and deleted; a server may refuse to delete it."""
        body = copy.deepcopy(plan.body)
        body.get("meta", {}).pop("versionId", None)
        kept = [one for one in body.get("goal", ()) if not _refers(one, goal.reference)]
        if not kept or len(kept) == len(body.get("goal", ())):
            return
        version = await self._outside.update(plan, {**body, "goal": kept})
        if version is None:
            return
        self.versions.add((plan.reference, version))
        self.edits.append(Edit(plan.reference, version, ("goal", goal.reference), "absent"))
        if await self._outside.delete(goal.reference):
            self.edits.append(Edit(goal.reference, "", (), "deleted"))


def _is_ours(body: Json) -> bool:
    return any(one.get("system") == IDENTITY_SYSTEM for one in body.get("identifier", ()))


def _refers(item: Json, reference: str) -> bool:
    return str(item.get("reference", "")).endswith(reference)


def _set(body: Json, path: tuple[str | int, ...], value: Any, *, add: bool) -> None:
    place: Any = body
    for step in path[:-1]:
        place = place[step]
    last = path[-1]
    if add:
        place[last] = [*place.get(last, ()), value]
    else:
        place[last] = value
