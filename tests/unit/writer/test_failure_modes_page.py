"""docs/failure-modes.md has a paragraph and living tests for each of the twelve modes."""

import re

import pytest

from tests.support.shared import ROOT

PAGE = (ROOT / "docs/failure-modes.md").read_text()
SECTIONS = dict(re.findall(r"^## (\d+) .*?\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL))
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
}


def test_there_are_twelve_modes():
    assert list(SECTIONS) == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize("mode", SECTIONS)
def test_a_mode_says_what_remains_and_names_tests_that_exist(mode):
    text = SECTIONS[mode]
    named = set(re.findall(r"`(test_\w+)`", text))
    assert "What remains:" in text
    assert any(name.startswith(f"test_mode_{mode}_") for name in named)
    assert named <= TESTS


def test_every_test_of_a_mode_is_named_in_its_paragraph():
    for name in TESTS:
        if mode := re.match(r"test_mode_(\d+)_", name):
            assert f"`{name}`" in SECTIONS[mode[1]], name
