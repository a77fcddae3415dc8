"""The interactions of one resource: read, vread, history, search, $everything, create, update, delete.

http://hl7.org/fhir/R4/http.html. Each takes a Call and gives an Answer, or raises RefusalError.
"""

from array import array
from collections.abc import Mapping

from .calls import Answer, Call, known_id, known_type, number, require_scope, version_in
from .everything import everything
from .outcomes import Json, Problem, outcome_of, refusal
from .pages import Place, Result, bundle, shown
from .search import found, parse
from .shaping import Shape, page_size
from .spoiling import in_small_pages, refuse_expired, spoiled
from .state import Server
from .statement import capability_statement
from .store import Version
from .taking import require_taken
from .vendors import require_demanded


def answer(server: Server, call: Call) -> Answer:  # noqa: C901, PLR0911 - a table of routes, one line a route
    """Carries out one interaction that is not a Bundle."""
    require_scope(call)
    match call.method, call.segments:
        case "GET", ("metadata",):
            return Answer(
                status=200,
                body=capability_statement(
                    server.release,
                    server.software,
                    call.base_url,
                    token_url=server.token_url(call.base_url),
                    takes=server.takes,
                ),
            )
        case "GET", () if dict(call.pairs).get("_getpages"):
            return _further_page(server, call)
        case "GET", (kind,):
            return _search(server, call, known_type(kind, server.release))
        case "GET", (kind, resource_id):
            return _read(server, call, known_type(kind, server.release), known_id(resource_id))
        case "GET", ("Patient", resource_id, "$everything"):
            return _first_page(server, call, everything(server, call, resource_id))
        case "GET", (kind, resource_id, "_history"):
            return _history(server, call, known_type(kind, server.release), known_id(resource_id))
        case "GET", (kind, resource_id, "_history", version):
            return _vread(server, known_type(kind, server.release), known_id(resource_id), version)
        case "POST", (kind, "_search"):
            return _search(server, call, known_type(kind, server.release))
        case "POST", (kind,):
            return create(server, call, known_type(kind, server.release))
        case "PUT", (kind, resource_id):
            return update(server, call, known_type(kind, server.release), known_id(resource_id))
        case "DELETE", (kind, resource_id):
            return delete(server, call, known_type(kind, server.release), known_id(resource_id))
    raise refusal(405, "not-supported", "There is no such interaction here.")


def _read(server: Server, call: Call, kind: str, resource_id: str) -> Answer:
    held = server.store.current(kind, resource_id)
    if held is None:
        raise refusal(404, "not-found", f"There is no such {kind}.")
    if held.body is None:
        raise refusal(410, "deleted", f"This {kind} was deleted.", headers={"ETag": f'W/"{held.number}"'})
    if call.if_none_match and version_in(call.if_none_match, "If-None-Match") == str(held.number):
        return Answer(status=304, stored=held)
    return Answer(status=200, stored=held, shown=True)


def _vread(server: Server, kind: str, resource_id: str, version: str) -> Answer:
    held = server.store.version(kind, resource_id, number(version) or 0)
    if held is None:
        raise refusal(404, "not-found", f"There is no such version of this {kind}.")
    if held.body is None:
        raise refusal(410, "deleted", f"This version of the {kind} is its deletion.")
    return Answer(status=200, stored=held, shown=True)


def _history(server: Server, call: Call, kind: str, resource_id: str) -> Answer:
    versions = server.store.history(kind, resource_id)
    if not versions:
        raise refusal(404, "not-found", f"There is no such {kind}.")
    shape = Shape()
    for name, value in call.pairs:
        if name != "_count" or page_size(value) == 0:
            raise refusal(400, "not-supported", "A history takes _count, a number above 0, and nothing else.")
        shape = Shape(count=page_size(value))
    seqs = array("q", [one.seq for one in versions])
    return _first_page(server, call, Result(kind="history", seqs=seqs, url=call.url, shape=shape))


def _search(server: Server, call: Call, kind: str) -> Answer:
    search = parse(call, kind, server.release)
    require_demanded(server.software, kind, [clause.parameter.name for clause in search.clauses])
    stale = server.faults.take({"stale_search"}, "GET", call.url) is not None
    matches = found(server.store, search, call.base_url, stale=stale)
    if search.shape.only_count:
        links = [{"relation": "self", "url": f"{call.base_url}/{call.url}"}]
        return Answer(status=200, body=bundle("searchset", (), total=len(matches), links=links))
    seqs = array("q", matches)
    result = Result(kind="searchset", seqs=seqs, url=call.url, shape=search.shape, ignored=search.ignored)
    return _first_page(server, call, result)


