"""Strikes, and scripts from seeds: what a run will meet is decided before it begins."""

import random

import pytest

from careplan_exchange.drills.faults import Plan, Strike
from careplan_exchange.drills.modes import MEANING, MODES
from careplan_exchange.drills.script import Sync, as_process, generator


def test_a_strike_meets_the_request_of_its_kind_and_number_and_no_other() -> None:
    plan = Plan()
    plan.arm([Strike("busy", "read", 1), Strike("drop-after", "write")])
    assert plan.take("read") is None
    assert plan.take("write") == "drop-after"
    assert plan.take("write") is None
    assert plan.take("read") == "busy"
    assert plan.take("read") is None


def test_two_strikes_at_one_request_strike_one_after_the_other() -> None:
    plan = Plan()
    plan.arm([Strike("busy", "read"), Strike("delay", "read")])
    assert [plan.take("read"), plan.take("read"), plan.take("read")] == ["busy", "delay", None]


def test_arming_leaves_the_script_as_it_is() -> None:
    strikes = (Strike("busy", "read", 2),)
    plan = Plan()
    plan.arm(strikes)
    plan.take("read")
    assert strikes == (Strike("busy", "read", 2),)


def test_calm_disarms_everything() -> None:
    plan = Plan()
    plan.arm([Strike("busy", "read")])
    plan.calm()
    assert plan.take("read") is None


def test_there_are_twelve_modes_and_each_says_what_it_is() -> None:
    assert len(MODES) == 12
    assert MODES.keys() == MEANING.keys()


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_script_and_another_gives_others(mode: str) -> None:
    first, again = (MODES[mode](generator(7, mode, 3)) for _ in range(2))
    assert first == again
    assert len({repr(MODES[mode](generator(7, mode, run))) for run in range(40)}) > 1


@pytest.mark.parametrize("mode", MODES)
def test_a_run_with_a_process_has_exactly_one_and_kills_it_where_the_script_kills(mode: str) -> None:
    for run in range(20):
        script = MODES[mode](random.Random(run))
        chosen = [act for act in as_process(script).acts if isinstance(act, Sync) and act.process]
        assert len(chosen) == 1
        kills = any(isinstance(act, Sync) and act.kills for act in script.acts)
        assert chosen[0].kills == kills
