"""What the pages name is there: files, links, tests, and commands with their options as the command line takes them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from typer.main import get_command

from careplan_exchange.cli.app import app
from tests.support.shared import ROOT

PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
COMMANDS = get_command(app)
FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
FILE = re.compile(r"(?<![\w./-])((?:tests|bench|docs|docker|service|protocols|mappings)/[\w./-]*[\w/])")
MODULE = re.compile(r"(?<![\w/])(test_\w+\.py)")
OURS = re.compile(r"^[a-z_]+/[a-z_/]+\.py$")
FUNCTION = re.compile(r"^test_\w+$")
END = re.compile(r"\s(?:#|>>?|<|&&)(?:\s|$)|\s\|\s")
OPTIONAL = re.compile(r"[\[\]…]")
SOURCES = [file.as_posix() for folder in ("service", "tests", "bench") for file in (ROOT / folder).rglob("*.py")]
MADE_ELSEWHERE = {"docker/careplan.toml", "mappings/derived/lipids.yaml"}
"""What a page tells the reader to make."""


@pytest.fixture(scope="module")
def tests() -> dict[str, str]:
    return {file.name: file.read_text() for file in (ROOT / "tests").rglob("test_*.py")}


def commands_of(text: str) -> Iterator[str]:
    """What stands as a command: a line of a block, or a span of code, that begins with `careplan` or the name of
    a command with something after it."""
    for block in FENCE.findall(text):
        yield from (line.strip().removeprefix("$ ") for line in block.splitlines() if "careplan " in line)
    for span in SPAN.findall(FENCE.sub("", text)):
        first, _, rest = span.partition(" ")
        if first == "careplan":
            yield from [span] if rest else []
        elif first in COMMANDS.commands and (rest.startswith("-") or _is_group(first, rest)):
            yield f"careplan {span}"


def _is_group(first: str, rest: str) -> bool:
    inner = getattr(COMMANDS.commands[first], "commands", {})
    return re.split(r"[ |]", rest, maxsplit=1)[0] in inner


def words_of(line: str) -> list[str]:
    """A command's words, without comments, redirections, pipes and the brackets around what may be left out."""
    line = re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(" | ", " "), line)
    line = END.split(line[line.index("careplan ") :], maxsplit=1)[0]
    return shlex.split(OPTIONAL.sub(" ", line))[1:]


def wrong_with(command: Any, words: Sequence[str]) -> str | None:
    """The first thing that the command line would not take, or None. What is left out is no fault in prose."""
    options = {name: one for one in command.params for name in (*one.opts, *one.secondary_opts)}
    places = sum(99 if one.nargs < 0 else 1 for one in command.params if one.param_type_name == "argument")
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            fault = _wrong_option(command.name, options, word, rest)
        elif inner := getattr(command, "commands", None):
            named = word.split("|")
            unknown = (f"{command.name} has no command {one}" for one in named if one not in inner)
            known = (wrong_with(inner[one], rest) for one in named if one in inner)
            return next((fault for fault in (*unknown, *known) if fault), None)
        else:
            places -= 1
            fault = f"{command.name} takes no {word}" if places < 0 else None
        if fault:
            return fault
    return None


def _wrong_option(name: str, options: dict[str, Any], word: str, rest: list[str]) -> str | None:
    """Takes the option's value off `rest`."""
    word, _, given = word.partition("=")
    option = options.get(word)
    if option is None:
        return None if word in {"--help", "-h"} else f"{name} has no option {word}"
    if option.is_flag:
        return None
    if not given and rest:
        rest.pop(0)
    return None


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_of_a_page_is_one_that_the_command_line_takes(page):
    text = page.read_text()
    faults = {line: fault for line in commands_of(text) if (fault := wrong_with(COMMANDS, words_of(line)))}
    assert faults == {}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_and_link_of_a_page_is_there(page):
    text = page.read_text()
    linked = {name for name in LINK.findall(text) if not (page.parent / name).exists()}
    named = {found for span in SPAN.findall(text) for found in FILE.findall(span)} - MADE_ELSEWHERE
    modules = {span for span in SPAN.findall(text) if OURS.match(span)}
    assert linked | {name for name in named if not (ROOT / name).exists()} == set()
    assert {name for name in modules if not any(file.endswith(f"/{name}") for file in SOURCES)} == set()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_test_that_a_page_names_is_there(page, tests):
    text = page.read_text()
    modules = {name for name in MODULE.findall(text) if name not in tests}
    functions = {span for span in SPAN.findall(text) if FUNCTION.match(span)}
    defined = "\n".join(tests.values()) if functions else ""
    assert modules | {name for name in functions if f"def {name}(" not in defined} == set()


@pytest.mark.parametrize(
    "line",
    [
        "careplan review lst",
        "careplan review show ID --reasons",
        "careplan revert ID",
        "careplan doctor --migrates",
        "careplan review list|shoe",
        "careplan --database x sync",
    ],
)
def test_what_the_command_line_does_not_take_is_noticed(line):
    assert wrong_with(COMMANDS, words_of(line))


def test_the_pages_are_searched_for_commands_and_tests():
    text = "\n".join(page.read_text() for page in PAGES)
    assert len(set(commands_of(text))) > 100
    assert len(set(re.findall(r"test_\w+\.py", text))) > 30
