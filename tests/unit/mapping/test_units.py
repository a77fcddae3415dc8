import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry
from ucumvert.parser import InvalidUcumError

from careplan_exchange.knowledge import documents
from careplan_exchange.mapping.quantities import apply
from tests.unit.mapping.builders import keys, observation, quantity

# g/mol, where mass and amount of substance meet.
CHOLESTEROL = dict.fromkeys(
    ("ldl_cholesterol", "hdl_cholesterol", "total_cholesterol", "non_hdl_cholesterol"), 386.65
)
GLUCOSE = dict.fromkeys(("glucose", "fasting_glucose"), 180.156)
MOLAR_MASS = {
    "creatinine": 113.12,
    "uacr": 113.12,
    "triglycerides": 885.7,
    "calcium": 40.078,
    "urea_nitrogen": 28.0134,
    "bilirubin": 584.66,
    "hemoglobin": 16114.5,  # of one chain with its haem, as laboratories count it
    "urate": 168.11,
    "magnesium": 24.305,
    "phosphate": 30.974,  # as phosphorus
    "nt_probnp": 8457,
    "vitamin_d": 400.64,
    "vitamin_b12": 1355.37,
    **CHOLESTEROL,
    **GLUCOSE,
}
# What UCUM cannot tell: an equation, checked by its published pairs below, and what a pack holds.
OTHERS = {("hba1c", "mmol/mol"), ("packs_per_day", "{cigarettes}/d")}
# Degrees have an offset, which pint does not multiply.
OTHERS |= {("body_temperature", "Cel"), ("body_temperature", "[degF]")}
# UCUM, and not known to the registry of units by name: a count of something, in any braces.
# Written by laboratories; UCUM reads it as 1 times 73.
NOT_UCUM = {"mL/min/1.73", "1/1000000{Base}"}  # the last against a unit whose megabase is an annotation
ANNOTATION = re.compile(r"/?\{[^}]*\}")


def unit_rows():
    """Every conversion of the real folder by concept and target, with the line of its first spelling."""
    for document in documents("mappings"):
        for units in document.content.get("units", ()):
            for row in units["conversions"]:
                yield pytest.param(units["concept"], units["to"], row, id=f"{units['concept']}-{row['from'][0]}")


def magnitude(ucum, spelling, target, molar_mass):
    """How many of the target unit one of the spelled unit is; mass becomes amount where only that fits. None where it
    is no UCUM, or no such quantity."""
    try:
        amount = 1 * ucum.from_ucum(ANNOTATION.sub("", spelling) or "1")
    except InvalidUcumError:
        return None
    wanted = ucum.from_ucum(ANNOTATION.sub("", target) or "1")
    if amount.is_compatible_with(wanted):
        return amount.to(wanted).magnitude
    if molar_mass is not None:
        mass = molar_mass * ucum.from_ucum("g/mol")
        for fitting in (amount * mass, amount / mass):
            if fitting.is_compatible_with(wanted):
                return fitting.to(wanted).magnitude
    return None


positive = st.decimals(min_value="0.01", max_value="10000", places=3)


@pytest.fixture(scope="session")
def ucum():
    return PintUcumRegistry()


@pytest.mark.parametrize(("concept", "target", "row"), list(unit_rows()))
def test_every_factor_agrees_with_ucum_and_molar_mass(mappings, ucum, concept, target, row):
    first = row["from"][0]
    if (concept, first) in OTHERS:
        return
    expected = {spelling: magnitude(ucum, spelling, target, MOLAR_MASS.get(concept)) for spelling in row["from"]}
    assert expected[first] is not None, "a row begins with the unit in UCUM"
    for spelling, factor in expected.items():
        # UCUM's own, and those beside it that happen to be UCUM and of the kind: `ft` is a femtotonne there.
        if factor is not None and spelling not in NOT_UCUM:
            ours = float(apply(mappings.units[concept, spelling], Decimal(1)))
            assert ours == pytest.approx(factor, rel=2e-4 if concept in MOLAR_MASS else 2e-5), spelling


