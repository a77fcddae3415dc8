from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry

from careplan_exchange.mapping.quantities import apply
from tests.unit.mapping.builders import keys, observation, quantity

# The units in UCUM proper, with the molar mass in g/mol where mass and amount of substance meet.
CREATININE, CHOLESTEROL = 113.12, 386.65
CONVERSIONS = [
    ("systolic_bp", "kPa", "kPa", "mm[Hg]", None),
    ("diastolic_bp", "kPa", "kPa", "mm[Hg]", None),
    ("creatinine", "umol/L", "umol/L", "mg/dL", CREATININE),
    ("creatinine", "mmol/L", "mmol/L", "mg/dL", CREATININE),
    ("ldl_cholesterol", "mmol/L", "mmol/L", "mg/dL", CHOLESTEROL),
    ("body_weight", "[lb_av]", "[lb_av]", "kg", None),
    ("body_weight", "lb", "[lb_av]", "kg", None),
    ("body_weight", "[oz_av]", "[oz_av]", "kg", None),
    ("body_weight", "g", "g", "kg", None),
    ("uacr", "mg/mg", "mg/mg", "mg/g", None),
    ("uacr", "ug/mg", "ug/mg", "mg/g", None),
    ("egfr", "mL/s/{1.73_m2}", "mL/s", "mL/min", None),
]

positive = st.decimals(min_value="0.01", max_value="10000", places=3)


@pytest.fixture(scope="session")
def ucum():
    return PintUcumRegistry()


@pytest.mark.parametrize("row", CONVERSIONS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_every_factor_agrees_with_ucum(mappings, ucum, row):
    concept, spelling, source, target, molar_mass = row
    amount = 1 * ucum.from_ucum(source)
    if molar_mass is not None:
        amount *= molar_mass * ucum.from_ucum("g/mol")
    expected = amount.to(ucum.from_ucum(target)).magnitude
    ours = apply(mappings.units[concept, spelling], Decimal(1))
    assert float(ours) == pytest.approx(expected, rel=2e-4 if molar_mass else 2e-5)


def test_albumin_per_mole_of_creatinine_agrees_with_ucum(mappings, ucum):
    amount = 1 * ucum.from_ucum("mg/mmol") / (CREATININE * ucum.from_ucum("g/mol"))
    expected = amount.to(ucum.from_ucum("mg/g")).magnitude
    for spelling in ("mg/mmol", "g/mol"):
        assert float(apply(mappings.units["uacr", spelling], Decimal(1))) == pytest.approx(expected, rel=2e-4)


def test_every_conversion_that_changes_the_value_is_checked_here(mappings):
    checked = {(concept, spelling) for concept, spelling, *_ in CONVERSIONS}
    checked |= {("uacr", "mg/mmol"), ("hba1c", "mmol/mol")}
    by_table = {}
    for key, conversion in mappings.units.items():
        if not conversion.is_identity:
            by_table.setdefault((key[0], conversion), set()).add(key)
    assert by_table
    assert all(spellings & checked for spellings in by_table.values())


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
        assert abs(back - value) <= lost + value * Decimal("1e-9")


@given(value=st.decimals(min_value=2, max_value=25, places=2))
def test_a_value_in_its_own_unit_keeps_its_digits(mappings, value):
    assert str(apply(mappings.units["hba1c", "%"], value)) == str(value)


@given(value=st.decimals(allow_nan=True, allow_infinity=True), unit=st.sampled_from(["%", "mmol/mol", "x", ""]))
def test_any_number_in_any_unit_is_a_plausible_fact_or_an_issue(mapped, value, unit):
    sent = quantity(str(value) if not value.is_finite() else value, unit)
    snapshot = mapped(observation(valueQuantity=sent))
    if snapshot.facts:
        assert 2 <= snapshot.facts[0].value <= 25
        assert snapshot.issues == ()
    else:
        assert len(keys(snapshot)) == 1
