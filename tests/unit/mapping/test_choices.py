"""Two values[x] in one place: FHIR allows one, and nobody can tell which of them is meant."""

import pytest

from tests.unit.mapping.builders import LOINC, concept, keys, observation, quantity


@pytest.mark.parametrize(
    "second",
    [
        {"valueString": "seven"},
        {"valueRange": {"low": quantity(7)}},
        {"valueInteger": 7},
        {"valueBoolean": False},
    ],
)
def test_an_observation_with_two_values_yields_none_and_an_issue(mapped, second):
    snapshot = mapped(observation(valueQuantity=quantity(7.2), **second))
    assert snapshot.of("hba1c") == ()
    assert keys(snapshot) == ["value.several"]


def test_a_component_with_two_values_leaves_the_other_components_as_they_are(mapped):
    snapshot = mapped(
        observation(
            "85354-9",
            component=[
                {
                    "code": concept((LOINC, "8480-6")),
                    "valueQuantity": quantity(142, "mm[Hg]"),
                    "valueString": "high",
                },
                {"code": concept((LOINC, "8462-4")), "valueQuantity": quantity(91, "mm[Hg]")},
            ],
        )
    )
    assert snapshot.of("systolic_bp") == ()
    assert [fact.value for fact in snapshot.of("diastolic_bp")] == [91]
    assert keys(snapshot) == ["value.several"]


def test_one_value_is_one_value(mapped):
    assert keys(mapped(observation(valueQuantity=quantity(7.2)))) == []
