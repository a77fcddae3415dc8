"""The third-party material beside the checkout: read in place, skipped with a message where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("SHARED_DIR", ROOT.parent / "shared"))


def require_shared(relative: str) -> Path:
    """The path below `../shared`, or a skip that says what is missing."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"../shared/{relative} is not here: third-party test data is read in place, never copied")
    return path
