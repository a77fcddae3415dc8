"""CPU of merging one plan: 30 goals and 60 activities, in R4 (31 resources) and in R5 (91).

    python bench/merge.py

Three cases: nothing changed; everything is proposed otherwise; and that, where a person has edited every goal and
every activity as well. Nothing is read or written: `compare` alone, after `next_base` has made the bases.
"""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

from _figures import line

from careplan_exchange.model.changes import Base, ChangeSet, Ground, Held, Json, Rendered, WrittenResource
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.identity import IDENTITY_SYSTEM, full_url_of, identity_of
from careplan_exchange.reconcile import compare, next_base

GOALS, ACTIVITIES, ROUNDS, AIM_MS = 30, 60, 60, 5.0
PATIENT = "Patient/1"
WHY = "HbA1c is above the target of the protocol; it was measured twice in the last half year. " * 4


def rendered(kind: str, key: str, elements: Json) -> Rendered:
    identity = identity_of("bench", PATIENT, kind, key)
    body = {"resourceType": kind, "identifier": [{"system": IDENTITY_SYSTEM, "value": identity}], **elements}
    return Rendered(identity=identity, type=kind, full_url=full_url_of(identity), body=body)


def link(kind: str, key: str) -> Json:
    return {"reference": full_url_of(identity_of("bench", PATIENT, kind, key))}


def concept(code: str) -> Json:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": f"Measure {code}"}], "text": code}


def goal(number: int, say: str) -> Rendered:
    quantity = {"value": Decimal("7.0") + number, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    return rendered(
        "Goal",
        f"goal/{number}",
        {
            "lifecycleStatus": "proposed",
            "category": [concept("physiotherapy")],
            "priority": concept("high-priority"),
            "description": {"text": f"Reach target {number}. {say}"},
            "subject": {"reference": PATIENT},
            "startDate": "2026-11-24",
            "target": [
                {
                    "id": f"{number}-{part}",
                    "measure": concept(f"{number}-{part}"),
                    "detailRange": {"high": quantity},
                    "dueDate": "2027-02-24",
                }
                for part in range(2)
            ],
            "addresses": [{"reference": f"Condition/{number}"}],
            "note": [{"id": "reason", "text": WHY}],
        },
    )  # fmt: skip


def detail(number: int, say: str) -> Json:
    return {
        "kind": "ServiceRequest",
        "instantiatesCanonical": ["http://example.org/PlanDefinition/bench|1.0.0"],
        "code": concept(str(number)),
        "reasonReference": [{"reference": f"Condition/{number}"}],
        "goal": [link("Goal", f"goal/{number % GOALS}")],
        "status": "not-started",
        "scheduledTiming": {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}},
        "description": f"Do thing {number}. {say}",
    }


def request(number: int, say: str) -> Rendered:
    return rendered(
        "ServiceRequest",
        f"do/{number}",
        {
            "status": "draft",
            "intent": "proposal",
            "code": {"concept": concept(str(number))},
            "subject": {"reference": PATIENT},
            "reason": [{"reference": {"reference": f"Condition/{number}"}}],
            "note": [{"id": "instruction", "text": say}, {"id": "reason", "text": WHY}],
        },
    )


def proposal(release: str, say: str) -> tuple[Rendered, ...]:
    goals = tuple(goal(number, say) for number in range(GOALS))
    requests = tuple(request(number, say) for number in range(ACTIVITIES)) if release == "R5" else ()
    activities = [
        {"id": f"do/{number}", "plannedActivityReference": link("ServiceRequest", f"do/{number}")}
        if release == "R5"
        else {"id": f"do/{number}", "detail": detail(number, say)}
        for number in range(ACTIVITIES)
    ]
    plan = rendered(
        "CarePlan",
        "plan",
        {
            "text": {"status": "generated", "div": f"<div>{say}{WHY * 90}</div>"},
            "status": "draft",
            "intent": "plan",
            "title": f"Plan of care. {say}",
            "subject": {"reference": PATIENT},
            "period": {"start": "2026-11-24"},
            "created": "2026-11-24",
            "supportingInfo": [{"reference": f"Observation/{number}"} for number in range(60)],
            "goal": [link("Goal", f"goal/{number}") for number in range(GOALS)],
            "activity": activities,
        },
    )
    return (*goals, *requests, plan)


def stored(changes: ChangeSet) -> tuple[list[Held], dict[str, Base]]:
    """What a server makes of a first write, and what is remembered of it."""
    text = {change.full_url: f"{change.type}/{number}" for number, change in enumerate(changes.changes)}
    held, bases = [], {}
    for number, change in enumerate(changes.changes):
        body = encode({**change.body, "id": str(number), "meta": {"versionId": "1"}}).decode()
        for url, reference in text.items():
            body = body.replace(url, reference)
        kept = decode(body)
        held.append(
            Held(identity=change.identity, type=change.type, id=str(number), version_id="1", body=decode(body))
        )
        written = WrittenResource(
            identity=change.identity,
            type=change.type,
            id=str(number),
            version_id="1",
            action="create",
            stored=kept,
        )
        bases[change.identity] = next_base(change, written)
    return held, bases


def edited(held: Sequence[Held]) -> list[Held]:
    """Every goal and activity as a person has changed it."""
    found = []
    for one in held:
        body = decode(encode(one.body))
        if one.type == "Goal":
            body["description"] = {"text": "As agreed with the patient"}
        for item in body.get("activity", ()):
            item.setdefault("progress", []).append({"text": "Done once"})
            item.setdefault("detail", {})["description"] = "As agreed"
        found.append(Held(identity=one.identity, type=one.type, id=one.id, version_id="2", body=body))
    return found


def milliseconds(work: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1e3)
    return taken


def main() -> None:
    for release in ("R4", "R5"):
        first, other = proposal(release, "As before."), proposal(release, "Otherwise.")
        grounds = {one.identity: Ground(digest="1", because=(WHY,)) for one in first}
        grounds |= {f"do/{number}": Ground(digest="1", because=(WHY,)) for number in range(ACTIVITIES)}
        made = compare(first, (), {}, approve=False, patient=PATIENT, grounds=grounds)
        held, bases = stored(made)
        by_hand = edited(held)
        cases = (("nothing changed", first, held), ("all otherwise", other, held), ("and edited", other, by_hand))
        for name, now, theirs in cases:
            merge = partial(compare, now, theirs, bases, approve=False, patient=PATIENT, grounds=grounds)
            merged = merge()
            what = f"{release}, {name}: {len(merged.to_write)} writes, {len(merged.conflicts)} conflicts"
            print(line(what, milliseconds(merge), f"ms CPU (aim {AIM_MS:g})"))


if __name__ == "__main__":
    main()
