"""How a snapshot looks on a terminal: a line a fact, with the address of the resource version it came from."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.style import Style
from rich.text import Text

from careplan_exchange.bootstrap import Services
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.snapshot import Evidence, Fact, FactKind, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from . import private, show

_GROUPS: dict[FactKind, str] = {
    "measurement": "Measurements",
    "condition": "Conditions",
    "medication": "Medicines",
    "allergy": "Allergies",
    "procedure": "Procedures",
    "family-history": "Family history",
    "status": "States",
    "stage": "Stages and phenotypes",
    "gene-finding": "Gene findings",
    "immunization": "Vaccines",
    "device": "Devices",
    "visit": "Visits",
    "order": "Orders",
    "circumstance": "Circumstances and preferences",
}

_SOURCES_SHOWN = 5


async def read(
    services: Services, request: ExchangeRequest, since: Path | None
) -> tuple[PatientRecord, Snapshot, Vocabulary]:
    """The record and what mapping makes of it. `since` names the file with an earlier reading, which this one
    replaces. Raises CareplanError, UsageError where the file cannot be read or written."""
    record, snapshot = await services.snapshot(request, private.reading(since))
    return record, snapshot, services.knowledge.vocabulary


def print_snapshot(record: PatientRecord, snapshot: Snapshot, vocabulary: Vocabulary) -> None:
    patient = snapshot.patient
    _print(Text(f"{record.patient.versioned_reference} as of {snapshot.as_of}", "bold"))
    known = (patient.gender or "sex not known", f"born {patient.birth_date or '(not known)'}", patient.language)
    _print(
        Text("  " + ", ".join(part for part in known if part) + "  "),
        _link(record, record.patient.versioned_reference),
    )
    for kind, title in _GROUPS.items():
        facts = [fact for fact in snapshot.facts if fact.kind == kind]
        if facts:
            _print(Text(f"\n{title} ({len(facts)})", "bold"))
            for id_ in sorted({fact.concept for fact in facts}):
                _print_concept(record, vocabulary, id_, [fact for fact in facts if fact.concept == id_])
    if not snapshot.facts:
        _print(Text("\nNo facts.", "bold"))
    _print_issues(record, snapshot.issues)


def _print_concept(record: PatientRecord, vocabulary: Vocabulary, id_: str, facts: Sequence[Fact]) -> None:
    concept = vocabulary.concepts.get(id_)
    _print(Text(f"  {concept.title if concept else id_}"), Text(f"  {id_}", "dim"))
    newest_first = sorted(facts, key=lambda fact: fact.effective or "", reverse=True)
    width = max(len(value_of(fact)) for fact in facts)
    for fact in newest_first:
        state = fact.state if fact.active else f"{fact.state}, ended"
        head = f"    {fact.effective or 'undated':<25}  "
        value = f"{value_of(fact):<{width}}  " if width else ""
        origin = f"{fact.origin}  " if fact.origin else ""
        _print(Text(f"{head}{value}{state:<14}  {origin}"), _link(record, _version(fact.evidence)))
        if fact.rule is not None:
            _print_inputs(record, fact, fact.rule)


def _print_inputs(record: PatientRecord, fact: Fact, rule: str) -> None:
    """By which rule a fact was worked out, and from what: each address can be followed."""
    dates = sorted(one.date[:10] for one in fact.inputs if one.date)
    span = f", {dates[0]} to {dates[-1]}" if len(set(dates)) > 1 else ""
    count = f"{len(fact.inputs)} resource{'s' if len(fact.inputs) > 1 else ''}"
    _print(Text(f"      calculated by {rule} from {count}{span}", "dim"))
    for one in fact.inputs[:_SOURCES_SHOWN]:
        _print(Text("        "), _link(record, _version(one)))
    if len(fact.inputs) > _SOURCES_SHOWN:
        _print(Text(f"        and {len(fact.inputs) - _SOURCES_SHOWN} more: --json has all", "dim"))


def _version(evidence: Evidence) -> str:
    version = f"/_history/{evidence.version_id}" if evidence.version_id else ""
    return evidence.reference + version


def value_of(fact: Fact) -> str:
    """The value with its unit, or the answer; an empty text where the fact has neither."""
    if fact.low is not None and fact.high is not None:
        number = f"{fact.low} to {fact.high}"
    elif fact.value is not None:
        number = f"{fact.comparator or ''}{fact.value}"
    else:
        return answer_of(fact)
    return f"{number} {fact.unit}" if fact.unit else number


def answer_of(fact: Fact) -> str:
    """The coded answer in words where it has any, else by its code."""
    return (fact.answer.display or fact.answer.code or "") if fact.answer is not None else ""


def _print_issues(record: PatientRecord, issues: Sequence[Issue]) -> None:
    """What was not used and why, by key, the most frequent first."""
    by_key: dict[str, list[Issue]] = {}
    for issue in issues:
        by_key.setdefault(issue.key, []).append(issue)
    _print(Text("\nNot used, or used with a remark" if issues else "\nNothing was left out.", "bold"))
    for key, found in sorted(by_key.items(), key=lambda one: (-_count(one[1]), one[0])):
        style = {"error": "red", "warning": "yellow"}.get(found[0].severity, "")
        _print(Text(f"  {key}", style), Text(f"  {_count(found)}"))
        for issue in sorted(found, key=lambda issue: (-len(issue.sources), issue.detail)):
            _print(Text(f"    {issue.detail}"))
            sources = issue.sources or ((issue.source,) if issue.source else ())
            for source in sources[:_SOURCES_SHOWN]:
                _print(Text("      "), _link(record, source))
            if len(sources) > _SOURCES_SHOWN:
                _print(Text(f"      and {len(sources) - _SOURCES_SHOWN} more: --json has all", "dim"))
            if issue.mend:
                _print(Text(f"      mend: {issue.mend}", "dim"))


def _count(issues: Iterable[Issue]) -> int:
    return sum(len(issue.sources) or 1 for issue in issues)


def _link(record: PatientRecord, reference: str) -> Text:
    """The address of a resource version: a URL where the record comes from a server, else the reference."""
    if not record.endpoint.startswith(("http://", "https://")):
        return Text(reference)
    url = show.plain(f"{record.endpoint}/{reference}")
    return Text(url, Style(link=url))


def _print(*parts: Text) -> None:
    """One line, never folded: an address is there to be copied. Nothing in it commands the terminal."""
    for part in parts:
        part.plain = show.plain(part.plain)
    show.out.print(Text.assemble(*parts), soft_wrap=True)
