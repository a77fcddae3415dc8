"""The work behind `protocol …`: files and records in, what `authoring` makes of them out."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from careplan_exchange import authoring, config, knowledge
from careplan_exchange.bootstrap import Services, SystemClock, services, today_or
from careplan_exchange.curation import lint_knowledge
from careplan_exchange.errors import DecisionNeededError, KnowledgeError, RecordError, UsageError
from careplan_exchange.exchange import Knowledge
from careplan_exchange.installed import load_knowledge
from careplan_exchange.mapping import map_record
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.explanation import Explanation
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.planner import Policies, Protocol, differences, load_protocols, plan, trace
from careplan_exchange.planner.differences import Difference
from careplan_exchange.spelling import did_you_mean

from . import explained, proposals, show
from .context import settings
from .surveying import progress


class Preview(NamedTuple):
    proposal: Proposal | None
    explanation: Explanation | None
    reach: tuple[authoring.Reach, ...]
    left_out: tuple[str, ...]


class Changed(NamedTuple):
    patient: str
    differences: tuple[Difference, ...]


class Comparison(NamedTuple):
    patients: int
    changed: tuple[Changed, ...]
    left_out: tuple[str, ...]


def _settings(overlay: Path | None) -> config.Settings:
    loaded = settings()
    if overlay is None:
        return loaded
    return loaded.model_copy(update={"knowledge": loaded.knowledge.model_copy(update={"overlay": overlay})})


def _today(today: str | None) -> date:
    return today_or(today, SystemClock())


def begin(name: str, trigger: str, overlay: Path | None, today: str | None) -> list[Path]:
    """The files that were written. Raises UsageError where one is there, or the concept is none."""
    place = overlay or settings().knowledge.overlay
    if place is None:
        raise UsageError(
            "It is not clear where to write.", mend="Name your own knowledge folder: --overlay site."
        )
    show.make_folder(place)
    vocabulary = load_knowledge(_settings(place)).vocabulary
    if trigger not in vocabulary.concepts:
        raise UsageError(
            f"There is no concept '{trigger}'.",
            mend="docs/profiles.md lists them; profiles/README.md says how to add one."
            f"{did_you_mean(trigger, vocabulary.concepts)}",
        )
    files = {place / path: text for path, text in authoring.skeleton(name, trigger, today=_today(today)).items()}
    for path in files:
        if path.exists():
            raise UsageError(f"{path} is there already.", mend="Choose another name, or go on with that one.")
    for path, text in files.items():
        show.make_folder(path.parent)
        show.write_file(path, text.encode())
    return list(files)


def findings(name: str | None, overlay: Path | None, today: str | None) -> tuple[Finding, ...]:
    found = lint_knowledge(_settings(overlay), _today(today)).findings
    if name is None:
        return tuple(one for one in found if one.file.startswith("protocols/"))
    documents = knowledge.documents("protocols", _settings(overlay).knowledge.overlay)
    if not authoring.definitions(documents, name):
        ids = sorted({document.path.split("/")[1] for document in documents})
        raise UsageError(f"There is no folder protocols/{name}.", mend=f"There are {', '.join(ids)}.")
    return tuple(one for one in found if one.file.startswith(f"protocols/{name}/"))


def tested(name: str | None, overlay: Path | None, cases: Path | None) -> list[authoring.Outcome]:
    """Raises KnowledgeError for a file of cases that cannot be read, UsageError where there is none."""
    own = _settings(overlay)
    known = load_knowledge(own)
    place = cases or (own.knowledge.overlay / "cases" if own.knowledge.overlay else None)
    files = [place] if place and place.is_file() else sorted(place.glob("*.yaml")) if place else []
    if name is not None:
        files = [path for path in files if path.stem == name]
    if not files:
        raise UsageError(
            "There are no cases" + (f" for '{name}'." if name else "."),
            mend="Write them in OVERLAY/cases/NAME.yaml, or name them with --cases.",
        )
    found: list[authoring.Case] = []
    wrong: list[Finding] = []
    for path in files:
        try:
            found += authoring.read_cases(knowledge.parse(str(path), show.read_file(path)), known.vocabulary)
        except KnowledgeError as error:
            wrong += error.findings
    if wrong:
        raise KnowledgeError(wrong)
    return [authoring.run_case(case, known.protocols, known.vocabulary) for case in found]


def previewed(
    name: str,
    overlay: Path | None,
    today: str | None,
    *,
    endpoint: str | None,
    patient: str | None,
    folder: Path | None,
) -> Preview:
    """Raises UsageError where it is not clear whose record is meant, and what reading and mapping raise."""
    if patient is None and folder is None:
        raise UsageError(
            "No record is named.", mend="Give --patient FILE, --endpoint with --patient, or --folder."
        )
    if endpoint is not None and patient is None:
        raise UsageError("No patient is named.", mend="Give --patient.")
    own = _settings(overlay)
    known = load_knowledge(own)
    protocol = authoring.chosen(known.protocols, name)
    day = _today(today)
    proposal = explanation = None
    if patient is not None:
        with show.working("Reading the record"):
            snapshot = _one(own, known, endpoint or patient, patient if endpoint else None, day)
        proposal = plan(snapshot, (protocol,), known.vocabulary, Policies())
        explanation = trace(proposal, snapshot, (protocol,), known.vocabulary, Policies())
    left_out: list[str] = []
    reach: tuple[authoring.Reach, ...] = ()
    if folder is not None:
        snapshots = _all(own, known, folder, day, left_out)
        reach = authoring.reach_of(
            protocol, [plan(each, (protocol,), known.vocabulary, Policies()) for each in snapshots]
        )
    return Preview(proposal, explanation, reach, tuple(left_out))


def _one(own: config.Settings, known: Knowledge, endpoint: str, patient: str | None, day: date) -> Snapshot:
    async def read(opened: Services) -> Snapshot:
        if patient is None:
            return map_record(await opened.record_of(Path(endpoint)), known.mappings, known.vocabulary, today=day)
        request = ExchangeRequest(endpoint=endpoint, patient=patient, today=day.isoformat())
        _, snapshot = await opened.snapshot(request)
        return snapshot

    snapshot: Snapshot = _with(own, read)
    return snapshot


def _with(own: config.Settings, work: Callable[[Services], Any]) -> Any:
    async def run() -> Any:
        async with services(own) as opened:
            return await work(opened)

    return asyncio.run(run())


def _all(own: config.Settings, known: Knowledge, folder: Path, day: date, left_out: list[str]) -> list[Snapshot]:
    """The snapshot of every file that can be planned from; of the others why not, by the file's number."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise UsageError(f"There is no .json file in {folder}.", mend="Name a folder of Bundle files.")

    async def read(opened: Services) -> list[Snapshot]:
        found: list[Snapshot] = []
        with progress("Reading and planning", len(files)) as advance:
            for number, path in enumerate(files, start=1):
                try:
                    record = await opened.record_of(path)
                    found.append(map_record(record, known.mappings, known.vocabulary, today=day))
                except (RecordError, DecisionNeededError) as error:
                    left_out.append(f"file {number}: {error.title}")
                advance()
        return found

    found: list[Snapshot] = _with(own, read)
    return found


