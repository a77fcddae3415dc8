"""What became of a write whose answer never came. Pure: the adapter brings what it sees, this judges it.

A create is ours where a version of the resource with our identity is what we sent. An update is ours where a
version after the one it was made over is; where the version it was made over is still the newest, or somebody
else's followed it, `If-Match` has kept ours out. No judgement sends anything.
"""

from collections.abc import Mapping, Sequence

import msgspec

from careplan_exchange.model.changes import Base, Json, ResourceChange, Settlement, WrittenResource
from careplan_exchange.model.issue import Issue

from .bundle import resolved
from .roundtrip import as_issues, losses
from .sameness import not_contrary, rewritten, same


class Version(msgspec.Struct, frozen=True, kw_only=True):
    version_id: str
    body: Json


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One resource with our identity as it stands, its versions newest first; `whole` where those are all the
    versions that the server keeps, otherwise only the current one."""

    type: str
    id: str
    versions: tuple[Version, ...]
    whole: bool

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    def place(self, version_id: str | None) -> int | None:
        """Where this version stands among them, None where it is not shown."""
        return next((at for at, one in enumerate(self.versions) if one.version_id == version_id), None)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The server that was written to. `atomic`: it takes transactions, so a part of an intent cannot be ours."""

    base_url: str
    atomic: bool


def needs_history(change: ResourceChange, seen: Sighting, links: Mapping[str, str], target: Target) -> bool:
    """Whether the current version alone does not settle this change."""
    current = seen.versions[0]
    if change.action == "update" and current.version_id == change.version_id:
        return False
    if seen.whole:
        return False
    # What somebody has only added to ours is still the same as what was sent, and yet not what we wrote.
    is_next = _follows(change.version_id if change.action == "update" else "0", current.version_id)
    return not (is_next and same(change.body, current.body, links, target.base_url))


def _follows(before: str | None, after: str) -> bool:
    """Whether the numbers of the versions say that nothing came between."""
    return (before or "").isdigit() and after.isdigit() and int(after) == int(before or "") + 1


def links_of(changes: Sequence[ResourceChange], sightings: Mapping[str, Sighting]) -> dict[str, str]:
    """What each `urn:uuid:` of the intent became, by identity seen."""
    return {
        change.full_url: sightings[change.identity].reference
        for change in changes
        if change.identity in sightings
    }


def judge(
    changes: Sequence[ResourceChange],
    sightings: Mapping[str, Sighting],
    target: Target,
    booked: Mapping[str, Base],
) -> Settlement:
    """`sightings` are by identity; an identity that is nowhere on the server has none. `booked` is what another
    of our writes has left there: what that has made or changed since is not ours."""
    left = tuple(
        change
        for change in changes
        if not _is_booked(change, sightings.get(change.identity), booked.get(change.identity))
    )
    if not left:
        return Settlement(outcome="superseded")
    settlement = _judged(left, sightings, links_of(changes, sightings), target)
    if len(left) < len(changes) and settlement.outcome == "committed":
        return msgspec.structs.replace(settlement, outcome="partial")
    return settlement


def _is_booked(change: ResourceChange, seen: Sighting | None, base: Base | None) -> bool:
    """Whether a later write of ours is on the server in its place, which its condition then has kept out."""
    if seen is None or base is None or base.id != seen.id:
        return False
    if change.action == "create":
        return True  # when it was sent, nothing stood that we knew of
    place, over = seen.place(base.version_id), seen.place(change.version_id)
    if place is None or place == over:
        return False
    return place == 0 or (over is not None and place < over)


