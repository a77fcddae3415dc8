"""`Patient/[id]/$everything` (http://hl7.org/fhir/R4/patient-operation-everything.html).

The patient, every resource whose `patient` parameter names them, and what those refer to of the types that are
nobody's (medications, organizations). Nothing of another patient, and no other Patient.
"""

from array import array

from careplan_exchange.model.record import FhirRelease

from .calls import Call, known_id
from .outcomes import Problem, refusal
from .pages import Result
from .parameters import ABOUT_A_PATIENT, SHARED, types_of
from .shaping import Shape, page_size
from .state import Server
from .store import Condition, Hit
from .values import span_of

DEFINITION = "http://hl7.org/fhir/OperationDefinition/Patient-everything"


def everything(server: Server, call: Call, resource_id: str) -> Result:
    """All of it, for pages. Raises RefusalError: 404, 410, and 400 for a parameter beside `_type`, `_since` and
    `_count`."""
    held = server.store.current("Patient", known_id(resource_id))
    if held is None:
        raise refusal(404, "not-found", "There is no such Patient.")
    if held.body is None:
        raise refusal(410, "deleted", "This Patient was deleted.")
    types, since, shape, ignored = _asked(call, server.release)
    own = [Hit(held.seq, held.updated)]
    patient = (Condition("patient", (held.reference,)),)
    for kind in ABOUT_A_PATIENT:
        own += server.store.find(kind, patient)
    wanted = own + _shared(server, [hit.seq for hit in own])
    if since is not None:
        moment = span_of(since)
        wanted = [hit for hit in wanted if span_of(hit.updated).high > moment.low]
    seqs = [hit.seq for hit in wanted]
    if types:
        seqs = server.store.only_of(seqs, types)
    return Result(kind="searchset", seqs=array("q", seqs), url=call.url, shape=shape, ignored=ignored)


def _asked(call: Call, release: FhirRelease) -> tuple[frozenset[str], str | None, Shape, tuple[Problem, ...]]:
    types: frozenset[str] = frozenset()
    since, shape = None, Shape()
    ignored = []
    for name, value in call.pairs:
        if name == "_type":
            types |= frozenset(value.split(","))
        elif name == "_since":
            since = _instant(value)
        elif name == "_count" and page_size(value) > 0:
            shape = Shape(count=page_size(value))
        elif call.lenient:
            ignored.append(Problem("not-supported", f"{name} was passed over.", severity="warning"))
        else:
            raise refusal(400, "not-supported", "$everything takes _type, _since and _count (above 0) here.")
    if not types.issubset(types_of(release)):
        raise refusal(400, "not-supported", "_type names a resource type that is not here.")
    return types, since, shape, tuple(ignored)


def _instant(text: str) -> str:
    try:
        span_of(text)
    except ValueError:
        raise refusal(400, "invalid", "_since is no instant.") from None
    return text


def _shared(server: Server, seqs: list[int]) -> list[Hit]:
    """What these refer to, and what that refers to, of the types that are nobody's."""
    found: dict[str, Hit] = {}
    while seqs:
        new = {
            reference: held
            for reference in sorted(server.store.referred(seqs) - found.keys())
            if reference.partition("/")[0] in SHARED
            and (held := server.store.current(*reference.split("/"))) is not None
            and held.body is not None
        }
        found |= {reference: Hit(held.seq, held.updated) for reference, held in new.items()}
        seqs = [held.seq for held in new.values()]
    return list(found.values())
