"""The work behind `coverage`: one record after the other, added up."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from careplan_exchange.bootstrap import Services
from careplan_exchange.errors import DecisionNeededError, RecordError, UsageError
from careplan_exchange.mapping import Survey, nothing, report, skeleton
from careplan_exchange.model.coverage import Coverage, Unreadable
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.vocabulary import Vocabulary

from . import show


class Job(NamedTuple):
    """Whose records: those of some patients of an endpoint, of the first it lists, or the files of a folder."""

    endpoint: str
    patients: tuple[str, ...]
    sample: int | None
    files: tuple[Path, ...]

    @classmethod
    def of(cls, endpoint: str | None, patients: Sequence[str], sample: int | None, bundles: Path | None) -> "Job":
        """Raises UsageError for a combination that leaves open whose records are meant."""
        if bundles is not None:
            if endpoint is not None or patients or sample is not None:
                raise UsageError("--bundles stands alone.", mend="Give --bundles, or --endpoint with patients.")
            if not bundles.is_dir():
                raise UsageError(f"{bundles} is not a folder.", mend="Name a folder of Bundle files.")
            files = tuple(sorted(bundles.glob("*.json")))
            if not files:
                raise UsageError(f"There is no .json file in {bundles}.", mend="Name a folder of Bundle files.")
            return cls("", (), None, files)
        if endpoint is None:
            raise UsageError("No records are named.", mend="Give --endpoint, or --bundles.")
        if bool(patients) == (sample is not None):
            raise UsageError("It is not clear whose records.", mend="Give either --patient or --sample.")
        return cls(endpoint, tuple(patients), sample, ())


def day(services: Services, today: str | None) -> date:
    return services.today(ExchangeRequest(endpoint="", patient="", today=today))


async def run(services: Services, job: Job, today: date) -> tuple[Coverage, int]:
    """The report, and the exit code of the first record that could not be read.

    Raises that record's error where none could be read, and whatever concerns the server and not one record.
    """
    if job.sample is not None:
        job = job._replace(patients=await services.sample(job.endpoint, job.sample))
    total = nothing()
    unreadable: list[Unreadable] = []
    first: RecordError | DecisionNeededError | None = None
    asked: Sequence[str | Path] = job.files or job.patients
    with progress("Reading and mapping", len(asked)) as advance:
        for place, one in enumerate(asked, start=1):
            try:
                total.plus(await _survey(services, job, one, today))
            except (RecordError, DecisionNeededError) as error:
                first = first or error
                unreadable.append(Unreadable(place=place, key=error.key, detail=error.title))
            advance()
    if first is not None and len(unreadable) == len(asked):
        raise first
    counted = report(total, patients=len(asked) - len(unreadable), as_of=today, unreadable=unreadable)
    return counted, first.exit_code if first is not None else 0


async def _survey(services: Services, job: Job, one: str | Path, today: date) -> Survey:
    if isinstance(one, Path):
        return await services.survey_file(one, today)
    return await services.survey(job.endpoint, one, today)


class Bar:
    """Called once a record."""

    def __init__(self, shown: Progress | None, what: str, total: int) -> None:
        self._progress = shown
        self._task = shown.add_task(what, total=total) if shown is not None else None

    def __call__(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)


@contextmanager
def progress(what: str, total: int) -> Iterator[Bar]:
    """A bar on standard error for more than one record; nothing where nobody watches."""
    if total < 2 or not sys.stderr.isatty():
        yield Bar(None, what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=show.err, transient=True) as shown:
        yield Bar(shown, what, total)


def _other(path: Path) -> Path:
    return path.with_name(f"{path.stem}-other{path.suffix or '.yaml'}")


def refuse_existing(path: Path) -> None:
    """Raises UsageError where a skeleton would replace a file: somebody may have filled its blanks."""
    for one in (path, _other(path)):
        if one.exists():
            raise UsageError(f"{one} is there already.", mend="Name another file, or move that one away.")


def write_skeleton(counted: Coverage, vocabulary: Vocabulary, path: Path) -> tuple[Path, ...]:
    """The files that were written: none where nothing is missing."""
    texts = zip((path, _other(path)), skeleton(counted, vocabulary), strict=True)
    written = [(one, text) for one, text in texts if text]
    for one, text in written:
        show.write_file(one, text.encode())
    return tuple(one for one, _ in written)