def _judged(
    changes: Sequence[ResourceChange],
    sightings: Mapping[str, Sighting],
    links: Mapping[str, str],
    target: Target,
) -> Settlement:
    placed: dict[str, WrittenResource] = {}
    issues: list[Issue] = []
    for change in changes:
        seen = sightings.get(change.identity)
        if seen is None:
            continue
        version = (
            _created(change, seen, links, target)
            if change.action == "create"
            else _updated(change, seen, links, target)
        )
        if version is not None:
            source = f"{seen.reference}/_history/{version.version_id}"
            lost = as_issues(losses(change.body, version.body, links, target.base_url), source)
            issues += [issue for issue in lost if issue.severity == "error"]
            placed[change.identity] = WrittenResource(
                identity=change.identity,
                type=change.type,
                id=seen.id,
                version_id=version.version_id,
                action=change.action,
                stored=version.body,
                issues=lost,
            )
        elif change.action == "create":
            issues.append(_foreign(seen))
    if issues:
        return Settlement(outcome="unclear", issues=tuple(issues))
    if placed and target.atomic:
        placed |= {
            change.identity: _hidden(change, sightings[change.identity], links)
            for change in changes
            if change.identity not in placed and _moved_on(change, sightings.get(change.identity))
        }
    if len(placed) == len(changes):
        return Settlement(outcome="committed", written=tuple(placed[change.identity] for change in changes))
    if placed and target.atomic:
        return Settlement(outcome="unclear", issues=tuple(_partial(each) for each in placed.values()))
    # Without transactions a write may have broken off half-way: the fresh read finds what stands, and only the
    # rest is sent.
    standing = tuple(placed[change.identity] for change in changes if change.identity in placed)
    return Settlement(outcome="partial" if standing else "absent", written=standing)


def _created(change: ResourceChange, seen: Sighting, links: Mapping[str, str], target: Target) -> Version | None:
    for version in reversed(seen.versions):
        if same(change.body, version.body, links, target.base_url):
            return version
    first = seen.versions[-1]
    # Nobody has edited a first version: what is missing from it is what the server does not keep.
    return first if seen.whole and not_contrary(change.body, first.body, links, target.base_url) else None


def _updated(change: ResourceChange, seen: Sighting, links: Mapping[str, str], target: Target) -> Version | None:
    current = seen.versions[0]
    if seen.id != change.id:
        return None
    if current.version_id == change.version_id:
        # Some servers make no new version where an update changes nothing: then it stands already.
        return current if same(change.body, current.body, links, target.base_url) else None
    since: list[Version] = []
    for version in seen.versions:
        if version.version_id == change.version_id:
            break
        since.append(version)
    for version in reversed(since):
        if same(change.body, version.body, links, target.base_url):
            return version
    return since[-1] if seen.whole and _as_rewritten(change, since[-1].body, links, target) else None


def _moved_on(change: ResourceChange, seen: Sighting | None) -> bool:
    """Whether somebody has written over an update, on a server that does not show the version between."""
    return (
        seen is not None
        and not seen.whole
        and change.action == "update"
        and seen.id == change.id
        and seen.versions[0].version_id != change.version_id
    )


def _hidden(change: ResourceChange, seen: Sighting, links: Mapping[str, str]) -> WrittenResource:
    """It was carried out, since another of the same transaction was. Its version is nobody's to see any more: an
    edit is told by its difference to what was sent."""
    return WrittenResource(
        identity=change.identity,
        type=change.type,
        id=seen.id,
        version_id="",
        action=change.action,
        stored=resolved(change.body, links),
    )


def _as_rewritten(change: ResourceChange, stored: Json, links: Mapping[str, str], target: Target) -> bool:
    """Whether `stored` is what we sent but for elements that this server rewrote before, and shows at least one
    element that only our update has brought."""
    ignoring = rewritten(change, target.base_url)
    brought = {name: value for name, value in change.body.items() if value != (change.theirs or {}).get(name)}
    return (
        any(name not in ignoring for name in brought)
        and bool(ignoring)
        and same(change.body, stored, links, target.base_url, ignoring=ignoring)
    )


def _foreign(seen: Sighting) -> Issue:
    return Issue(
        severity="error",
        code="conflict",
        key="write.settle.foreign",
        detail="It carries our identifier, but none of its versions is what was sent.",
        source=seen.reference,
        mend="Look at it on the server. If it is not in use, delete it and run the same command again.",
    )


def _partial(resource: WrittenResource) -> Issue:
    return Issue(
        severity="error",
        code="incomplete",
        key="write.settle.partial",
        detail="It was written, but other resources of the same transaction are not there (any more).",
        source=f"{resource.type}/{resource.id}/_history/{resource.version_id}",
        mend="If the missing ones were deleted on purpose, delete this one too; then run the same command again.",
    )
