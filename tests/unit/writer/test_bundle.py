import pytest

from careplan_exchange.errors import RefusedError
from careplan_exchange.model.issue import Issue
from careplan_exchange.writer.bundle import named
from tests.support.writing import creates

PLAN = creates()


def refused(expression):
    issue = Issue(severity="error", code="invalid", key="server.invalid", detail="x", expression=expression)
    return RefusedError("The transaction: the server refused (422).", mend="m", issues=(issue,))


@pytest.mark.parametrize(
    "place",
    [
        "Bundle.entry[1].resource.target[0]",
        "Bundle.entry[1].resource.ofType(Goal).target[0]",
        "Bundle.entry[1].Goal.target[0]",
    ],
)
def test_a_refusal_of_an_entry_is_about_its_resource(place):
    error = named(refused(place), PLAN)
    assert error.detail.endswith(f"It is about Goal.target[0] of {PLAN[1].full_url}.")
    assert (error.issues[0].source, error.issues[0].expression) == (PLAN[1].full_url, "Goal.target[0]")


@pytest.mark.parametrize("place", [None, "Bundle.type", "Bundle.entry[99].resource.status", "Goal.target[0]"])
def test_a_refusal_of_nothing_that_we_know_is_left_as_it_is(place):
    error = named(refused(place), PLAN)
    assert error.detail == "The transaction: the server refused (422)."
    assert error.issues[0].source is None
