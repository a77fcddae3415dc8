"""From what an equation came to, to the line that a person reads."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from careplan_exchange.model.proposal import Citation, Truth, Used
from careplan_exchange.model.risk import RiskAssessment, RiskBand
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.planner import phrases
from careplan_exchange.planner.expressions import Expression, compiled
from careplan_exchange.planner.intervals import Interval

from .computing import Worked
from .models import Band, Compiled, Model


class ShownVariable(Protocol):
    """A variable with its words, as variables.Binding has them."""

    @property
    def variable(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def shown(self) -> str: ...
    @property
    def evidence(self) -> tuple[Evidence, ...]: ...


class Shown(Protocol):
    """The patient's variables, as bindings.Bindings has them."""

    def binding(self, variable: str) -> ShownVariable:
        """One variable with its words."""
        ...

    def truth(self, expression: Expression) -> Truth:
        """True, false or unknown."""
        ...


_SAID = {
    "missing": "{title} is not known",
    "range": "{title} lies outside the range of the equation",
    "excluded": "the equation is not meant for {title}",
}


def rounded(model: Model, value: Decimal) -> Decimal:
    """Half up, as it is shown."""
    return value.quantize(Decimal(1).scaleb(-model.decimals), rounding=ROUND_HALF_UP)


def assessed(of: Compiled, worked: Worked, bindings: Shown) -> RiskAssessment:
    """One line. `bindings` gives titles, shown values and evidence of the variables."""
    model = of.model
    used = tuple(bindings.binding(name) for name in worked.used)
    value = _least(worked.value)
    return RiskAssessment(
        id=model.id,
        title=model.title,
        outcome=model.outcome,
        state=worked.state,
        unit=model.unit,
        citation=of.sources[model.source],
        limits=model.limits,
        detail=_detail(model, worked, bindings),
        value=None if value is None else rounded(model, value),
        band=_band(model.bands, worked.value, of.sources, bindings),
        reasons=worked.reasons,
        used=tuple(Used(variable=one.variable, value=one.shown, evidence=one.evidence) for one in used),
        evidence=tuple(dict.fromkeys(found for one in used for found in one.evidence)),
    )


def _least(value: Decimal | Interval | None) -> Decimal | None:
    return value.low if isinstance(value, Interval) else value


def _detail(model: Model, worked: Worked, bindings: Shown) -> str:
    shown = (
        phrases.quantity(rounded(model, least), model.unit) if (least := _least(worked.value)) is not None else ""
    )
    why = "; ".join(_words(reason, bindings) for reason in worked.reasons)
    match worked.state:
        case "computed":
            return f"{model.title}: {shown}."
        case "at-least":
            return f"{model.title}: at least {shown}; {why}."
        case _:
            return f"{model.title}: not worked out; {why}."


def _words(reason: str, bindings: Shown) -> str:
    kind, _, name = reason.partition(":")
    title = "the result" if name == "result" else phrases.inline(bindings.binding(name).title)
    return _SAID[kind].format(title=title)


def _band(
    bands: Sequence[Band], value: Decimal | Interval | None, sources: Mapping[str, Citation], bindings: Shown
) -> RiskBand | None:
    """The first band that the value reaches for certain, where every value that it may have reaches it."""
    if value is None:
        return None
    ends = [value.low, value.high] if isinstance(value, Interval) else [value]
    found = {_first(bands, end, bindings) for end in ends if end is not None}
    band = found.pop() if len(found) == 1 else None
    if band is None:
        return None
    return RiskBand(code=band.code, title=band.title, citation=sources[band.source])


def _first(bands: Sequence[Band], value: Decimal, bindings: Shown) -> Band | None:
    for band in bands:
        if band.only is not None and bindings.truth(compiled(band.only)) != "true":
            continue
        if band.at_least is not None and value < band.at_least:
            continue
        if band.above is not None and value <= band.above:
            continue
        return band
    return None
