"""A proposal whose goals have come some way, and with equations that came out, came out in part, and did not."""

from datetime import date
from decimal import Decimal

import msgspec

from careplan_exchange.model.progress import Progress, Reading
from careplan_exchange.model.proposal import Citation, Used
from careplan_exchange.model.risk import RiskAssessment, RiskBand
from careplan_exchange.model.snapshot import Evidence
from tests.support.plans import a_proposal

EQUATION = Citation(label="Equation <of> 2024", url="https://doi.org/10.1000/equation")
BAND = Citation(label="Bands of 2017")
VALUE = Evidence(reference="Observation/o1", version_id="3", date="2026-01-02")


def reading(on, shown, *, met):
    return Reading(on=date.fromisoformat(on), shown=shown, met=met, evidence=(VALUE,))


def a_measured_proposal():
    plain = a_proposal()
    trend = Progress(
        measure="HbA1c <NGSP>",
        readings=(reading("2025-07-01", "8.8 %", met=False), reading("2026-01-02", "8.1 %", met=False)),
        status="improving",
        value=Decimal("8.1"),
        due=date(2026, 4, 2),
    )
    unmeasured = Progress(measure="Weight", readings=(), status=None)
    first = msgspec.structs.replace(plain.goals[0], progress=(trend, unmeasured), achievement="not-achieved")
    return msgspec.structs.replace(
        plain, goals=(first, *plain.goals[1:]), risks=(computed(), at_least(), excluded())
    )


def computed():
    return RiskAssessment(
        id="fib4",
        title="FIB-4 index",
        outcome="advanced fibrosis of the liver",
        state="computed",
        unit="1",
        citation=EQUATION,
        limits="A screening index, not a diagnosis.",
        detail="FIB-4 index: 4.66.",
        value=Decimal("4.66"),
        band=RiskBand(code="high", title="advanced fibrosis likely", citation=BAND),
        used=(Used(variable="ast", value="81 U/L (2026-01-02)", evidence=(VALUE,)),),
        evidence=(VALUE,),
    )


def at_least():
    return RiskAssessment(
        id="chads",
        title="CHA2DS2-VASc score",
        outcome="stroke in a year",
        state="at-least",
        unit="{score}",
        citation=EQUATION,
        limits="Not with a mechanical valve.",
        detail="CHA2DS2-VASc score: at least 2 score; stroke is not known.",
        value=Decimal(2),
        reasons=("missing:stroke",),
    )


def excluded():
    return RiskAssessment(
        id="prevent",
        title="10-year risk (PREVENT)",
        outcome="a heart attack",
        state="excluded",
        unit="%",
        citation=EQUATION,
        limits="An average.",
        detail="10-year risk (PREVENT): not worked out; the equation is not meant for coronary disease.",
        reasons=("excluded:coronary_disease",),
    )