def compared(first: str, second: str, folder: Path, overlay: Path | None, today: str | None) -> Comparison:
    """Raises UsageError and KnowledgeError."""
    own = _settings(overlay)
    known = load_knowledge(own)
    pair = [_protocol(one, own, known) for one in (first, second)]
    left_out: list[str] = []
    snapshots = _all(own, known, folder, _today(today), left_out)
    changed = []
    for snapshot in snapshots:
        before, after = (plan(snapshot, (one,), known.vocabulary, Policies()) for one in pair)
        if found := differences(before, after):
            changed.append(Changed(snapshot.patient.evidence.reference, found))
    return Comparison(len(snapshots), tuple(changed), tuple(left_out))


def _protocol(named: str, own: config.Settings, known: Knowledge) -> Protocol:
    """By id, or from a folder of its own beside the activities that several protocols share."""
    place = Path(named)
    if not (place / "plan.yaml").is_file():
        return authoring.chosen(known.protocols, named)
    files = [path for path in sorted(place.rglob("*.yaml")) if path.is_file()]
    documents = [
        knowledge.parse(f"protocols/{place.name}/{path.relative_to(place)}", path.read_bytes()) for path in files
    ]
    shared = [
        document
        for document in knowledge.documents("protocols", own.knowledge.overlay)
        if document.path.startswith("protocols/shared/")
    ]
    used = {canonical.split("|")[0] for document in documents for canonical in _pointed_at(document.content)}
    needed = [document for document in shared if document.content.get("url") in used]
    (protocol,) = load_protocols((*documents, *needed), known.vocabulary)
    return protocol


def _pointed_at(element: Any) -> Iterator[str]:
    """The canonicals that a plan's actions point at."""
    if isinstance(element, dict):
        if "definitionCanonical" in element:
            yield str(element["definitionCanonical"])
        element = list(element.values())
    if isinstance(element, list):
        for value in element:
            yield from _pointed_at(value)


def pages(name: str | None, overlay: Path | None) -> Mapping[str, str]:
    own = _settings(overlay)
    known = load_knowledge(own)
    documents = knowledge.documents("protocols", own.knowledge.overlay)
    wanted: Sequence[Protocol] = known.protocols if name is None else [authoring.chosen(known.protocols, name)]
    return {
        protocol.id: authoring.page(protocol, authoring.definitions(documents, protocol.id), known.vocabulary)
        for protocol in wanted
    }


def print_preview(found: Preview) -> None:
    if found.proposal is not None and found.explanation is not None:
        proposals.print_proposal(found.proposal)
        explained.print_explanation(found.explanation, whole=False)
    if found.reach:
        table = Table(
            "line", "proposed", "asked", "withheld", title=f"Reach over {found.reach[0].patients} patients"
        )
        for row in found.reach:
            share = f"{row.proposed} ({row.proposed / row.patients:.0%})" if row.patients else "0"
            table.add_row(
                f"{show.escape(row.title)}\n[dim]{row.key}[/]", share, str(row.asked), str(row.withheld)
            )
        show.out.print(table)
    _print_left_out(found.left_out)


def print_comparison(found: Comparison) -> None:
    for one in found.changed:
        show.out.print(f"[bold]{show.escape(one.patient)}[/]")
        explained.print_changes(one.differences)
    show.out.print(f"{len(found.changed)} of {found.patients} patients would get another plan")
    _print_left_out(found.left_out)


def _print_left_out(left_out: Sequence[str]) -> None:
    if left_out:
        show.out.print(
            f"Left out: {len(left_out)} ({'; '.join(sorted({text.split(': ', 1)[1] for text in left_out}))})"
        )
