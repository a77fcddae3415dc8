"""A ChangeSet as a person reads it: one line for each resource made and each element that differs."""

from decimal import Decimal
from typing import Any

import pytest

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Json, ResourceChange
from careplan_exchange.review import diff_lines


def lines(*changes: ResourceChange) -> tuple[str, ...]:
    return diff_lines(ChangeSet(patient="Patient/secret", changes=changes))


def held(*elements: ElementChange, kind: str = "Goal") -> ResourceChange:
    return ResourceChange(
        identity="x", type=kind, action="update", full_url="urn:uuid:x", body={}, ours={}, theirs={}, id="12",
        elements=elements,
    )  # fmt: skip


def created(kind: str, body: Json) -> ResourceChange:
    return ResourceChange(identity="x", type=kind, action="create", full_url="urn:uuid:x", body=body, ours=body)


def element(path: str, kind: str = "ours", **sides: Any) -> ElementChange:
    return ElementChange(path=path, kind=kind, **sides)


@pytest.mark.parametrize(
    "body",
    [
        {"title": "Walk"},
        {"description": {"text": "Walk"}},
        {"code": {"text": "Walk"}},
        {"code": {"coding": [{"code": "1"}], "text": "Walk"}},
        {"medicationCodeableConcept": {"text": "x"}, "medication": {"concept": {"text": "Walk"}}},
        {"detail": {"description": "Walk"}},
    ],
)
def test_what_is_made_is_named_in_its_own_words(body):
    assert lines(created("ServiceRequest", body)) == ("+ ServiceRequest/~x  Walk",)


def test_what_has_no_words_is_named_by_its_type():
    assert lines(created("Goal", {})) == ("+ Goal/~x  ",)


def test_each_kind_of_element_has_a_sign_of_its_own():
    assert lines(
        held(
            element("Goal.priority", before="a", theirs="a", ours="b"),
            element("Goal.note", before="a", theirs="a"),
            element("Goal.outcome", "theirs", before="a", theirs="hers", ours="a"),
            element("Goal.status", "conflict", before="a", theirs="hers", ours="ours"),
        )
    ) == (
        "~ Goal/12  priority: a → b",
        "- Goal/12  note: a",
        "= Goal/12  outcome: hers is kept (a person's; proposed: a)",
        "! Goal/12  status: theirs hers, ours ours",
    )


def test_of_an_object_only_the_parts_that_differ_are_shown():
    theirs = {"value": Decimal("7.0"), "unit": "%"}
    ours = {"value": Decimal("7.5"), "unit": "%", "code": "%"}
    assert lines(held(element("Goal.target[0].detailQuantity", theirs=theirs, ours=ours))) == (
        "~ Goal/12  target[0].detailQuantity.value: 7.0 → 7.5",
        "~ Goal/12  target[0].detailQuantity.code: (nothing) → %",
    )


PERCENT = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"value": Decimal("6.5"), **PERCENT}, "6.5 %"),
        ({"comparator": "<", "value": Decimal(7), "code": "%"}, "< 7 %"),
        ({"value": Decimal(3)}, "3"),
        (
            {"low": {"value": Decimal("6.5"), **PERCENT}, "high": {"value": Decimal(8), **PERCENT}},
            "from 6.5 % to 8 %",
        ),
        ({"high": {"value": Decimal(8), **PERCENT}}, "to 8 %"),
        (
            {
                "measure": {"coding": [{"code": "8480-6", "display": "Systolic blood pressure"}]},
                "detailRange": {"high": {"value": Decimal(130), "unit": "mm[Hg]"}},
                "dueDate": "2027-02-26",
            },
            "Systolic blood pressure: to 130 mm[Hg], due 2027-02-26",
        ),
        ({"coding": [{"code": "safety"}]}, "safety"),
    ],
)
def test_what_is_new_is_shown_with_its_numbers_and_not_only_with_its_unit(value, shown):
    change = element("Goal.x", "conflict", before="a", theirs=None, ours=value)
    assert lines(held(change)) == (f"! Goal/12  x: theirs (nothing), ours {shown}",)


def test_two_long_texts_are_shown_from_where_they_differ():
    start = "Hypertension is present (2012-01-15). " * 4
    change = element("Goal.note[0].text", theirs=f"{start}eGFR is 52.", ours=f"{start}eGFR is 28.")
    assert lines(held(change)) == (
        "~ Goal/12  note[0].text: …present (2012-01-15). eGFR is 52. → …present (2012-01-15). eGFR is 28.",
    )


def test_a_part_that_somebody_took_out_is_shown_as_nothing():
    change = element("Goal.dueDate", "conflict", before="2026", theirs=None, ours="2027")
    assert lines(held(change)) == ("! Goal/12  dueDate: theirs (nothing), ours 2027",)


def test_a_list_is_one_value():
    assert lines(held(element("Goal.x", theirs=[1], ours=[1, 2]))) == ("~ Goal/12  x: [1] → [1,2]",)


def test_a_narrative_that_is_kept_is_named_and_not_printed():
    assert lines(held(element("Goal.text", "theirs", theirs={"div": "a"}, ours={"div": "b"}))) == (
        "= Goal/12  text: the narrative is kept as it is",
    )


def test_what_a_new_narrative_says_otherwise_is_shown_whole():
    before = "<div><p>Plan</p><ul><li>HbA1c 64 &lt; 70</li><li><b>Walk</b></li></ul></div>"
    after = before.replace("64 &lt; 70", f"86 {'a' * 200}")
    assert lines(held(element("Goal.text", theirs={"div": before}, ours={"div": after}))) == (
        "~ Goal/12  text: the narrative is made anew",
        "    - HbA1c 64 < 70",
        f"    + HbA1c 86 {'a' * 200}",
    )


def test_a_narrative_that_was_not_there_is_shown_as_new():
    change = element("Goal.text", theirs=None, ours={"div": "<div>One<br/>Two</div>"})
    assert lines(held(change))[1:] == ("    + One", "    + Two")


def test_an_inner_element_that_is_called_text_is_no_narrative():
    change = element("Goal.description.text", theirs="a", ours="b")
    assert lines(held(change)) == ("~ Goal/12  description.text: a → b",)


def test_what_was_deleted_is_named_by_its_old_reference():
    base = Base(identity="x", type="Goal", id="7", version_id="1", ours={}, stored={})
    change = ResourceChange(
        identity="x", type="Goal", action="unchanged", full_url="urn:uuid:x", body={}, base=base,
        ours={"description": {"text": "Walk"}}, elements=(element("Goal", "conflict"),),
    )  # fmt: skip
    assert lines(change) == ("! Goal/7  Walk: deleted on the server; ours would make it again",)


def test_a_long_value_is_cut_and_shows_that_it_is():
    long = element("Goal.x", theirs="a" * 100, ours="b" * 101)
    assert lines(held(long)) == (f"~ Goal/12  x: {'a' * 100} → {'b' * 99}…",)


def test_the_patient_is_not_named():
    assert "secret" not in "".join(lines(created("Goal", {"title": "Walk"}), held(element("Goal.x", ours="b"))))


def test_nothing_to_say_is_no_line():
    assert lines(held()) == ()
