"""Golden cases: a patient of a few facts, and exactly the lines that protocols must give. Clinicians review them.

A file is YAML: `protocols` (default: the file's name), `today`, `standing` (names for lines that many patients
get), `cases`. docs/write-a-protocol.md shows one being written.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any

import msgspec

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.snapshot import Evidence, Fact, PatientProfile, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import Policies, Protocol, plan

from .facts import SOURCES, FactError, fact_of

_LAST_VISIT = timedelta(days=53)
"""How long before `today` a fact without a date of its own was recorded."""
_HEAD = {"protocols", "today", "standing", "cases"}
_CASE = {"case", "why", "patient", "facts", "categories", "expect", "protocols", "standing"}
_EXPECT = ("goals", "activities", "restrictions", "withheld", "gaps", "questions", "worded")
_IN_PART = {"questions", "worded"}
"""What is compared of the lines that a case names alone; everything else is exact."""
READ_WHOLE = frozenset({*SOURCES.values(), "CarePlan", "Goal"}) - {
    "Immunization",
    "Device",
    "Encounter",
    "ServiceRequest",
}
"""What of a made-up record was read whole, unless a case lists `categories`."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One patient. `expect` is as written, by section and protocol; `line` is where the case begins."""

    name: str
    why: str
    protocols: tuple[str, ...]
    snapshot: Snapshot
    expect: Mapping[str, Any]
    standing: Mapping[str, Any]
    file: str
    line: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a case came to. `wrong` is empty where the plan is the expected one; each says what differs."""

    case: Case
    proposal: Proposal
    wrong: tuple[str, ...]


def read_cases(document: Document, vocabulary: Vocabulary) -> tuple[Case, ...]:
    """The cases of one file. Raises KnowledgeError with every finding: file, line, mend."""
    content = document.content
    if not isinstance(content, dict) or not isinstance(content.get("cases"), list):
        raise KnowledgeError([document.finding("This is no file of cases.", "Give it a list `cases`.")])
    findings = _unknown_keys(document, content, _HEAD)
    today = _day(content.get("today"))
    if today is None:
        findings.append(
            document.finding("The cases have no day.", 'Add `today: "2026-11-24"` at the top.', "today")
        )
        today = date.min + _LAST_VISIT
    cases: list[Case] = []
    for index, written in enumerate(content["cases"]):
        path = ("cases", index)
        try:
            cases.append(_case(document, written, index, vocabulary, today))
        except KnowledgeError as error:
            findings += error.findings
        except FactError as error:
            findings.append(
                document.finding(str(error), "See the golden cases in docs/write-a-protocol.md.", *path)
            )
    if findings:
        raise KnowledgeError(findings)
    return tuple(cases)


def _case(document: Document, written: Any, index: int, vocabulary: Vocabulary, today: date) -> Case:
    path = ("cases", index)
    if not isinstance(written, dict):
        raise KnowledgeError([document.finding("A case is a mapping.", "Begin it with `case:`.", *path)])
    findings = _unknown_keys(document, written, _CASE, *path)
    for name in ("case", "why", "expect"):
        if name not in written:
            findings.append(document.finding(f"The case has no {name}.", f"Add {name}.", *path))
    expect = written.get("expect") or {}
    findings += _unknown_keys(document, expect, set(_EXPECT), *path, "expect")
    if findings:
        raise KnowledgeError(findings)
    day = (today - _LAST_VISIT).isoformat()
    head = document.content
    return Case(
        name=written["case"],
        why=written["why"],
        protocols=tuple(written.get("protocols") or head.get("protocols") or [PurePath(document.path).stem]),
        snapshot=snapshot_of(
            [fact_of(one, vocabulary, day=day) for one in written.get("facts", ())],
            written.get("patient") or {},
            today,
            frozenset(written.get("categories", READ_WHOLE)),
        ),
        expect=expect,
        standing={**(head.get("standing") or {}), **(written.get("standing") or {})},
        file=document.path,
        line=document.line(*path),
    )


def snapshot_of(
    facts: Sequence[Fact], patient: Mapping[str, Any], today: date, categories: frozenset[str]
) -> Snapshot:
    profile = PatientProfile(
        evidence=Evidence(reference="Patient/p", version_id="7"),
        birth_date=patient.get("birth"),
        gender=patient.get("gender"),
        language=patient.get("language"),
    )
    return Snapshot(patient=profile, facts=tuple(facts), as_of=today, categories=categories)


def _unknown_keys(document: Document, element: Any, known: set[str], *path: str | int) -> list[Finding]:
    return [
        document.finding(f"There is no '{name}' here.", f"Known are {', '.join(sorted(known))}.", *path, name)
        for name in (element if isinstance(element, dict) else {})
        if name not in known
    ]


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def run_case(case: Case, protocols: Sequence[Protocol], vocabulary: Vocabulary) -> Outcome:
    """The case's protocols alone, without what stands over all of them."""
    chosen = tuple(protocol for protocol in protocols if protocol.id in case.protocols)
    missing = [f"there is no protocol '{name}'" for name in case.protocols if all(p.id != name for p in chosen)]
    proposal = plan(case.snapshot, chosen, vocabulary, Policies())
    found = _found(proposal)
    wanted = _wanted(case)
    wrong = [text for section in _EXPECT for text in _compared(section, wanted[section], found[section])]
    wrong += [f"issue: {issue.detail}" for issue in proposal.issues if issue.severity == "error"]
    return Outcome(case=case, proposal=proposal, wrong=(*missing, *wrong))


