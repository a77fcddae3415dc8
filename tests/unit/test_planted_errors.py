"""Errors planted in a copy of the knowledge folders: each is found, at its file and line, and nothing else is."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from careplan_exchange import config, curation, knowledge
from careplan_exchange.mapping import checkdigits
from tests.support.planted import IN_MAPPINGS, IN_PROFILES, Planted
from tests.support.planted_protocols import IN_PROTOCOLS

TODAY = date(2026, 11, 26)
PLANTED = IN_PROFILES | IN_MAPPINGS | IN_PROTOCOLS


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the knowledge folders, in their place."""
    for folder in knowledge.FOLDERS:
        shutil.copytree(knowledge.root() / folder, tmp_path / folder, dirs_exist_ok=True)
    monkeypatch.setattr(knowledge, "root", lambda: tmp_path)
    return tmp_path


def lint():
    return curation.lint_knowledge(config.Settings(), TODAY).findings


def plant(root: Path, planted: Planted) -> tuple[str, int]:
    """Change the file; its name, and the line where the finding is due."""
    files = [path for path in sorted(root.glob(planted.where)) if path.suffix == ".yaml"]
    file = next(path for path in files if planted.old in path.read_text())
    text = file.read_text()
    if planted.old:
        before, after = text.split(planted.old, 1)
        same = len(planted.new) - len(planted.new.lstrip("\n"))
        changed = before + planted.new + after
        line = before.count("\n") + 1 + same
    else:
        changed = text.rstrip("\n") + "\n" + planted.new
        line = changed.count("\n")
    file.write_text(changed)
    if planted.at:
        line = max(n for n, found in enumerate(changed.split("\n")[:line], 1) if planted.at in found)
    return file.relative_to(root).as_posix(), line


def test_the_untouched_copy_has_no_finding(copy):
    assert lint() == ()


def test_more_than_twenty_errors_are_planted_in_every_folder():
    folders = [planted.where.split("/")[0] for planted in PLANTED.values()]
    assert len(folders) > 20
    assert all(folders.count(folder) >= 10 for folder in ("mappings", "profiles", "protocols"))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found_where_it_is(copy, name):
    planted = PLANTED[name]
    place = plant(copy, planted)
    found = lint()
    at_place = [finding for finding in found if (finding.file, finding.line) == place]
    assert [f for f in at_place if planted.says in f.message and planted.mend in f.mend], (place, found)
    assert len(found) == 1 + planted.others, found


def test_errors_in_all_folders_are_told_in_one_run(copy):
    names = ("a LOINC code whose check digit is wrong", "a misspelt key of a conversion", "a misspelt variable")
    places = [plant(copy, PLANTED[name]) for name in names]
    assert [(finding.file, finding.line) for finding in lint()] == places


def test_the_code_without_a_licence_is_well_spelt():
    assert checkdigits.snomed_is_well_formed(PLANTED["a SNOMED CT code without a licence"].new)