def _first_page(server: Server, call: Call, result: Result) -> Answer:
    return _page(server, call, server.pages.first(in_small_pages(server, result)))


def _further_page(server: Server, call: Call) -> Answer:
    asked = dict(call.pairs)
    place = server.pages.further(asked["_getpages"], asked.get("_offset", ""))
    refuse_expired(server, place)
    return _page(server, call, place)


def _page(server: Server, call: Call, place: Place) -> Answer:
    page = shown(server.store, place, call.base_url, server.release)
    return Answer(status=200, body=spoiled(server, place, page, call.base_url))


def create(
    server: Server,
    call: Call,
    kind: str,
    *,
    places: Mapping[str, str] = {},
    resource_id: str | None = None,
    checked: bool = True,
) -> Answer:
    """Creates, unless the condition finds one. Within a Bundle `resource_id` is given, the condition was
    asked before, and references are checked at the end (`checked` False)."""
    require_taken(kind, server.takes)
    body = _body_of(call, kind)
    with server.store.writing():
        if call.if_none_exist is not None and resource_id is None:
            held = condition(server, call, kind)
            if held is not None:
                return _written(call, 200, held)
        version = server.save(body, resource_id or server.new_id(), "POST", call.base_url, places)
        if checked:
            server.require_targets([version], call.base_url)
    return _written(call, 201, version)


def condition(server: Server, call: Call, kind: str) -> Version | None:
    """What `If-None-Exist` finds. Raises RefusalError: 412 where it is more than one, 400 where it asks
    nothing."""
    asked = Call(method="GET", path=kind, query=(call.if_none_exist or "").lstrip("?"), base_url=call.base_url)
    search = parse(asked, kind, server.release)
    if not search.clauses:
        raise refusal(400, "required", "If-None-Exist has no criteria.")
    matches = found(server.store, search, call.base_url)
    if len(matches) > 1:
        raise refusal(
            412, "multiple-matches", f"The condition of the create finds {len(matches)} {kind} resources."
        )
    return server.store.versions(matches)[0] if matches else None


def update(
    server: Server,
    call: Call,
    kind: str,
    resource_id: str,
    *,
    places: Mapping[str, str] = {},
    checked: bool = True,
) -> Answer:
    """A new version of a resource that is or was there; the server alone gives ids."""
    require_taken(kind, server.takes)
    body = _body_of(call, kind)
    if body.get("id") != resource_id:
        raise refusal(400, "value", "The id in the body is not the one in the URL.", expression=f"{kind}.id")
    with server.store.writing():
        held = server.store.current(kind, resource_id)
        _require_version(call, held, kind)
        if held is None:
            if resource_id.isdecimal():
                raise refusal(400, "business-rule", "A client cannot create a resource with a numeric id.")
            raise refusal(
                405, "not-supported", "An update does not create here: POST it, the server gives the id."
            )
        version = server.save(body, resource_id, "PUT", call.base_url, places)
        if checked:
            server.require_targets([version], call.base_url)
    return _written(call, 201 if held.body is None else 200, version)


def delete(server: Server, call: Call, kind: str, resource_id: str, *, checked: bool = True) -> Answer:
    """Deletes, also what is not there; refused while something refers to it."""
    require_taken(kind, server.takes)
    with server.store.writing():
        held = server.store.current(kind, resource_id)
        _require_version(call, held, kind)
        if held is None or held.body is None:
            return Answer(status=204, stored=held)
        version = server.bury(held)
        if checked:
            server.require_targets([version], call.base_url)
    return Answer(status=204, stored=version)


def _require_version(call: Call, held: Version | None, kind: str) -> None:
    if call.if_match is None:
        return
    wanted = version_in(call.if_match, "If-Match")
    if held is None or wanted != str(held.number):
        raise refusal(412, "conflict", f"The {kind} is not at the version that If-Match names.")


def _body_of(call: Call, kind: str) -> Json:
    if call.body is None:
        raise refusal(400, "required", "The request has no resource.")
    if call.body.get("resourceType") != kind:
        raise refusal(400, "invalid", f"The body is not a {kind}.", expression="resourceType")
    return call.body


def _written(call: Call, status: int, version: Version) -> Answer:
    if call.wish == "OperationOutcome":
        done = outcome_of([Problem("informational", "Done.", severity="information")])
        return Answer(status=status, stored=version, located=True, body=done)
    return Answer(status=status, stored=version, located=True, shown=call.wish != "minimal")
