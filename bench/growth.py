"""How planning grows: with the resources of a record, with protocols, and with safety rules. Linear is the aim.

    python bench/growth.py

Protocols are copies of ours under other ids, rules copies of ours: each applies or fires as its model does.
"""

import time
from collections.abc import Callable, Sequence
from datetime import date
from statistics import median

import msgspec
from _record import record

from careplan_exchange import config, installed
from careplan_exchange import knowledge as folders
from careplan_exchange.knowledge import Document
from careplan_exchange.mapping import map_record
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.planner import load_policies, plan
from careplan_exchange.planner.protocol import Action, GoalTemplate, Protocol

TODAY = date(2021, 4, 1)
ROUNDS = 7
RESOURCES = (500, 1_000, 5_000, 10_000, 50_000)
PROTOCOLS = (15, 50, 100, 200)
RULES = (1_000, 2_000)
"""Beside as many as there are."""


def milliseconds(work: Callable[[], object]) -> float:
    """CPU, the median of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1000)
    return median(taken)


def copied(protocol: Protocol, number: int) -> Protocol:
    """The same protocol as another one. Its lines are never the same as those of its model: they have other
    definitions, so that nothing is joined."""
    name = f"{protocol.id}-{number}"

    def key(old: str) -> str:
        return old.replace(protocol.id, name, 1)

    def action(one: Action) -> Action:
        template = one.definition
        if template is not None:
            template = msgspec.structs.replace(template, url=f"{template.url}-{number}", codings=())
        return msgspec.structs.replace(
            one,
            key=key(one.key),
            definition=template,
            supports=tuple(key(each) for each in one.supports),
            goals=tuple(key(each) for each in one.goals),
            children=tuple(action(child) for child in one.children),
        )

    def goal(one: GoalTemplate) -> GoalTemplate:
        return msgspec.structs.replace(one, key=key(one.key), id=key(one.id))

    return msgspec.structs.replace(
        protocol,
        id=name,
        goals=tuple(goal(one) for one in protocol.goals),
        actions=tuple(action(one) for one in protocol.actions),
    )


def many_rules(count: int) -> dict[str, tuple[Document, ...]]:
    """The knowledge folders with so many safety rules: ours, and copies of them under other ids."""
    files: dict[str, tuple[Document, ...]] = {name: folders.documents(name) for name in folders.FOLDERS}
    found = [
        (document, rule)
        for document in files["protocols/safety"]
        if isinstance(document.content, dict)
        for rule in document.content.get("rules", ())
    ]
    wanted = [
        {**found[place % len(found)][1], "id": f"{found[place % len(found)][1]['id']}-{place}"}
        for place in range(len(found), count)
    ]
    kept = [rule for _, rule in found]
    mine = {id(document) for document, _ in found}
    others = tuple(one for one in files["protocols/safety"] if id(one) not in mine)
    whole = Document(path="protocols/safety/many.yaml", content={"rules": [*kept, *wanted]}, lines={})
    return {**files, "protocols/safety": (*others, whole)}


def table(what: str, rows: Sequence[tuple[int, float]]) -> None:
    print(f"\n{what:<12} {'ms CPU':>10} {'of one, us':>12}")
    for count, taken in rows:
        print(f"{count:<12,} {taken:>10.1f} {taken * 1000 / count:>12.1f}")


def main() -> None:
    known = installed.load_knowledge(config.Settings())

    def snapshot(size: int) -> Snapshot:
        return map_record(record(size), known.mappings, known.vocabulary, today=TODAY)

    one = snapshot(500)
    rows = []
    for size in RESOURCES:
        taken = snapshot(size)
        rows.append((size, milliseconds(lambda: plan(taken, known.protocols, known.vocabulary, known.policies))))  # noqa: B023 # called at once
    table("resources", rows)

    rows = []
    for count in PROTOCOLS:
        copies = [
            known.protocols[place]
            if place < len(known.protocols)
            else copied(known.protocols[place % len(known.protocols)], place)
            for place in range(count)
        ]
        rows.append((count, milliseconds(lambda: plan(one, copies, known.vocabulary, known.policies))))  # noqa: B023
    table("protocols", rows)

    assert known.policies.safety is not None  # noqa: S101 # ours always has a gate
    rows = []
    for count in (len(known.policies.safety.rules), *RULES):
        policies = load_policies(many_rules(count), known.vocabulary)
        rows.append((count, milliseconds(lambda: plan(one, known.protocols, known.vocabulary, policies))))  # noqa: B023
    table("rules", rows)


if __name__ == "__main__":
    main()
