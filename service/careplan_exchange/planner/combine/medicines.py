"""Medicines of several protocols against each other: of one class a plan starts one at most."""

from collections.abc import Sequence

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, Conflict, Reason
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.doses import doses
from careplan_exchange.planner.matching import protocol_of

from . import falling, joining
from .rules import Combining, MedicineClass


def one_of_a_class(whole: Lines, policy: Combining) -> dict[str, str]:
    """Two protocols that start the same medicine say it once; where they do it differently, a person is asked.
    Of two that start different medicines of one class the preferred one stands, and the other is named as an
    alternative. Returns the new key of each line that was taken in."""
    names = _the_same_medicine(whole)
    joining.rename(whole, names)
    for group in policy.medicines:
        starting = [line for line in whole.activities if not set(group.medicines).isdisjoint(line.medicines)]
        if len({protocol_of(line.key) for line in starting}) > 1:
            _prefer(whole, group, starting)
    return names


def _the_same_medicine(whole: Lines) -> dict[str, str]:
    names: dict[str, str] = {}
    groups: list[list[ActivityProposal]] = []
    for activity in whole.activities:
        group = next((found for found in groups if _start_the_same(found[0], activity)), None)
        if group is None:
            groups.append([activity])
        else:
            group.append(activity)
            names[activity.key] = group[0].key
    whole.activities = [_one_medicine(group, whole) if len(group) > 1 else group[0] for group in groups]
    return names


def _one_medicine(group: Sequence[ActivityProposal], whole: Lines) -> ActivityProposal:
    """The words of the one that is worth most. Where the doses differ a person is asked which holds."""
    stands = max(group, key=lambda line: line.benefit or 0)
    one = group[0]
    for line in group[1:]:
        one = joining.activities(one, line, stands)
    told = tuple(
        Reason(
            text=f"Proposed by {line.protocol.title} too, as '{line.title}': {line.description}",
            rule=f"combine: same medicine {', '.join(line.medicines)}",
            result="true",
        )
        for line in group
        if line is not stands
    )
    one = msgspec.structs.replace(one, reasons=joining.both(one.reasons, told))
    if all(line.dosage == stands.dosage and _same_words(line, stands) for line in group):
        return one
    said = "; ".join(f"{line.protocol.title}: {_dose(line)}" for line in group)
    question = f"The protocols propose this medicine in different ways. Which holds? {said}"
    whole.conflicts.append(
        Conflict(
            key=f"combine/medicine/{group[0].key}",
            title="One medicine, proposed in different ways",
            text=question,
            policy="ask",
            lines=tuple(line.key for line in group),
            citations=tuple(dict.fromkeys(citation for line in group for citation in line.citations)),
        )
    )
    return msgspec.structs.replace(one, questions=joining.both(one.questions, (question,)))


def _same_words(first: ActivityProposal, second: ActivityProposal) -> bool:
    """Without a dose on either side the title may tell an intensity ("high", "moderate")."""
    return bool(first.dosage) or first.title == second.title


def _dose(line: ActivityProposal) -> str:
    said = doses(line.dosage)
    return f"{line.title}, {said}" if said else line.title


def _start_the_same(first: ActivityProposal, second: ActivityProposal) -> bool:
    return (
        bool(first.medicines)
        and set(first.medicines) == set(second.medicines)
        and {first.resource_kind, second.resource_kind} == {"MedicationRequest"}
        and protocol_of(first.key) != protocol_of(second.key)
    )


def _prefer(whole: Lines, group: MedicineClass, starting: list[ActivityProposal]) -> None:
    """The preferred one of each protocol's own choice; protocols themselves choose among their own."""
    stands = min(starting, key=lambda line: (_place(line, group), line.key))
    others = [line for line in starting if protocol_of(line.key) != protocol_of(stands.key)]
    if not others:
        return
    if group.policy == "ask":
        _ask_which(whole, group, [stands, *others])
        return
    for other in others:
        why = Reason(
            text=f"Of {group.title} a plan starts one: '{stands.title}' stands, and this is an alternative.",
            rule=f"combine: class {group.id}",
            result="false",
        )
        falling.drop(whole, [other.key], (why,))
    told = tuple(
        Reason(
            text=f"An alternative of the same class is '{other.title}' ({other.protocol.title}).",
            rule=f"combine: class {group.id}",
            result="true",
        )
        for other in others
    )
    cited = tuple(citation for other in others for citation in other.citations)
    goals = tuple(goal for other in others for goal in other.goals)
    one = msgspec.structs.replace(
        stands,
        reasons=joining.both(stands.reasons, told),
        citations=joining.both(stands.citations, (group.source.citation, *cited)),
        goals=joining.both(stands.goals, goals),
    )
    whole.activities = [one if line.key == stands.key else line for line in whole.activities]
    names = ", ".join(f"'{line.title}' ({line.protocol.title})" for line in others)
    whole.conflicts.append(
        Conflict(
            key=f"combine/class/{group.id}",
            title=f"Two medicines of one class: {group.title}",
            text=f"'{stands.title}' ({stands.protocol.title}) stands; the alternative is {names}.",
            policy="first",
            lines=(stands.key, *(line.key for line in others)),
            citations=(group.source.citation,),
        )
    )


def _ask_which(whole: Lines, group: MedicineClass, lines: Sequence[ActivityProposal]) -> None:
    said = "; ".join(f"'{line.title}' ({line.protocol.title})" for line in lines)
    question = f"Of {group.title} a plan starts one. Which serves this patient best? {said}"
    keys = {line.key for line in lines}
    whole.activities = [
        msgspec.structs.replace(line, questions=joining.both(line.questions, (question,)))
        if line.key in keys
        else line
        for line in whole.activities
    ]
    whole.conflicts.append(
        Conflict(
            key=f"combine/class/{group.id}",
            title=f"Two medicines of one class: {group.title}",
            text=question,
            policy="ask",
            lines=tuple(line.key for line in lines),
            citations=(group.source.citation,),
        )
    )


def _place(line: ActivityProposal, group: MedicineClass) -> int:
    return min(group.medicines.index(medicine) for medicine in line.medicines if medicine in group.medicines)
