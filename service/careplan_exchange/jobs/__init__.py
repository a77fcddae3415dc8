"""Durable runs in this process: an exchange that was accepted is carried out, whatever happens in between.

In: an `ExchangeRequest`. Out: a stored `ExchangeRow`, at once; later the same row with its receipt. The row is
durable before `submit` returns, and a start of the service takes up every row that has no receipt yet: that is
safe because an exchange is safe to repeat. `Exchanges` is what bootstrap hands to this folder and to `api/`. A
row holds what was asked for and what came of it: no value from the patient's record.

Read `runner.py` first; `docs/decisions/0004-stored-rows-run-single-exchanges.md` says why.
"""

from .ports import Exchanges
from .runner import Runner

__all__ = ["Exchanges", "Runner"]
