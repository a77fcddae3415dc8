"""The linter of the gate's files: a rule that passes names what exists, is cited, and leaves nothing unsaid."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, get_args

from careplan_exchange.knowledge import Document, in_order
from careplan_exchange.model.detected import Hazard
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import elements
from careplan_exchange.planner.expressions import Expression, compiled
from careplan_exchange.planner.lint_conditions import can_be_unknown, lint_condition
from careplan_exchange.planner.protocol import Severity
from careplan_exchange.planner.syntax import Presence, SyntaxProblemError, atoms
from careplan_exchange.spelling import did_you_mean

from .classes import Classes, classes_of
from .holding import holds
from .loading import Placed, placed, source_ids
from .rules import ANY, Unknown

_SECTIONS = ("sources", "rules", "flags", "involves")
_KINDS = ("medicines", "involves", "pair", "duplicates")
_RULE: Mapping[str, bool] = {
    "id": True, "hazard": True, "severity": True, "effect": True, "says": True, "mitigation": True,
    "source": True, "alternative": False, "grade": False, "medicines": False, "involves": False, "pair": False,
    "duplicates": False, "atLeast": False, "unless": False, "when": False, "unknown": False, "taken": False,
}  # fmt: skip
_FLAG: Mapping[str, bool] = {
    "id": True, "when": True, "within": True, "banner": True, "action": True, "holdsRoutine": True,
    "patientText": True, "patientTextEs": True, "source": True, "unknown": False, "grade": False,
}  # fmt: skip
_SOURCE: Mapping[str, bool] = {"id": True, "citation": True, "url": True}
_INVOLVES: Mapping[str, bool] = {"code": True, "title": True}
_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "hazard": get_args(Hazard),
    "severity": get_args(Severity),
    "effect": ("withhold", "warn"),
    "unknown": get_args(Unknown),
    "taken": ("report", "nothing"),
    "within": ("now", "today"),
    "holdsRoutine": (True, False),
}
_KEYS: Mapping[str, Mapping[str, bool]] = {
    "sources": _SOURCE,
    "rules": _RULE,
    "flags": _FLAG,
    "involves": _INVOLVES,
}
_NO_TEXTS = frozenset({*_KINDS, "atLeast", "source", "unless"})
_LEAST = range(2, 11)


def lint(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Everything that is wrong with these files of `protocols/safety/`, by file and line."""
    linter = _Linter(documents, vocabulary)
    return tuple(sorted(set(linter.findings()), key=in_order))


def involves_codes(documents: Sequence[Document]) -> frozenset[str]:
    """The codes that an activity may say it involves."""
    found = (one.entry for one in placed(documents, "involves"))
    return frozenset(str(entry.get("code")) for entry in found if isinstance(entry, dict))


