"""What the linter says of several files together: what points where, stands twice, comes back to itself."""

from tests.unit.planner.linted import ACTIVITY, FILES, PLAN, findings


def test_a_restriction_needs_its_goal_of_avoidance():
    avoid = ACTIVITY.replace(
        "extension:\n", "extension:\n  - {url: urn:careplan-exchange:avoid, valueString: Sugar}\n"
    )
    assert findings({**FILES, "protocols/test/walk.yaml": avoid}) == ()
    (found,) = findings(
        {
            "protocols/test/walk.yaml": avoid,
            "protocols/test/plan.yaml": PLAN.replace("        goalId: [hba1c.adult]\n", ""),
        }
    )
    assert found.message == "A restriction has no goal of avoidance."


def test_two_files_with_one_canonical_or_one_id_are_refused():
    messages = {f.message for f in findings({**FILES, "protocols/other/plan.yaml": PLAN})}
    assert messages == {
        "'urn:test:plan|1.0.0' stands in more than one file.",
        "The protocol's id 'test' is not one of its own.",
    }


def test_a_circle_over_two_plans_is_refused():
    inner = PLAN.replace("urn:test:plan", "urn:test:inner").replace("urn:test:walk|1.0.0", "urn:test:plan")
    outer = PLAN + "  - {id: inner, title: Inner, definitionCanonical: 'urn:test:inner'}\n"
    found = findings({**FILES, "protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner})
    assert {f.file for f in found if f.message == "The plan comes back to itself."} == {
        "protocols/test/plan.yaml",
        "protocols/test/inner.yaml",
    }


def test_a_circle_over_three_plans_is_refused_in_each():
    plans = {
        name: PLAN.replace("urn:test:plan", f"urn:test:{name}").replace(
            "urn:test:walk|1.0.0", f"urn:test:{following}"
        )
        for name, following in (("a", "b"), ("b", "c"), ("c", "a"))
    }
    found = findings({f"protocols/test/{name}.yaml": text for name, text in plans.items()})
    circles = [f.file for f in found if f.message == "The plan comes back to itself."]
    assert circles == [f"protocols/test/{name}.yaml" for name in "abc"]


def test_a_definition_inside_a_plan_is_found_also_from_a_plan_around_it():
    contained = "contained:\n  - " + ACTIVITY.rstrip().replace("\n", "\n    ") + "\n"
    inner = PLAN.replace("urn:test:plan", "urn:test:inner").replace("urn:test:walk|1.0.0", "'#walk'") + contained
    assert findings({"protocols/inner/plan.yaml": inner}) == ()
    outer = PLAN.replace("urn:test:walk|1.0.0", "urn:test:inner")
    assert findings({"protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner}) == ()


def test_a_circle_elsewhere_does_not_hang_the_linter():
    inner = PLAN.replace("urn:test:plan", "urn:test:inner").replace("urn:test:walk|1.0.0", "urn:test:inner")
    outer = PLAN + "  - {id: inner, title: Inner, definitionCanonical: 'urn:test:inner'}\n"
    found = findings({**FILES, "protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner})
    assert {f.file for f in found if f.message == "The plan comes back to itself."} == {
        "protocols/test/inner.yaml"
    }


def test_a_nested_plan_without_a_circle_is_let_through():
    inner = PLAN.replace("urn:test:plan", "urn:test:inner")
    outer = PLAN + "  - {id: inner, title: Inner, definitionCanonical: 'urn:test:inner'}\n"
    assert findings({**FILES, "protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner}) == ()


def test_a_file_that_is_no_definition_is_refused():
    found = findings({**FILES, "protocols/test/other.yaml": "resourceType: Library\n"})
    assert "This is neither a PlanDefinition nor an ActivityDefinition." in {f.message for f in found}
    listed = findings({**FILES, "protocols/test/list.yaml": "- a\n"})
    assert [f.message for f in listed] == ["This is neither a PlanDefinition nor an ActivityDefinition."]
