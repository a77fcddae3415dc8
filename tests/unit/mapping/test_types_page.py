"""docs/mapping-types.md against the readers: no type is read that it leaves out, none is in it that nothing reads."""

import re
from pathlib import Path

from careplan_exchange.mapping.context import Context
from careplan_exchange.mapping.record import Readers
from tests.unit.mapping.builders import TODAY, record

PAGE = Path(__file__).parents[3] / "docs/mapping-types.md"


def test_every_type_with_a_reader_has_a_row_and_no_other(mappings, vocabulary):
    empty = record()
    readers = set(Readers(Context(empty, mappings, vocabulary, TODAY), empty).of_type)
    rows = re.findall(
        r"^\| ([A-Z]\w+)(?: \([a-z]+\))? \| (.+) \| (.+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE
    )
    assert {type_ for type_, *_ in rows} == readers | {"Patient", "Medication"}
    assert all(cell.strip() for row in rows for cell in row)


def test_no_type_that_is_read_is_listed_as_not_read(mappings, vocabulary):
    empty = record()
    readers = set(Readers(Context(empty, mappings, vocabulary, TODAY), empty).of_type)
    assert readers.isdisjoint(mappings.not_read)
