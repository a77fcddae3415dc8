"""The fast reader of YAML beside the whole one: the same content and lines, or left to it."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange import knowledge
from careplan_exchange.errors import KnowledgeError
from careplan_exchange.plain_yaml import plain

FILES = [document.path for name in knowledge.FOLDERS for document in knowledge.documents(name)]


def whole(text):
    """Content and lines as the reader of all of YAML has them; None where it refuses the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge, "plain", lambda _: None)
        try:
            found = knowledge.parse("x.yaml", text)
        except KnowledgeError:
            return None
    return found.content, found.lines


def typed(value):
    """With the type of every scalar: 1, true and 1.0 are equal to each other."""
    if isinstance(value, dict):
        return [(key, typed(inner)) for key, inner in value.items()]
    return [typed(inner) for inner in value] if isinstance(value, list) else (type(value), value)


def test_every_file_of_ours_is_plain_and_read_the_same_by_both():
    for name in FILES:
        text = (knowledge.root() / name).read_bytes()
        fast, slow = plain(text), whole(text)
        assert fast is not None, name
        assert typed(fast[0]) == typed(slow[0]), name
        assert fast[1] == slow[1], name


SCALARS = st.sampled_from(
    [
        "1",
        "-0",
        "01",
        "1.50",
        "1e3",
        "true",
        "True",
        "no",
        "~",
        "null",
        "",
        "a",
        "'7'",
        '"x: y"',
        "2026-11-24",
        ".5",
    ]
)
PIECES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", "- ", "  - "]),
        st.sampled_from(["a: ", "b: ", "1: ", "&x ", "*x ", "!!str ", "c: {d: ", "[", "]", "}", "<<: *x", "# "]),
        SCALARS,
    ).map("".join),
    max_size=5,
)


@given(PIECES)
def test_whatever_it_reads_is_what_the_whole_of_yaml_makes_of_it(lines):
    text = "\n".join(lines).encode()
    if (fast := plain(text)) is not None:
        slow = whole(text)
        assert slow is not None
        assert typed(fast[0]) == typed(slow[0])
        assert fast[1] == slow[1]


@pytest.mark.parametrize(
    "text",
    [
        b"a: 1\na: 2",
        b"1: a",
        b"a: &x [*x]",
        b"a: *x",
        b"a: !!binary aGk=",
        b"---\na: 1\n---\nb: 2",
        b"a: [1",
        b"\xff",
        b"",
        b"- " * 5000,
        yaml.safe_dump({"a": {1, 2}}).encode(),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_the_whole_reader(text):
    assert plain(text) is None
