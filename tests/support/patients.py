"""The synthetic patients that come with the sandbox, as fresh Bundles."""

import copy
from pathlib import Path
from typing import Any

import careplan_exchange
from careplan_exchange.model.codec import decode

FOLDER = Path(careplan_exchange.__file__).parent / "sandbox" / "patients"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def synthetic(name: str) -> dict[str, Any]:
    """The transaction Bundle of that name, safe to change."""
    return copy.deepcopy(decode((FOLDER / f"{name}.json").read_bytes()))
