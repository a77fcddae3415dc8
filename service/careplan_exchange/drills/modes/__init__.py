"""The twelve ways in which a write-back loses, doubles or overwrites data, each as a generator of scripts.

`MODES` has them in order, by name. In: a generator of chance. Out: a Script. `docs/failure-modes.md` says what
each is, and what the product does about it.
"""

import random
from collections.abc import Callable, Mapping

from careplan_exchange.drills.script import Script

from .guards import (
    concurrent_creates,
    if_match_ignored,
    literal_condition,
    put_without_if_match,
    stale_body_retried,
)
from .reading import cached_absent, truncated_read, wrong_patient
from .sending import partial_batch, round_trip_loss, timeout_after_commit, twice_in_one_bundle

MODES: Mapping[str, Callable[[random.Random], Script]] = {
    "timeout-after-commit": timeout_after_commit,
    "cached-absent": cached_absent,
    "concurrent-creates": concurrent_creates,
    "literal-condition": literal_condition,
    "twice-in-one-bundle": twice_in_one_bundle,
    "put-without-if-match": put_without_if_match,
    "if-match-ignored": if_match_ignored,
    "stale-body-retried": stale_body_retried,
    "round-trip-loss": round_trip_loss,
    "partial-batch": partial_batch,
    "truncated-read": truncated_read,
    "wrong-patient": wrong_patient,
}

MEANING: Mapping[str, str] = {
    "timeout-after-commit": "the answer to a write that was carried out never comes, or the process dies first",
    "cached-absent": "a cache, or a replica that lags, says that there is no plan",
    "concurrent-creates": "several exchanges for one patient create at one time",
    "literal-condition": "the server's own guard against doubles does not hold",
    "twice-in-one-bundle": "everything is recorded twice, and the network sends requests twice",
    "put-without-if-match": "a clinician changes the plan between our read and our write",
    "if-match-ignored": "the server does not look at If-Match",
    "stale-body-retried": "a gateway sends an old request again, later",
    "round-trip-loss": "the server does not keep, or reorders, what it is sent",
    "partial-batch": "a transaction is carried out in part",
    "truncated-read": "a read is cut, fails in part, or ends early",
    "wrong-patient": "answers about another patient, and pages that lead to another server",
}

__all__ = ["MEANING", "MODES"]
