"""How a coverage report looks: on a terminal, and as a Markdown page."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.table import Table

from careplan_exchange.model.coverage import CodeMet, Coverage, TypeCount, UnitMet

from . import show

_ROWS = 25
"""How many codes of each state a terminal shows; --json and --markdown have all."""

_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\|`*_<>[]&"})


def print_coverage(report: Coverage) -> None:
    show.out.print(f"[bold]{_headline(report)}[/]")
    for one in report.unreadable:
        show.out.print(f"[yellow]Number {one.place} was not read:[/] {show.escape(one.detail)} ({one.key})")
    _print("Resources", _RESOURCES, _resources(report))
    if report.causes:
        _print("Why not understood", ("type", "cause", "resources"), _causes(report))
    for title, met in (("Codes that no mapping knows", _unmapped(report)), ("Codes in use", _known(report))):
        if met:
            left = f" (the first {_ROWS} of {len(met)})" if len(met) > _ROWS else f" ({len(met)})"
            _print(title + left, _CODES, [_code(one) for one in met[:_ROWS]])
    if report.units:
        _print("Units", _UNITS, [_unit(one) for one in report.units])
    if report.texts:
        _print("Told as text without a code (the texts are not shown)", _TEXTS, _texts(report))


def markdown(report: Coverage) -> str:
    """The page. The same report gives the same page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Coverage) -> Iterator[str]:
    yield "# What mapping makes use of"
    yield ""
    yield "Written by `careplan coverage --markdown`. **Used**: a fact came of it, or it says who the patient is"
    yield "or what is in a medicine. **Not needed**: its type or code was judged in `mappings/` and means no"
    yield "concept, or the record says that it does not count. **Not understood**: everything else; its cause is"
    yield "the key of an issue. A code is **beside** where another code, or the text, of its element is known,"
    yield "and **judged-by-text** where its display or text was judged and the code itself may not be named."
    yield ""
    yield _headline(report)
    for one in report.unreadable:
        yield f"Number {one.place} was not read: {_cell(one.detail)} ({one.key})."
    yield from _section("Resources", _RESOURCES, _resources(report))
    yield from _section("Why not understood", ("type", "cause", "resources"), _causes(report))
    yield from _section(
        "Codes that no mapping knows", _CODES, [_code(_licensed(one)) for one in _unmapped(report)]
    )
    yield from _section("Codes in use", _CODES, [_code(_licensed(one)) for one in _known(report)])
    yield from _section("Units", _UNITS, [_unit(one) for one in report.units])
    yield from _section("Told as text without a code", _TEXTS, _texts(report))


def _headline(report: Coverage) -> str:
    return (
        f"{report.patients} patients as of {report.as_of}: "
        f"{report.share_not_understood:.1%} of {_sum(report.total)} resources not understood."
    )


_RESOURCES = ("type", "used", "not needed", "not understood", "all")
_CODES = ("times", "code", "display", "in", "state", "units")
_UNITS = ("times", "concept", "unit", "state")
_TEXTS = ("in", "known to mappings/text", "not known")

Rows = Sequence[tuple[str, ...]]


def _sum(one: TypeCount) -> int:
    return one.used + one.not_needed + one.not_understood


def _resources(report: Coverage) -> Rows:
    return [
        (one.type, str(one.used), str(one.not_needed), str(one.not_understood), str(_sum(one)))
        for one in (*report.resources, report.total)
    ]


def _causes(report: Coverage) -> Rows:
    return [(one.type, one.key, str(one.count)) for one in report.causes]


def _unmapped(report: Coverage) -> list[CodeMet]:
    return [one for one in report.codes if one.state == "unmapped"]


def _known(report: Coverage) -> list[CodeMet]:
    return [one for one in report.codes if one.state != "unmapped"]


def _code(one: CodeMet) -> tuple[str, ...]:
    code = f"{one.system or '(no system)'} {one.code or '(codes that are not shown)'}"
    return str(one.count), code, one.display or "", one.path, one.state, ", ".join(one.units)


def _licensed(one: CodeMet) -> CodeMet:
    """A page is there to be passed on: SNOMED CT's terms need a licence where no knowledge file names them."""
    if one.system == "http://snomed.info/sct" and one.state in {"unmapped", "beside"}:
        return msgspec.structs.replace(one, display=None)
    return one


def _unit(one: UnitMet) -> tuple[str, ...]:
    return str(one.count), one.concept, one.unit or "(none that is shown)", one.state


def _texts(report: Coverage) -> Rows:
    return [(one.path, str(one.known), str(one.unknown)) for one in report.texts]


def _print(title: str, columns: Iterable[str], rows: Rows) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(show.escape(cell) for cell in row))
    show.out.print(table)


def _section(title: str, columns: Sequence[str], rows: Rows) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"## {title}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}")
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"


def _cell(text: str) -> str:
    """Text that is not ours, on one line, with none of Markdown's or HTML's marks in force."""
    return " ".join(show.plain(text).split()).translate(_MARKS)