def test_twenty_cigarettes_are_a_pack(mappings):
    assert apply(mappings.units["packs_per_day", "{cigarettes}/d"], Decimal(30)) == Decimal("1.5")


def test_every_conversion_of_the_tables_is_in_a_row_that_was_checked(mappings):
    rows = {
        (concept, spelling)
        for parameter in unit_rows()
        for concept, _, row in [parameter.values]
        for spelling in row["from"]
    }
    assert rows == set(mappings.units)


@pytest.mark.parametrize(
    ("ifcc", "ngsp"),
    # Published pairs of the master equation (http://www.ngsp.org/ifcc.asp, consensus statement 2007).
    [
        (31, "5.0"),
        (42, "6.0"),
        (48, "6.5"),
        (53, "7.0"),
        (58, "7.5"),
        (64, "8.0"),
        (75, "9.0"),
        (86, "10.0"),
        (108, "12.0"),
    ],
)
def test_ifcc_becomes_ngsp_by_the_published_pairs(mappings, ifcc, ngsp):
    assert apply(mappings.units["hba1c", "mmol/mol"], Decimal(ifcc)) == Decimal(ngsp)


SAME = [
    ("platelets", "10*9/L", "10*3/uL"),
    ("leukocytes", "10*9/L", "10*3/uL"),
    ("ferritin", "ug/L", "ng/mL"),
    ("psa", "ug/L", "ng/mL"),
    ("pth", "ng/L", "pg/mL"),
    ("tsh", "u[IU]/mL", "m[IU]/L"),
]
"""Other spellings of the canonical unit itself."""


@pytest.mark.parametrize(("concept", "spelling", "unit"), SAME)
def test_every_other_spelling_of_the_unit_is_the_unit(mappings, ucum, concept, spelling, unit):
    assert mappings.units[concept, spelling].is_identity
    assert (1 * ucum.from_ucum(spelling)).to(ucum.from_ucum(unit)).magnitude == pytest.approx(1)


@pytest.mark.parametrize(("fahrenheit", "celsius"), [("32", "0"), ("98.6", "37"), ("212", "100"), ("104", "40")])
def test_fahrenheit_becomes_celsius_by_the_fixed_points(mappings, fahrenheit, celsius):
    ours = apply(mappings.units["body_temperature", "[degF]"], Decimal(fahrenheit))
    assert float(ours) == pytest.approx(float(celsius), abs=1e-8)


@given(one=positive, other=positive)
def test_no_conversion_reverses_an_order(mappings, one, other):
    low, high = sorted((one, other))
    for conversion in mappings.units.values():
        assert apply(conversion, low) <= apply(conversion, high)


@given(value=positive)
def test_every_conversion_can_be_undone(mappings, value):
    for conversion in mappings.units.values():
        back = (apply(conversion, value) - conversion.offset) * conversion.divisor / conversion.factor
        lost = Decimal(5).scaleb(-conversion.decimals - 1) / conversion.factor if conversion.decimals else 0
        assert abs(back - value) <= lost + (value + abs(conversion.offset)) * Decimal("1e-9")


@given(value=st.decimals(min_value=2, max_value=25, places=2))
def test_a_value_in_its_own_unit_keeps_its_digits(mappings, value):
    assert str(apply(mappings.units["hba1c", "%"], value)) == str(value)


@given(value=st.decimals(allow_nan=True, allow_infinity=True), unit=st.sampled_from(["%", "mmol/mol", "x", ""]))
def test_any_number_in_any_unit_is_a_plausible_fact_or_an_issue(mapped, value, unit):
    sent = quantity(str(value) if not value.is_finite() else value, unit)
    snapshot = mapped(observation(valueQuantity=sent))
    if snapshot.facts:
        assert Decimal("2.5") <= snapshot.facts[0].value <= 25
        assert keys(snapshot) == ([] if unit else ["unit.inferred"])
    else:
        assert len(keys(snapshot)) == 1
