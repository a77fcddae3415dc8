"""How results look on a terminal. Facts as JSON go through `print_json`; nothing here computes anything."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from careplan_exchange.bootstrap import Services
from careplan_exchange.errors import CareplanError, DecisionNeededError, KnowledgeError, UsageError
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.codec import encode
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Link, Verdict
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.operations.letters import LetterLine
from careplan_exchange.review import diff_lines

__all__ = ["Services", "escape"]


class _Console(Console):
    """A reader that has seen enough (`| head`) is no fault: the rest goes nowhere, the exit code stays. A disk
    that is full is a UsageError, whether output is buffered or not."""

    def print(self, *objects: Any, **how: Any) -> None:
        # Where standard error has no room there is no place left to say so, and what was done stays done.
        with suppress(OSError) if self.stderr else _to_standard_output():
            super().print(*objects, **how)

    def on_broken_pipe(self) -> None:
        _let_the_rest_go(self.file.fileno())


def let_errors_go() -> None:
    """What could not be written to standard error goes nowhere, and the exit code stays."""
    _let_the_rest_go(sys.stderr.fileno())


def flushed() -> None:
    """What was printed by others than us has left. Raises UsageError where it cannot."""
    with _to_standard_output():
        sys.stdout.flush()


@contextmanager
def _to_standard_output() -> Iterator[None]:
    """Around what is written there. The rest goes nowhere once it cannot be written: the interpreter would try it
    once more when it ends, and end with a code of its own. Raises UsageError, not where the reader has gone."""
    try:
        yield
    except OSError as error:
        _let_the_rest_go(sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise _not_written("Standard output", error) from None


def _let_the_rest_go(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


out = _Console(highlight=False)
err = _Console(stderr=True, highlight=False)

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""All but the line feed. A text from a server could carry commands for the terminal."""

_EXCHANGE_COLUMNS = {"exchange": 0, "when": 0, "patient": 100, "outcome": 0, "resources": 120, "issues": 120}
"""What a table of exchanges shows, and from which width of the terminal on."""

_BEGINNING = 17
"""How much of a patient's reference a table shows; `--json` and `audit show` have the whole."""

_OUTCOME_STYLE = {"written": "green", "unchanged": "blue", "review": "yellow", "failed": "red"}
_SEVERITY_STYLE = {"error": "red", "warning": "yellow", "information": "dim"}


def escape(text: str) -> str:
    """Text that is not ours: no markup in it counts, and no control character reaches the terminal."""
    return escape_markup(plain(text))


def plain(text: str) -> str:
    """Text that is not ours, for where no markup is read."""
    return _CONTROL.sub("\ufffd", text)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on standard error while something takes its time; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield
        return
    with err.status(f"{what} …"):
        yield


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A line on standard error that says how many are done of how many; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    with err.status(f"{what} …") as status:
        yield lambda done, total: status.update(f"{what} {done} of {total} …")


def print_json(value: Any) -> None:
    print_bytes(encode(value) + b"\n")


def print_bytes(data: bytes) -> None:
    with opened_for_writing(None) as sink:
        sink.write(data)


def print_error(error: CareplanError) -> None:
    """What happened and what to do next, on standard error."""
    err.print(f"[bold red]{escape(error.title)}.[/] {escape(error.detail)}")
    if isinstance(error, KnowledgeError):
        print_findings(error.findings, console=err)
    for issue in error.issues[:20]:
        err.print(f"  [dim]{escape(_issue_line(issue))}[/]")
    err.print(f"[bold]Next:[/] {escape(error.mend)}")


def print_fault(error: Exception) -> None:
    """A fault of this program: its class, and how to see more. A message could hold a patient's data."""
    err.print(f"[bold red]This program has a fault[/] ({type(error).__name__}). Nothing more was written.")
    if os.environ.get("CAREPLAN_LOG_LEVEL", "").upper() == "DEBUG":
        err.print_exception(show_locals=False)
    else:
        err.print(
            "[bold]Next:[/] set CAREPLAN_LOG_LEVEL=DEBUG to see where, and report that without patient data."
        )


def print_findings(findings: Sequence[Any], *, console: Console = out) -> None:
    for finding in findings:
        console.print(f"[bold]{escape(finding.file)}:{finding.line}[/]: {escape(finding.message)}")
        console.print(f"  mend: {escape(finding.mend)}")


def print_issues(issues: Sequence[Issue]) -> None:
    """What reads alike is told once, with the first place and how many more there are."""
    places: dict[tuple[str, str], list[str]] = {}
    for issue in issues:
        text = issue.detail + (f"\n{issue.mend}" if issue.mend else "")
        places.setdefault((issue.severity, text), []).append(issue.source or "")
    if places:
        shown = table("Issues", "severity", "what", "where")
        for (severity, text), sources in places.items():
            more = f"\nand {len(sources) - 1} more" if len(sources) > 1 else ""
            shown.add_row(f"[{_SEVERITY_STYLE[severity]}]{severity}[/]", escape(text), escape(sources[0] + more))
        out.print(shown)


def end_with(receipt: Receipt, *, json: bool) -> None:
    """Print the receipt, and leave with exit code 6 where something waits for a person."""
    if json:
        print_json(receipt)
    else:
        print_receipt(receipt)
    if receipt.outcome == "review":
        sys.exit(DecisionNeededError.exit_code)


def print_receipt(receipt: Receipt) -> None:
    style = _OUTCOME_STYLE[receipt.outcome]
    out.print(f"[bold {style}]{receipt.outcome}[/]  exchange {receipt.exchange}")
    shown = table(None, "resource", "versionId", "action", lines=False)
    for resource in receipt.resources:
        shown.add_row(escape(resource.reference), resource.version_id or "", resource.action)
    if receipt.resources:
        out.print(shown)
    print_issues(receipt.issues)
    if receipt.review is not None:
        out.print(f"[bold]Next:[/] careplan review show {receipt.review}")


