"""Each session compiles anew: a process that was forked from another must not reuse what that one compiled."""

import pytest

from careplan_exchange.planner.expressions import compiled


@pytest.fixture(scope="session", autouse=True)
def _compiled_here():
    compiled.cache_clear()
