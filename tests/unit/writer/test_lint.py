import pytest

from careplan_exchange.errors import InvalidResourceError
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import lint, require_valid
from tests.support.plans import a_context, a_proposal


def a_plan(release="R4"):
    rendered = render(a_proposal(), a_context(), TargetForm(release=release, rung="detail"))
    return rendered[-1].body, {each.full_url: each.type for each in rendered}


def paths(body, release="R4", links=None):
    return [issue.expression for issue in lint(body, release, links or {})]


def test_a_code_outside_a_required_value_set_is_found_wherever_it_stands():
    body, links = a_plan()
    body["status"] = "banana"
    body["activity"][1]["detail"]["status"] = "maybe"
    assert paths(body, links=links) == ["CarePlan.status", "CarePlan.activity.detail.status"]


def test_every_code_that_another_person_may_have_set_is_accepted():
    body = {"resourceType": "DetectedIssue", "status": "cancelled"}
    assert paths(body) == []
    assert paths(body, "R5") == ["DetectedIssue.status"], "R5 has other codes"


@pytest.mark.parametrize(
    "wrong",
    [
        {"reference": "Condition/c1"},
        {"reference": "https://ehr.example.org/fhir/Condition/c1/_history/2"},
        {"type": "Condition", "identifier": {"system": "urn:x", "value": "1"}},
    ],
)
def test_a_reference_to_a_type_that_the_element_does_not_take_is_found(wrong):
    body, links = a_plan()
    body["goal"] = [wrong]
    assert paths(body, links=links) == ["CarePlan.goal"]


def test_a_reference_inside_the_transaction_is_checked_by_what_it_will_become():
    body, links = a_plan()
    swapped = dict.fromkeys(links, "Condition")
    assert "CarePlan.goal" in paths(body, links=swapped)


def test_a_codeable_reference_is_checked_too():
    body, links = a_plan("R5")
    body["addresses"] = [{"reference": {"reference": "Observation/1"}}]
    assert paths(body, "R5", links) == ["CarePlan.addresses"]


def test_a_reference_whose_target_cannot_be_told_passes():
    body, links = a_plan()
    body["goal"] = [{"reference": "#contained"}, {"display": "a goal on paper"}]
    assert paths(body, links=links) == []


def test_an_unknown_element_and_a_wrong_type_are_found_by_their_path():
    body, links = a_plan()
    body["nonsense"] = 1
    body["period"] = {"start": "yesterday"}
    assert set(paths(body, links=links)) == {"CarePlan.nonsense", "CarePlan.period.start"}


def test_a_resource_type_of_another_release_is_refused():
    assert paths({"resourceType": "DeviceUseStatement"}, "R5") == ["DeviceUseStatement"]


def test_the_error_names_elements_and_never_values():
    body, links = a_plan()
    body["title"] = {"secret": "Jane Roe"}
    body["status"] = "Jane Roe"
    with pytest.raises(InvalidResourceError) as raised:
        require_valid([body], "R4", links)
    told = raised.value.detail + raised.value.mend + repr(raised.value.issues)
    assert "Jane" not in told
    assert "CarePlan.title" in told
