"""The running sandbox: its resources, its faults, its clock. And the one way in which a version comes to be."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.record import FhirRelease

from .calls import number
from .faults import Faults
from .outcomes import Json, RefusalError, refusal
from .pages import Pages
from .references import contained_ids, local, references, rewritten
from .rules import judge
from .smart import TOKEN_PATH, Authorizer
from .store import Store, Version
from .taking import Takes
from .values import terms


class Server:
    """What the interactions work on. `clock` and `ids` give the time and new ids; `software` is whom it plays,
    and
    `takes` what it takes of a plan."""

    def __init__(
        self,
        *,
        release: FhirRelease,
        database: Path | None,
        faults: Faults,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        software: str,
        takes: Takes = "references",
    ) -> None:
        self.release: FhirRelease = release
        self.store = Store(database, release)
        self.faults = faults
        self.pages = Pages()
        self.software = software
        self.takes: Takes = takes
        self.new_id = ids
        self.clock = clock
        self.authorizer: Authorizer | None = None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While a record is loaded everything is taken, whatever clients may write afterwards."""
        takes, self.takes = self.takes, "references"
        try:
            yield
        finally:
            self.takes = takes

    def token_url(self, base_url: str) -> str | None:
        """Where tokens are asked for, where they are."""
        return f"{base_url}/{TOKEN_PATH}" if self.authorizer is not None else None

    def close(self) -> None:
        self.store.close()

    def save(
        self,
        body: Json,
        resource_id: str,
        method: str,
        base_url: str,
        places: Mapping[str, str] = {},
    ) -> Version:
        """A new version of a resource, valid or refused (400, 422). `places` are the full URLs of the same
        Bundle. Its references are checked by `require_targets`, once all is written."""
        self._require_valid(body, places)
        resource_type = body["resourceType"]
        last = self.store.current(resource_type, resource_id)
        number = last.number + 1 if last else 1
        updated = instant(self.clock())
        meta = {**body.get("meta", {}), "versionId": str(number), "lastUpdated": updated}
        rest = {name: value for name, value in body.items() if name not in {"resourceType", "id", "meta"}}
        stored: Json = {
            "resourceType": resource_type,
            "id": resource_id,
            "meta": meta,
            **rewritten(rest, places, base_url),
        }
        version = Version(0, resource_type, resource_id, number, updated, method, encode(stored))
        targets = {
            f"{found.type}/{found.id}"
            for _, literal in references(stored, resource_type)
            if (found := local(literal, base_url)) is not None
        }
        self.store.put(version, terms(stored, base_url), targets)
        return version

    def bury(self, last: Version) -> Version:
        """A deletion as the newest version."""
        version = Version(0, last.type, last.id, last.number + 1, instant(self.clock()), "DELETE", None)
        self.store.put(version, {}, ())
        return version

    def require_targets(self, written: Iterable[Version], base_url: str) -> None:
        """Every reference of what was written leads somewhere on this server, and nothing that stays refers
        to what was deleted. Raises RefusalError: 422, 409."""
        for version in written:
            if version.body is None:
                self._require_unreferenced(version)
            else:
                self._require_referents(decode(version.body), base_url)

    def _require_unreferenced(self, version: Version) -> None:
        count = len(self.store.referrers(version.reference))
        if count:
            raise refusal(409, "conflict", f"{count} resource(s) refer to this {version.type}; it stays.")

    def _require_referents(self, body: Json, base_url: str) -> None:
        inside = contained_ids(body)
        for path, literal in references(body, body["resourceType"]):
            if literal in inside or literal == "#":
                continue
            target = local(literal, base_url)
            if target is None:
                raise refusal(
                    422,
                    "not-found",
                    "A reference is neither to this server nor to an entry of the same transaction.",
                    expression=path,
                )
            found = self.store.current(target.type, target.id)
            if found is not None and target.version is not None and found.body is not None:
                found = self.store.version(target.type, target.id, number(target.version) or 0)
            if found is None or found.body is None:
                raise refusal(
                    422, "not-found", f"A reference leads to a {target.type} that is not here.", expression=path
                )

    def _require_valid(self, body: Json, places: Mapping[str, str]) -> None:
        inside = {f"#{one.get('id')}": one.get("resourceType") for one in body.get("contained", ())}

        def type_behind(reference: str) -> str | None:
            return places[reference].split("/")[0] if reference in places else inside.get(reference)

        verdict = judge(body, self.release, type_behind)
        if verdict.syntax:
            raise RefusalError(400, verdict.syntax)
        if verdict.business:
            raise RefusalError(422, verdict.business)


def instant(moment: datetime) -> str:
    """A FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
