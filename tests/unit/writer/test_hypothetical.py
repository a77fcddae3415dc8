"""A plan that rests on assumptions is never written."""

import msgspec
import pytest

from careplan_exchange.errors import HypotheticalPlanError
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from tests.support import plans


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_no_renderer_takes_a_plan_with_an_assumption(release):
    proposal = plans.a_proposal()
    assert render(proposal, plans.a_context(), TargetForm(release=release))
    with pytest.raises(HypotheticalPlanError):
        render(
            msgspec.structs.replace(proposal, assumed=("egfr=28",)),
            plans.a_context(),
            TargetForm(release=release),
        )
