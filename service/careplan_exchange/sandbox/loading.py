"""Resources from a folder of FHIR JSON into a sandbox."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from careplan_exchange.errors import UsageError
from careplan_exchange.model.codec import decode

from .bundles import carry_out
from .calls import Call
from .outcomes import Json, RefusalError
from .parameters import types_of
from .state import Server
from .store import Version

_NOWHERE = "http://sandbox.invalid/fhir"
"""Full URLs are relative to the address at which the sandbox will answer; none of a file's is that one."""


class Loaded(msgspec.Struct, frozen=True):
    """How many files were read, and how many resources of each type they brought."""

    files: int
    resources: Mapping[str, int]


def load_directory(server: Server, path: Path) -> Loaded:
    """Loads every `*.json` of a folder in the order of their names, all of it or nothing: transaction Bundles
    as the server would take them, the resources of other Bundles and single resources under the ids they
    have.

    Raises UsageError naming the file, where it is not FHIR or is refused.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder.", mend="Give --load a folder with FHIR JSON files.")
    files = sorted(path.glob("*.json"))
    if not files:
        raise UsageError(f"{path} has no *.json files.", mend="Give --load a folder with FHIR JSON files.")
    counts: Counter[str] = Counter()
    kept: list[tuple[Path, Version]] = []
    with server.loading(), server.store.writing():
        for file in files:
            body = _read(file)
            try:
                if body.get("resourceType") == "Bundle" and body.get("type") == "transaction":
                    carry_out(server, Call(method="POST", path="", base_url=_NOWHERE, body=body))
                    counts.update(entry["resource"]["resourceType"] for entry in body.get("entry", ()))
                else:
                    versions = _keep(server, body)
                    kept += [(file, version) for version in versions]
                    counts.update(version.type for version in versions)
            except RefusalError as problem:
                raise _refused(file, problem) from None
        for file, version in kept:
            try:
                server.require_targets([version], _NOWHERE)
            except RefusalError as problem:
                raise _refused(file, problem) from None
    return Loaded(len(files), dict(sorted(counts.items())))


def _read(file: Path) -> Json:
    try:
        body = decode(file.read_bytes())
    except (OSError, msgspec.DecodeError):
        body = None
    if not isinstance(body, dict) or "resourceType" not in body:
        raise UsageError(f"{file.name} is not FHIR JSON.", mend="Take it out of the folder, or mend it.")
    return body


def _keep(server: Server, body: Json) -> list[Version]:
    """Resources under the ids they have, or new ones."""
    is_bundle = body["resourceType"] == "Bundle"
    entries = body.get("entry", ()) if is_bundle else [{"resource": body}]
    placed = [
        (entry.get("fullUrl"), entry["resource"], str(entry["resource"].get("id") or server.new_id()))
        for entry in entries
        if "resource" in entry
    ]
    for _, resource, _ in placed:
        if resource.get("resourceType") not in types_of(server.release):
            raise UsageError(
                "The folder has a resource type that the sandbox does not take.",
                mend=f"It takes {', '.join(types_of(server.release))}.",
            )
    places = {str(url): f"{resource['resourceType']}/{new_id}" for url, resource, new_id in placed if url}
    return [server.save(resource, new_id, "PUT", _NOWHERE, places) for _, resource, new_id in placed]


def _refused(file: Path, problem: RefusalError) -> UsageError:
    first = problem.problems[0]
    return UsageError(
        f"{file.name} is refused at {first.expression or 'its root'}: {first.detail}",
        mend="Mend that element, or take the file out of the folder. Nothing was loaded.",
    )