def print_letters(lines: Sequence[LetterLine]) -> None:
    if not lines:
        out.print("No exchange waits to be taken up again.")
        return
    shown = table("Dead letters", "id", "patient", "what went wrong", "times", "since", "state")
    for line in lines:
        shown.add_row(line.id, escape(line.patient), line.error, str(line.failures), line.since[:19], line.state)
    out.print(shown)


def print_letter(letter: DeadLetter) -> None:
    times = "once" if letter.failures == 1 else f"{letter.failures} times"
    out.print(
        f"[bold]{escape(letter.patient)}[/] on {escape(letter.target)}: {letter.error}, {times} since "
        f"{letter.created_at[:19]}; {letter.state}"
    )
    out.print(escape(letter.detail))
    out.print(f"[bold]Next:[/] {escape(letter.mend)}")
    for issue in letter.issues:
        out.print(f"  {issue.severity} {issue.key}: {escape(issue.detail)}")
    if letter.intent is not None:
        out.print("It was about to write:")
        for line in diff_lines(ChangeSet(patient=letter.patient, changes=letter.intent.changes)):
            out.print(escape(f"  {line}"))
    if letter.closed_by is not None:
        out.print(f"Closed by {escape(letter.closed_by)}{escape(f': {letter.reason}' if letter.reason else '')}")
    if letter.state == "waiting":
        out.print(f"[bold]Then:[/] careplan deadletter replay {letter.id}, or drop")


def print_exchanges(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [name for name, width in _EXCHANGE_COLUMNS.items() if out.width >= width]
    shown = table("Exchanges", *columns, lines=False)
    for row in rows:
        style = _OUTCOME_STYLE.get(row["outcome"], "")
        cells = {name: str(row[name]) for name in ("exchange", "resources", "issues")} | {
            "when": row["at"][:19],
            "patient": escape(_beginning(row["patient"])),
            "outcome": f"[{style}]{row['outcome']}[/]" if style else row["outcome"],
        }
        shown.add_row(*(cells[name] for name in columns))
    out.print(shown)


def _beginning(text: str) -> str:
    return text if len(text) <= _BEGINNING else f"{text[: _BEGINNING - 1]}…"


def print_links(links: Sequence[Link]) -> None:
    shown = table(None, "seq", "when", "event", "data", lines=False)
    for link in links:
        data = encode(link.entry.data).decode()
        shown.add_row(str(link.seq), link.entry.at[:19], link.entry.event, escape(data))
    out.print(shown)


def print_verdict(verdict: Verdict) -> None:
    if verdict.problem is not None:
        where = f" at entry {verdict.broken_at}" if verdict.broken_at is not None else ""
        out.print(f"[bold red]The ledger does not hold{where}:[/] {escape(verdict.problem)}")
        return
    out.print(
        f"[bold green]The ledger holds.[/] {verdict.entries} entries, head {verdict.entries}:{verdict.head}"
    )
    if verdict.signed is None:
        out.print("No signature was checked.")
    else:
        left = verdict.entries - verdict.signed
        rest = f" The {left} after it are not signed yet." if left else ""
        out.print(f"Signed up to entry {verdict.signed}, {escape(verdict.signed_at or '')}.{rest}")
    if verdict.removed:
        out.print(f"Entries 1 to {verdict.removed} were removed under a signed tombstone.")
    if verdict.since:
        out.print(f"Only what comes after entry {verdict.since} was checked.")


@contextmanager
def opened_for_reading(path: Path) -> Iterator[BinaryIO]:
    """The file, read line by line. Raises UsageError."""
    try:
        with path.open("rb") as source:
            yield source
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", mend="Check the path.") from None


def asks() -> bool:
    """Whether a person can be asked: somebody sits at the terminal."""
    return sys.stdin.isatty()


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", mend="Check the path.") from None


@contextmanager
def opened_for_writing(path: Path | None) -> Iterator[BinaryIO]:
    """The file, or standard output without one. A disk that fills up meanwhile is a UsageError as well."""
    if path is None:
        with _to_standard_output():
            yield sys.stdout.buffer
            sys.stdout.flush()
        return
    try:
        with path.open("wb") as sink:
            yield sink
    except OSError as error:
        raise _not_written(str(path), error) from None


def make_folder(path: Path) -> None:
    """The folder and those above it. Raises UsageError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(str(path), error) from None


def write_file(path: Path, data: bytes) -> None:
    with opened_for_writing(path) as sink:
        sink.write(data)


def write_secret(path: Path, data: bytes) -> None:
    """A new file that its owner alone may read. Raises UsageError where there is one already."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:  # noqa: PTH123
            sink.write(data)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already.", mend="Name another file: a key is never written over."
        ) from None
    except OSError as error:
        raise _not_written(str(path), error) from None


def _not_written(place: str, error: OSError) -> UsageError:
    return UsageError(
        f"{place} cannot be written: {error.strerror}.", mend="Name another place, or make room there."
    )


def table(title: str | None, *columns: str, lines: bool = True) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_lines=lines)
    for column in columns:
        # An id is there to be copied: it stays whole where the terminal is narrow.
        table.add_column(column, overflow="fold", no_wrap=column in {"id", "exchange", "when"})
    return table


def _issue_line(issue: Issue) -> str:
    return f"{issue.severity}: {issue.detail}" + (f" ({issue.source})" if issue.source else "")