def _found(proposal: Proposal) -> dict[str, dict[str, Any]]:
    return {
        "goals": {goal.key: [target_as_written(t) for t in goal.targets] for goal in proposal.goals},
        "activities": {activity.key: None for activity in proposal.activities},
        "restrictions": {line.key: None for line in proposal.restrictions},
        "withheld": {
            line.key: f"{'certain' if line.certain else 'unknown'} {line.severity}" for line in proposal.withheld
        },
        "gaps": {gap.concept: None for gap in proposal.gaps},
        "questions": {activity.key: list(activity.questions) for activity in proposal.activities},
        "worded": {goal.key: goal.description for goal in proposal.goals},
    }


def _wanted(case: Case) -> dict[str, dict[str, Any]]:
    expect = case.expect
    activities = (
        (name, key)
        for name, keys in (expect.get("activities") or {}).items()
        for written in keys
        for key in (case.standing.get(name) or {}).get(written, [written])
    )
    return {
        "goals": _keyed(expect.get("goals"), "goal"),
        "activities": {f"{name}/action/{key}": None for name, key in activities},
        "restrictions": {
            f"{name}/avoid/{key}": None
            for name, keys in (expect.get("restrictions") or {}).items()
            for key in keys
        },
        "withheld": _keyed(expect.get("withheld"), "action"),
        "gaps": dict.fromkeys(expect.get("gaps") or ()),
        "questions": _keyed(expect.get("questions"), "action"),
        "worded": _keyed(expect.get("worded"), "goal"),
    }


def _keyed(lines: Any, what: str) -> dict[str, Any]:
    return {
        f"{name}/{what}/{key}": value for name, inner in (lines or {}).items() for key, value in inner.items()
    }


def _compared(section: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[str]:
    for key in dict.fromkeys((*wanted, *found)):
        if key not in found:
            yield f"{section}: {key} is expected and not there"
        elif key not in wanted:
            if section not in _IN_PART:
                shown = f" ({found[key]})" if found[key] else ""
                yield f"{section}: {key}{shown} is there and not expected"
        elif not _same(section, wanted[key], found[key]):
            yield f"{section}: {key} is {found[key]}, expected {wanted[key]}"


def _same(section: str, wanted: Any, found: Any) -> bool:
    """Of a goal's words the beginning is enough to tell its variants apart."""
    return str(found).startswith(str(wanted)) if section == "worded" else bool(wanted == found)


def target_as_written(target: Any) -> str:
    """`..7.0 %`, `6.5..8.0 %`: a target as a case writes it."""
    low, high = ("" if bound is None else f"{bound:f}" for bound in (target.low, target.high))
    return f"{low}..{high} {target.unit}"