class _Linter:
    def __init__(self, documents: Sequence[Document], vocabulary: Vocabulary) -> None:
        self._documents = documents
        self._vocabulary = vocabulary
        self._classes: Classes = classes_of(vocabulary)
        self._codes = involves_codes(documents)
        self._sources = [
            str(one.entry.get("id")) for one in placed(documents, "sources") if isinstance(one.entry, dict)
        ]

    def findings(self) -> Iterator[Finding]:
        for document in self._documents:
            yield from _sections(document)
        used: set[str] = set()
        for section, keys in _KEYS.items():
            entries = placed(self._documents, section)
            yield from _twice(entries, "code" if section == "involves" else "id")
            for one in entries:
                wrong = list(_shape(one, keys))
                yield from wrong or self._sense(one, section, used)
        for one in placed(self._documents, "sources"):
            if isinstance(one.entry, dict) and one.entry.get("id") not in used:
                yield _at(one, "No rule cites it.", "Cite it, or remove it.")

    def _sense(self, one: Placed, section: str, used: set[str]) -> Iterator[Finding]:
        if section in {"rules", "flags"}:
            yield from self._cited(one, used)
            yield from self._rule(one) if section == "rules" else self._flag(one)

    def _cited(self, one: Placed, used: set[str]) -> Iterator[Finding]:
        names = source_ids(one.entry)
        used.update(names)
        if not names:
            yield _at(one, "It names no source.", "Cite one of the sources.", "source")
        for name in names:
            if name not in self._sources:
                mend = f"Add it to sources.{did_you_mean(str(name), self._sources)}"
                yield _at(one, f"There is no source '{name}'.", mend, "source")

    def _rule(self, one: Placed) -> Iterator[Finding]:
        entry = one.entry
        kinds = [kind for kind in _KINDS if entry.get(kind)]
        if not kinds or (len(kinds) > 1 and set(kinds) != {"medicines", "involves"}):
            said = "Say medicines and/or involves, or pair, or duplicates."
            yield _at(one, "It is not said what the rule is about, or twice.", said)
            return
        yield from self._names(one, ("medicines",), entry.get("medicines", ()), self._medicines(any_=True))
        yield from self._names(one, ("duplicates",), entry.get("duplicates", ()), self._medicines())
        yield from self._names(one, ("involves",), entry.get("involves", ()), self._codes)
        yield from self._names(one, ("unless",), entry.get("unless", ()), self._medicines())
        if "unless" in entry and kinds[0] not in {"medicines", "involves"}:
            yield _at(one, "`unless` is for medicines and involves.", "Leave it out.", "unless")
        if "pair" in kinds:
            yield from self._pair(one)
        if "atLeast" in entry and ("duplicates" not in kinds or entry["atLeast"] not in _LEAST):
            yield _at(one, "atLeast is a number of duplicates, 2 to 10.", "Mend it, or leave it out.", "atLeast")
        if "taken" in entry and kinds == ["involves"]:
            yield _at(one, "Nobody takes what is involved.", "Leave `taken` out.", "taken")
        when = entry.get("when")
        if when is None and "unknown" in entry:
            yield _at(one, "Without `when` nothing can be unknown.", "Leave `unknown` out.", "unknown")
        if when is None and kinds[0] in {"medicines", "involves"}:
            yield _at(one, "It would hold for every patient.", "Add `when`.")
        if when is not None:
            yield from self._when(one, str(when))

    def _flag(self, one: Placed) -> Iterator[Finding]:
        if one.entry.get("unknown") == "withhold":
            yield _at(one, "A flag withholds nothing.", "Say ask or nothing.", "unknown")
        yield from self._when(one, str(one.entry["when"]))

    def _pair(self, one: Placed) -> Iterator[Finding]:
        pair = one.entry["pair"]
        sides = ("first", "second")
        if not isinstance(pair, dict) or set(pair) != set(sides) or not all(_texts(pair[side]) for side in sides):
            yield _at(one, "A pair has `first` and `second`, each a list of medicines.", "Mend it.", "pair")
            return
        for side in sides:
            yield from self._names(one, ("pair", side), pair[side], self._medicines())
        if set(pair["first"]) & set(pair["second"]):
            mend = "Use duplicates, or name the classes apart."
            yield _at(one, "The same class stands on both sides.", mend, "pair")

    def _names(
        self, one: Placed, path: tuple[str, ...], names: Sequence[Any], known: Collection[str]
    ) -> Iterator[Finding]:
        for name in names:
            if name not in known:
                what = "involves code" if path == ("involves",) else "medication concept"
                yield _at(
                    one, f"There is no {what} '{name}'.", f"Mend it.{did_you_mean(str(name), known)}", *path
                )
            elif name in self._classes.titles and not self._has_codes(name):
                yield _at(one, f"'{name}' has no codes: it can never match.", "Use another concept.", *path)

    def _when(self, one: Placed, when: str) -> Iterator[Finding]:
        """The expression, as a protocol's condition is asked; and that it can hold, and can fail."""
        found = {
            "kind": "applicability",
            "expression": {"language": "text/fhirpath", "expression": when},
            # What is unknown is said by the rule itself, and asked for below.
            "extension": [{"url": elements.UNKNOWN, "valueCode": "ask"}],
        }
        wrong = list(lint_condition(found, (*one.path, "when"), one.document, self._vocabulary))
        try:
            expression = compiled(when)
        except SyntaxProblemError:
            yield from wrong
            return
        if one.entry.get("hazard") == "missing" and self._asks_what_is_missing(expression):
            wrong = []
        yield from wrong
        if wrong:
            return
        open_ = not self._asks_what_is_missing(expression) and any(
            can_be_unknown(name, self._vocabulary) for name in expression.variables
        )
        if "unknown" not in one.entry and open_:
            yield _at(
                one,
                "The record may not decide `when`, and nothing says what then.",
                f"Add unknown: {', '.join(get_args(Unknown))}.",
                "when",
            )
        answers = holds(expression.tree)
        if True not in answers:
            yield _at(one, "`when` can never hold.", "Mend the comparison.", "when")
        if False not in answers:
            yield _at(one, "`when` always holds.", "Mend the comparison.", "when")

    def _asks_what_is_missing(self, expression: Expression) -> bool:
        """Whether it is of `%known.empty()` alone, which no protocol may ask: here it is the hazard."""
        return all(
            isinstance(atom, Presence) and atom.function == "empty" and atom.variable in self._classes.concept_of
            for atom in atoms(expression.tree)
        )

    def _medicines(self, *, any_: bool = False) -> Collection[str]:
        return {*self._classes.titles, *((ANY,) if any_ else ())}

    def _has_codes(self, concept: str) -> bool:
        value_set = self._vocabulary.value_sets.get(self._vocabulary.concepts[concept].value_set or "")
        return value_set is not None and bool(value_set.codes)


