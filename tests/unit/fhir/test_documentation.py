"""docs/reading.md names a test for everything that it says: each of them exists."""

import re

from tests.support.shared import ROOT


def test_every_test_that_the_page_on_reading_names_exists():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reading.md").read_text()))
    assert len(named) > 40
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert sorted(name for name in named if f"def {name}(" not in tests) == []
