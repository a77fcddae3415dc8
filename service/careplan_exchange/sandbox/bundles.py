"""Transaction and batch (http://hl7.org/fhir/R4/http.html#transaction)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from .calls import Answer, Call, known_id, known_type, require_scope
from .interactions import answer, condition, create, delete, update
from .outcomes import Json, RefusalError, outcome_of, refusal
from .state import Server
from .store import Version

_ORDER = ("DELETE", "POST", "PUT", "GET")
_REQUEST = frozenset({"method", "url", "ifMatch", "ifNoneExist", "ifNoneMatch"})


def carry_out(server: Server, call: Call) -> Answer:
    """A Bundle that was posted to the base URL."""
    bundle = call.body or {}
    if bundle.get("resourceType") != "Bundle":
        raise refusal(400, "invalid", "Only a Bundle is posted to the base URL.", expression="resourceType")
    kind = bundle.get("type")
    if kind == "batch":
        return Answer(status=200, body=_response("batch", [_alone(server, one) for one in _calls(call, bundle)]))
    if kind == "transaction":
        return Answer(status=200, body=_transaction(server, call, bundle))
    raise refusal(400, "invalid", "The Bundle is neither a transaction nor a batch.", expression="Bundle.type")


def _response(kind: str, entries: list[Json]) -> Json:
    done: Json = {"resourceType": "Bundle", "type": f"{kind}-response"}
    return {**done, "entry": entries} if entries else done


def _calls(call: Call, bundle: Json) -> list[Call]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise refusal(400, "structure", "The entries are not a list.", expression="Bundle.entry")
    return [_call(call, entry, f"Bundle.entry[{index}]") for index, entry in enumerate(entries)]


def _call(call: Call, entry: Any, where: str) -> Call:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not all(isinstance(value, str) for value in request.values()):
        raise refusal(400, "required", "An entry has no request.", expression=where)
    unknown = sorted(set(request) - _REQUEST)
    if unknown or request.get("method") not in _ORDER or "url" not in request:
        raise refusal(
            400, "not-supported", "An entry asks for what is not supported.", expression=f"{where}.request"
        )
    body = entry.get("resource")
    if (body is not None) != (request["method"] in {"POST", "PUT"}) or not isinstance(body, dict | None):
        raise refusal(400, "structure", "POST and PUT have a resource, others none.", expression=where)
    path, _, query = request["url"].removeprefix(f"{call.base_url}/").partition("?")
    if query and request["method"] != "GET":
        raise refusal(400, "not-supported", "A conditional update or delete is not supported.", expression=where)
    return Call(
        method=request["method"],
        path=path,
        query=query,
        base_url=call.base_url,
        body=body,
        if_match=request.get("ifMatch"),
        if_none_match=request.get("ifNoneMatch"),
        if_none_exist=request.get("ifNoneExist"),
        # By default a Bundle is answered without the resources, as most servers do.
        wish=call.wish or "minimal",
        lenient=call.lenient,
        scopes=call.scopes,
    )


def _alone(server: Server, call: Call) -> Json:
    """One entry of a batch: its failure is its own."""
    try:
        fault = server.faults.take({"status", "outcome_200"}, call.method, call.url)
        if fault is not None:
            status = 200 if fault.kind == "outcome_200" else fault.status
            raise refusal(status, "transient", "A fault was asked for.")
        return _entry(answer(server, call), call)
    except RefusalError as problem:
        response = {"status": _status(problem.status), "outcome": outcome_of(problem.problems)}
        return {"response": response}


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"


def _entry(done: Answer, call: Call) -> Json:
    response: Json = {"status": _status(done.status)}
    if done.stored is not None:
        response |= {"etag": done.etag, "lastModified": done.stored.updated}
    if (location := done.location(call.base_url)) is not None:
        response["location"] = location
    content = done.content
    if isinstance(content, dict) and content.get("resourceType") == "OperationOutcome":
        return {"response": {**response, "outcome": content}}
    return {"response": response, **({"resource": content} if content is not None else {})}


class _Plan(msgspec.Struct, frozen=True):
    """What is settled before anything is written: by entry, the resource that its condition found and the id
    that it gets; by full URL, the `Type/id` behind it."""

    existing: Mapping[int, Version]
    ids: Mapping[int, str]
    places: Mapping[str, str]


def _transaction(server: Server, call: Call, bundle: Json) -> Json:
    """All entries or none: deletes, creates, updates, reads; answered in the order in which they came."""
    calls = _calls(call, bundle)
    for index, one in enumerate(calls):
        try:
            require_scope(one)
        except RefusalError as problem:
            raise problem.at(f"Bundle.entry[{index}]") from None
    done: dict[int, Answer] = {}
    with server.store.writing():
        plan = _plan(server, bundle, calls)
        for method in _ORDER:
            if method == "GET":
                # Whatever is read in a transaction is read after its writes, and those stand by then.
                written = [one.stored for index, one in done.items() if one.stored and index not in plan.existing]
                server.require_targets(written, call.base_url)
            for index, one in enumerate(calls):
                if one.method == method:
                    done[index] = _step(server, one, index, plan)
    return _response("transaction", [_entry(done[index], one) for index, one in enumerate(calls)])


def _plan(server: Server, bundle: Json, calls: list[Call]) -> _Plan:
    existing = _conditions(server, calls)
    ids = {
        index: existing[index].id if index in existing else server.new_id()
        for index, one in enumerate(calls)
        if one.method == "POST"
    }
    _require_apart(calls, ids, existing)
    return _Plan(existing, ids, _places(bundle, calls, ids))


def _conditions(server: Server, calls: list[Call]) -> dict[int, Version]:
    """What the conditional creates find, all asked before anything is written."""
    found: dict[int, Version] = {}
    asked: set[tuple[str, str]] = set()
    for index, one in enumerate(calls):
        if one.method != "POST" or one.if_none_exist is None:
            continue
        try:
            key = (one.path, one.if_none_exist)
            if key in asked:
                raise refusal(400, "duplicate", "Two entries create under the same condition.")
            asked.add(key)
            held = condition(server, one, known_type(one.path, server.release))
        except RefusalError as problem:
            raise problem.at(f"Bundle.entry[{index}]") from None
        if held is not None:
            found[index] = held
    return found


def _places(bundle: Json, calls: list[Call], ids: Mapping[int, str]) -> dict[str, str]:
    """`Type/id` behind each full URL."""
    places: dict[str, str] = {}
    for index, (entry, one) in enumerate(zip(bundle.get("entry", ()), calls, strict=True)):
        full_url = entry.get("fullUrl")
        if full_url is None or one.method not in {"POST", "PUT"}:
            continue
        if full_url in places:
            raise refusal(400, "duplicate", "Two entries have one fullUrl.", expression=f"Bundle.entry[{index}]")
        places[full_url] = f"{one.path}/{ids[index]}" if one.method == "POST" else one.path
    return places


def _require_apart(calls: list[Call], ids: Mapping[int, str], existing: Mapping[int, Version]) -> None:
    """No resource is written by two entries."""
    written: set[str] = set()
    for index, one in enumerate(calls):
        if one.method == "GET" or index in existing:
            continue
        reference = f"{one.path}/{ids[index]}" if one.method == "POST" else one.path
        if reference in written:
            raise refusal(
                400, "duplicate", "Two entries write one resource.", expression=f"Bundle.entry[{index}]"
            )
        written.add(reference)


def _step(server: Server, call: Call, index: int, plan: _Plan) -> Answer:
    try:
        if index in plan.existing:
            shown = call.wish == "representation"
            return Answer(status=200, stored=plan.existing[index], located=True, shown=shown)
        match call.method, call.segments:
            case "POST", (kind,):
                known_type(kind, server.release)
                new_id = plan.ids[index]
                return create(server, call, kind, places=plan.places, resource_id=new_id, checked=False)
            case "PUT", (kind, resource_id):
                known_type(kind, server.release)
                return update(server, call, kind, known_id(resource_id), places=plan.places, checked=False)
            case "DELETE", (kind, resource_id):
                return delete(
                    server, call, known_type(kind, server.release), known_id(resource_id), checked=False
                )
            case "GET", _:
                return answer(server, call)
        raise refusal(405, "not-supported", "There is no such interaction in a transaction.")
    except RefusalError as problem:
        raise problem.at(f"Bundle.entry[{index}]") from None