def _sections(document: Document) -> Iterator[Finding]:
    content = document.content
    if not isinstance(content, dict) or not content:
        yield document.finding("This is no file of safety rules.", f"Use {', '.join(_SECTIONS)}.")
        return
    for name, entries in content.items():
        if name not in _SECTIONS:
            mend = f"Use {', '.join(_SECTIONS)}.{did_you_mean(name, _SECTIONS)}"
            yield document.finding(f"There is no section '{name}'.", mend, name)
        elif not isinstance(entries, list) or not entries:
            yield document.finding(f"'{name}' is no list, or empty.", "Write it as a list, or remove it.", name)


def _twice(entries: Sequence[Placed], name: str) -> Iterator[Finding]:
    names = [str(one.entry.get(name)) if isinstance(one.entry, dict) else None for one in entries]
    counts = Counter(names)
    for one, said in zip(entries, names, strict=True):
        if said is not None and counts[said] > 1:
            yield _at(one, f"'{said}' stands twice.", "Give each its own name.", name)


def _shape(one: Placed, keys: Mapping[str, bool]) -> Iterator[Finding]:
    """The keys that an entry may and must have, and the values of those that are a choice."""
    if not isinstance(one.entry, dict):
        yield _at(one, "This is no entry with keys and values.", "Write `key: value` lines.")
        return
    for key, required in keys.items():
        if required and one.entry.get(key) in (None, "", []):
            yield _at(one, f"It has no {key}.", f"Add {key}.")
    for key, value in one.entry.items():
        if key not in keys:
            yield _at(one, f"There is no key '{key}'.", f"Remove it.{did_you_mean(key, list(keys))}", key)
        elif key in _CHOICES and value not in _CHOICES[key]:
            choices = ", ".join(str(choice).lower() for choice in _CHOICES[key])
            yield _at(one, f"'{value}' is no {key}.", f"Use {choices}.", key)
        elif key in {"medicines", "involves", "duplicates", "unless"} and value != [] and not _texts(value):
            yield _at(one, f"{key} is a list of names.", "Write it as [a, b].", key)
        elif key not in _CHOICES and key not in _NO_TEXTS and not isinstance(value, str):
            yield _at(one, f"{key} is a text.", "Put it in quotes.", key)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _at(one: Placed, message: str, mend: str, *path: str) -> Finding:
    return one.document.finding(_named(one) + message, mend, *one.path, *path)


def _named(one: Placed) -> str:
    name = one.entry.get("id") if isinstance(one.entry, dict) else None
    return f"'{name}': " if isinstance(name, str) else ""
