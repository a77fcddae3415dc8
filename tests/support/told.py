"""A server that says what a test has it say, in place of a FhirClient: nothing is sent and nothing is stored."""

from typing import Any

from careplan_exchange.errors import CareplanError, RefusedError
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import encode
from careplan_exchange.model.record import Resource


def stored(body: Json, version: str | None, resource_id: str = "7") -> Resource:
    return Resource(
        type=body["resourceType"],
        id=resource_id,
        version_id=version,
        last_updated=None,
        content=encode({**body, "id": resource_id, "meta": {"versionId": version}}),
    )


class ToldClient:
    """`found` is what searches find, `versions` those of the one resource, newest first (None of `versions`: the
    server shows no history), `now` what stands, `deleted` the numbers of deletions; `refuses` the error of what is named there."""

    base_url = "https://told.example.org/fhir"

    def __init__(self, *found: Resource, now: Resource | None = None, versions: Any = None) -> None:
        self.found = found
        self.now = now
        self.versions: list[Resource] | None = versions
        self.deleted: frozenset[str] = frozenset()
        self.refuses: dict[str, CareplanError] = {}
        self.log: list[tuple[str, ...]] = []
        self.sent: list[Json] = []

    def did(self, *names: str) -> list[tuple[str, ...]]:
        return [call for call in self.log if call[0] in names]

    async def search_many(self, queries: Any, *, no_cache: bool) -> list[tuple[Resource, ...]]:
        self._note("search", str(no_cache))
        return [self.found, *(() for _ in queries[1:])]

    async def read(self, kind: str, resource_id: str, *, no_cache: bool = False) -> Resource:
        self._note("read", f"{kind}/{resource_id}", str(no_cache))
        assert self.now is not None
        return self.now

    async def find(self, kind: str, resource_id: str, *, no_cache: bool = False) -> Resource | None:
        self._note("find", f"{kind}/{resource_id}", str(no_cache))
        return self.now

    async def history(self, kind: str, resource_id: str) -> list[Resource]:
        self._note("history", f"{kind}/{resource_id}")
        if self.versions is None:
            raise RefusedError("It shows no history.", mend="None.")
        return self.versions

    async def was_deleted(self, kind: str, resource_id: str, version_id: str) -> bool:
        self._note("was_deleted", f"{kind}/{resource_id}", version_id)
        return version_id in self.deleted

    async def delete(self, kind: str, resource_id: str, *, version_id: str, request_id: str) -> None:
        self._note("delete", f"{kind}/{resource_id}", version_id, request_id)

    async def update(
        self, kind: str, resource_id: str, body: Json, *, version_id: str, request_id: str
    ) -> Written:
        self._note("update", f"{kind}/{resource_id}", version_id, request_id)
        self.sent.append(body)
        return Written(created=False, type=kind, id=resource_id, version_id=None, body=None)

    async def create(self, kind: str, body: Json, *, if_none_exist: str | None, request_id: str) -> Written:
        self._note("create", kind, str(if_none_exist), request_id)
        self.sent.append(body)
        return Written(created=True, type=kind, id=None, version_id=None, body=None)

    def _note(self, *call: str) -> None:
        self.log.append(call)
        if call[0] in self.refuses:
            raise self.refuses[call[0]]
