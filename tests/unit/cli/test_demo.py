"""`demo`: where it may leave what it leaves."""

from pathlib import Path
from typing import Any


def test_a_demo_does_not_go_over_an_earlier_one(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "careplan.db").write_bytes(b"earlier")
    result = careplan("demo", "--folder", "earlier")
    assert (result.code, result.out) == (2, "")
    assert "earlier holds an earlier demo" in result.said
    assert "--folder" in result.said
    assert [path.name for path in (tmp_path / "earlier").iterdir()] == ["careplan.db"]
    assert (tmp_path / "earlier" / "careplan.db").read_bytes() == b"earlier"


def test_a_demo_that_has_nowhere_to_stand_says_so(careplan: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = careplan("demo", "--folder", "file")
    assert (result.code, result.out) == (2, "")
    assert "file cannot be made" in result.said
    assert "--folder" in result.said
