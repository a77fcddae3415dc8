"""The real knowledge folders, read once, and a way to map a handful of resources with them."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from careplan_exchange.knowledge import documents
from careplan_exchange.mapping import Mappings, load_mappings, load_vocabulary, map_record
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.model.vocabulary import Vocabulary
from tests.unit.mapping.builders import TODAY, record


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary(documents("profiles"))


@pytest.fixture(scope="session")
def mappings(vocabulary: Vocabulary) -> Mappings:
    return load_mappings(documents("mappings"), vocabulary)


@pytest.fixture(scope="session")
def mapped(mappings: Mappings, vocabulary: Vocabulary) -> Callable[..., Snapshot]:
    def run(*bodies: dict[str, Any], today: date = TODAY, **more: Any) -> Snapshot:
        return map_record(record(*bodies, **more), mappings, vocabulary, today=today)

    return run
