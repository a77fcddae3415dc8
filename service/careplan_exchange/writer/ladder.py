"""The write ladder: from what a target declares, and what it showed, to the form in which a plan is written
there.

Pure. A rung needs of every type on it: create, update, and a search by `identifier`, without which nothing could
be repeated safely. A statement that says nothing is taken as the best, until the target turns something away. The
rungs, and what a server must offer for each, are described in docs/ladder.md.
"""

from collections.abc import Iterable, Mapping

import msgspec

from careplan_exchange.errors import UnsupportedServerError
from careplan_exchange.fhir import Capabilities
from careplan_exchange.model.changes import Base, Held, Json
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.model.target import Probe, Rung, TargetForm

_PLAN = ("CarePlan", "Goal")
_INTERACTIONS = ("create", "update")
_REQUESTS: Mapping[FhirRelease, tuple[str, ...]] = {
    "R4": ("ServiceRequest",),
    "R4B": ("ServiceRequest",),
    "R5": ("ServiceRequest", "MedicationRequest"),  # R5 has no detail in which a medicine could stay a line
}
_OPTIONAL = ("DetectedIssue", "NutritionOrder")
UNTRIED = Probe()


def form_of(capabilities: Capabilities, probe: Probe = UNTRIED) -> TargetForm:
    """The highest rung that the target carries. Raises UnsupportedServerError where it carries none."""
    release = capabilities.release
    declared = {rung: _missing(types, capabilities, probe) for rung, types in _needed(release).items()}
    rung = next((rung for rung, missing in declared.items() if not missing), None)
    if rung is None:
        raise UnsupportedServerError(
            f"The target takes neither a plan ({_list(declared[_plainest(release)])}) nor a document "
            f"({_list(declared['document'])}).",
            mend="Use another server as --target, or name one that takes the plan in its stead: `companion` of "
            "the endpoint in careplan.toml.",
        )
    better = next((one for one in reversed(declared) if _above(one, rung)), None)
    return TargetForm(
        release=release,
        rung=rung,
        us_core=capabilities.us_core,
        atomic=capabilities.transaction if probe.atomic is None else probe.atomic,
        without=frozenset(
            name for name in _OPTIONAL if rung != "document" and _missing((name,), capabilities, probe)
        ),
        why=_why(rung, declared, capabilities),
        issues=tuple(_fell(name) for name in sorted(probe.refused)),
        raise_by="" if better is None else f"{_list(declared[better])} (for '{better}')",
    )


def takes_any(capabilities: Capabilities, probe: Probe = UNTRIED) -> bool:
    """Whether the target is on the ladder at all; where not, a companion takes the plan."""
    return any(not _missing(types, capabilities, probe) for types in _needed(capabilities.release).values())


def kept(form: TargetForm, held: Iterable[Held], bases: Iterable[Base]) -> TargetForm:
    """The form for a plan that was written already: it keeps its rung, so that it is not written a second time in
    another form when the target learns or forgets something. What was written last counts before what stands
    there: a person may have added activities in a form of their own."""
    bodies = {one.type: one.body for one in held} | {one.type: one.ours for one in bases}
    if "CarePlan" in bodies:
        rung = _rung_of(bodies["CarePlan"], form)
    elif "DocumentReference" in bodies:
        rung = "document"
    else:
        return form
    if rung == form.rung:
        return form
    why = f"The plan that stands there was written on rung '{rung}' and keeps it. {form.why}"
    return msgspec.structs.replace(form, rung=rung, why=why)


def _rung_of(plan: Json, form: TargetForm) -> Rung:
    """A medicine is a detail on both rungs of R4, and tells nothing; R5 has one form of CarePlan only."""
    if form.release == "R5":
        return "references"
    activities: list[Json] = [one for one in plan.get("activity", ()) if isinstance(one, dict)]
    if any("reference" in one for one in activities):
        return "references"
    details = [one["detail"] for one in activities if isinstance(one.get("detail"), dict)]
    if any(detail.get("kind") != "MedicationRequest" for detail in details):
        return "detail"
    return "detail" if form.rung == "document" else form.rung


def _needed(release: FhirRelease) -> dict[Rung, tuple[str, ...]]:
    """The types that every plan of a rung needs, by rung, best first."""
    rungs: dict[Rung, tuple[str, ...]] = {"references": (*_PLAN, *_REQUESTS[release])}
    if release != "R5":
        rungs["detail"] = _PLAN
    rungs["document"] = ("DocumentReference",)
    return rungs


def _plainest(release: FhirRelease) -> Rung:
    return "references" if release == "R5" else "detail"


def _above(one: Rung, rung: Rung) -> bool:
    order: tuple[Rung, ...] = ("references", "detail", "document")
    return order.index(one) < order.index(rung)


def _missing(types: Iterable[str], capabilities: Capabilities, probe: Probe) -> list[str]:
    """What stands against a rung, each as a few words."""
    missing = []
    for name in types:
        if name in probe.refused:
            missing.append(f"{name} was refused")
        elif not capabilities.says_nothing:
            lacking = [code for code in _INTERACTIONS if not capabilities.supports(name, code)]
            # A type that lists no parameter at all says nothing of them.
            if capabilities.parameters.get(name) and not capabilities.searchable(name, "identifier"):
                lacking.append("search by identifier")
            missing += [f"{name} {code}" for code in lacking]
    return missing


def _why(rung: Rung, declared: Mapping[Rung, list[str]], capabilities: Capabilities) -> str:
    if capabilities.says_nothing and not any(declared.values()):
        return "Its CapabilityStatement lists no interactions: what it takes is found out by trying."
    lacking = list(
        dict.fromkeys(one for above, missing in declared.items() if _above(above, rung) for one in missing)
    )
    what = {
        "references": "It takes CarePlan, Goal and requests of their own.",
        "detail": "It takes CarePlan and Goal.",
        "document": "It takes documents (DocumentReference).",
    }[rung]
    return f"{what} Missing: {_list(lacking)}." if lacking else what


def _fell(name: str) -> Issue:
    return Issue(
        severity="warning",
        code="not-supported",
        key="write.fell-a-rung",
        detail=f"The target declares to take {name} and turned away a write that held one. The plan is written "
        "in another form.",
        source=name,
        mend="Report it to those who run the server: its CapabilityStatement says more than it does.",
    )


def _list(missing: Iterable[str]) -> str:
    return ", ".join(missing)
