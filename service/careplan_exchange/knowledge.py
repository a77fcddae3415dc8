"""The knowledge folders: where they are, how they are read, and which line a value came from.

A site's own folder is laid over ours: a file with the same relative path replaces ours, others are added.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import yaml
from yaml._yaml import CParser
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from .errors import KnowledgeError, UsageError
from .model.issue import Finding
from .plain_yaml import BOOLEAN, INTEGER, NULL, NUMBER, Lines, plain

Folder = Literal[
    "mappings",
    "mappings/vendors",
    "profiles",
    "protocols",
    "protocols/safety",
    "protocols/risk",
    "protocols/progress",
    "protocols/combine",
    "protocols/circumstances",
    "protocols/review",
]
FOLDERS: tuple[Folder, ...] = get_args(Folder)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One YAML or JSON file. `lines` gives the line of every element by its path (`("action", 0, "title")`)."""

    path: str
    content: Any
    lines: dict[tuple[str | int, ...], int]

    def line(self, *path: str | int) -> int:
        """The line of this element, or of the nearest one above it that the file has."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 1

    def finding(self, message: str, mend: str, *path: str | int) -> Finding:
        return Finding(file=self.path, line=self.line(*path), message=message, mend=mend)


def in_order(finding: Finding) -> tuple[str, int, str]:
    """The place of a finding among others: by file, then by line."""
    return finding.file, finding.line, finding.message


def root() -> Path:
    """The folder that holds `mappings/`, `profiles/` and `protocols/`: the packaged copy, else the checkout."""
    packaged = Path(__file__).parent / "_knowledge"
    return packaged if packaged.is_dir() else Path(__file__).parents[2]


def documents(folder: Folder, overlay: Path | None = None) -> tuple[Document, ...]:
    """Every YAML and JSON file below `folder`, ours with the site's `overlay` laid over it, by path. A folder
    with a name of its own is no part of the one that it stands in.

    Raises KnowledgeError with file and line of each that cannot be parsed.
    """
    files: dict[str, Path] = {}
    for base in (root(), overlay):
        if base is None:
            continue
        files |= {str(path.relative_to(base)): path for path in _files(base / folder)}
    inner = tuple(f"{each}/" for each in FOLDERS if each.startswith(f"{folder}/"))
    files = {name: path for name, path in files.items() if not name.startswith(inner)}
    found: list[Document] = []
    findings: list[Finding] = []
    for name in sorted(files):
        try:
            found.append(parse(name, files[name].read_bytes()))
        except KnowledgeError as error:
            findings += error.findings
    if findings:
        raise KnowledgeError(findings)
    return tuple(found)


def parse(name: str, text: bytes) -> Document:
    """Read YAML (or JSON, which is YAML) with numbers as Decimal and no YAML 1.1 surprises: `no`, `on` and
    dates stay strings. Raises KnowledgeError."""
    if (read := plain(text)) is not None:
        return Document(path=name, content=read[0], lines=read[1])
    lines: Lines = {}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise _wrong(name, 1, "The file is empty.", "Fill it or remove it.")
            _note_lines(node, (), lines, name)
            content = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _wrong(
            name,
            line,
            f"Not valid YAML: {error.problem or error.context}.",
            "Mend the syntax there (indentation, quotes, a colon).",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise _wrong(name, 1, "Not readable as UTF-8 YAML.", "Save it as UTF-8.") from None
    except RecursionError:
        raise _wrong(name, 1, "It is nested too deeply, or refers to itself.", "Write it out flat.") from None
    return Document(path=name, content=content, lines=lines)


def read(path: Path) -> Document:
    """One file that was named by hand. Raises KnowledgeError, UsageError where it cannot be read."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", mend="Check the path.") from None
    # JSON allows tabs between its parts, and none inside a text; YAML allows none between.
    return parse(path.name, text.replace(b"\t", b" ") if path.suffix == ".json" else text)


def _wrong(name: str, line: int, message: str, mend: str) -> KnowledgeError:
    return KnowledgeError([Finding(file=name, line=line, message=message, mend=mend)])


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".yaml", ".yml", ".json"} and path.is_file():
                yield path


class _Loader(Composer, CParser, SafeConstructor, Resolver):
    """YAML with the JSON schema's idea of scalars. libyaml reads it, and Python puts it together: nesting without
    end is an error there, and the end of the process in C."""

    def __init__(self, text: bytes) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", BOOLEAN, "tf"),
    ("tag:yaml.org,2002:null", NULL, ["n", "~", ""]),
    ("tag:yaml.org,2002:int", INTEGER, list("-0123456789")),
    ("tag:yaml.org,2002:float", NUMBER, list("-0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def _decimal(loader: Any, node: yaml.ScalarNode) -> Decimal:
    return Decimal(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)


def _note_lines(node: yaml.Node, path: tuple[str | int, ...], lines: Lines, name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                raise _wrong(name, line, "A key is not a text.", "Put the key in quotes.")
            if key.value in seen:
                raise _wrong(
                    name,
                    line,
                    f"The key '{key.value}' stands twice here; only one would count.",
                    "Remove or rename one of them.",
                )
            seen.add(key.value)
            lines[(*path, key.value)] = line
            _note_lines(value, (*path, key.value), lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*path, index), lines, name)
