"""`protocols/risk/*.yaml` to compiled models, with every finding by file and line."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from careplan_exchange.knowledge import Document, in_order
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner.expressions import compiled
from careplan_exchange.planner.syntax import SyntaxProblemError
from careplan_exchange.spelling import did_you_mean

from .computing import columns_of, variables_of
from .models import Band, Compiled, File, Model

_OF_THE_PATIENT = frozenset({"age", "sex"})
_MEND = "See protocols/risk/README.md."


def compile_models(documents: Sequence[Document]) -> tuple[Compiled, ...]:
    """Every model, by id, of files without a finding."""
    found = [
        Compiled(model=model, sources={source.id: source.as_citation for source in file.sources})
        for document in documents
        for file in [_file(document)]
        for model in file.models
    ]
    return tuple(sorted(found, key=lambda one: one.model.id))


def _file(document: Document) -> File:
    return msgspec.convert(document.content, File)


def lint_models(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Everything that is wrong with these files."""
    findings: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    for document in documents:
        try:
            file = _file(document)
        except msgspec.ValidationError as error:
            findings.append(document.finding(f"The file has another shape: {error}.", _MEND, *_path(str(error))))
            continue
        ids = {source.id for source in file.sources}
        for index, model in enumerate(file.models):
            at = ("models", index)
            for said, mend, *place in _wrong(model, ids, vocabulary):
                findings.append(document.finding(said, mend, *at, *place))
            for named in (("id", model.id), ("yields", model.yields)):
                if named in seen:
                    findings.append(document.finding(f"'{named[1]}' stands twice.", "Rename one.", *at, named[0]))
                seen.add(named)
    return tuple(sorted(set(findings), key=in_order))


def _path(message: str) -> tuple[str | int, ...]:
    """`$.models[3].bands` in an error as the path of an element."""
    _, _, where = message.partition(" - at `$")
    steps = where.rstrip("`").replace("[", ".").replace("]", "").strip(".").split(".")
    return tuple(int(step) if step.isdecimal() else step for step in steps if step and step != "...")


def _wrong(model: Model, sources: set[str], vocabulary: Vocabulary) -> Iterator[tuple[Any, ...]]:
    concept = vocabulary.concepts.get(model.yields)
    if concept is None or concept.kind != "measurement" or concept.unit != model.unit:
        yield (f"'{model.yields}' is no measurement in {model.unit}.", "Add it to profiles/concepts.", "yields")
    shapes = (model.logistic is not None) + (model.product is not None) + bool(model.points)
    if shapes != 1:
        yield ("A model is one of logistic, product and points.", _MEND)
        return
    cited = [(model.source, ("source",)), *((band.source, ("bands", n)) for n, band in enumerate(model.bands))]
    for name, at in cited:
        if name not in sources:
            yield (f"There is no source '{name}'.", f"Add it, or mend it.{did_you_mean(name, sources)}", *at)
    broken = False
    for source, at in _expressions(model):
        try:
            names = compiled(source).variables
        except SyntaxProblemError as problem:
            broken = True
            yield (f"This is not FHIRPath: {problem}.", "Mend the expression.", *at)
            continue
        yield from _unknown(names, vocabulary, *at)
    for said, mend, *inner in _table(model):
        broken = True
        yield (said, mend, *inner)
    if not broken:
        yield from _unknown(variables_of(model), vocabulary)
        for name in sorted(set(model.ranges) - set(variables_of(model))):
            yield (f"'{name}' has a range and no part in the equation.", "Remove it, or mend it.", "ranges", name)
    yield from _bands(model.bands)


def _table(model: Model) -> Iterator[tuple[Any, ...]]:
    if model.logistic is None:
        return
    columns = columns_of(model.logistic)
    for name in ("female", "male"):
        if len(getattr(model.logistic, name)) != len(columns):
            yield (f"The row '{name}' has not a number for each column.", "Count them.", "logistic", name)
    for name in sorted({name for names in columns for name in names} - set(model.logistic.terms)):
        yield (f"There is no term '{name}'.", "Add it to terms, or mend columns.", "logistic", "columns")


def _expressions(model: Model) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    yield model.about, ("about",)
    yield from ((one.when, ("excluded", number)) for number, one in enumerate(model.excluded))
    yield from ((one.when, ("points", number)) for number, one in enumerate(model.points))
    yield from ((one.only, ("bands", number)) for number, one in enumerate(model.bands) if one.only)
    terms = model.logistic.terms.items() if model.logistic is not None else ()
    yield from ((term.flag, ("logistic", "terms", name)) for name, term in terms if term.flag)


def _unknown(
    names: Sequence[str], vocabulary: Vocabulary, *inner: str | int
) -> Iterator[tuple[str, str, *tuple[str | int, ...]]]:
    for name in names:
        concept = name.removesuffix("_ever").removesuffix("_days")
        if name not in _OF_THE_PATIENT and concept not in vocabulary.concepts:
            yield (
                f"There is no variable '%{name}'.",
                f"Mend it.{did_you_mean(name, vocabulary.concepts)}",
                *inner,
            )


def _bands(bands: Sequence[Band]) -> Iterator[tuple[Any, ...]]:
    if bands and (bands[-1].at_least is not None or bands[-1].above is not None):
        yield (
            "The last band has a bound.",
            "Give the lowest band no bound, so that every result has one.",
            "bands",
        )
