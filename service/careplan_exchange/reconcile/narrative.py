"""What a narrative that is made anew says where a person has changed the plan: that it is not the last word.

Our narrative tells the plan as proposed. Where some of it did not become part of the plan, because a person took
it out, changed it or has still to decide, or where a person has added to it, the text says at its head that the
entries of the plan count. It is not made anew for that sentence alone.
"""

from typing import Any

import msgspec

from careplan_exchange.model.changes import ResourceChange

from .rules import pattern_of
from .values import MISSING, overlay, put

REMARK = (
    "<p><b>Changed by hand.</b> People have changed this plan since it was made. "
    "Where this text and the entries of the plan differ, the entries count.</p>"
)

_TEXT = "CarePlan.text"
_NOT_TOLD = frozenset(
    {_TEXT, "CarePlan.status", "CarePlan.period.start", "CarePlan.period.end", "CarePlan.created"}
)
_TOLD = ("activity", "goal", "addresses")


def narrated(change: ResourceChange) -> ResourceChange:
    """The change of a plan with the remark in its narrative where it belongs, and nowhere else. Raises nothing;
    a narrative that is not made anew, or that a person wrote, is left as it is."""
    text = next((one for one in change.elements if one.path == _TEXT and one.kind == "ours"), None)
    if text is None or not isinstance(text.ours, dict):
        return change
    clean = _without_remark(text.ours)
    if clean == _without_remark(text.before):
        wanted = text.before
    else:
        wanted = _with_remark(clean) if _differs(change) else clean
    if wanted == text.ours:
        return change
    dropped = wanted == text.before
    elements = tuple(
        msgspec.structs.replace(one, ours=wanted) if one is text else one
        for one in change.elements
        if one is not text or not dropped
    )
    theirs = (change.theirs or {}).get("text", MISSING)
    body = put(change.body, ("text",), theirs if dropped else overlay(wanted, theirs))
    if all(one.kind != "ours" for one in elements):
        return msgspec.structs.replace(change, action="unchanged", body=change.theirs, elements=elements)
    ours = {**change.ours, "text": wanted}
    return msgspec.structs.replace(change, ours=ours, body=body, elements=elements)


def _differs(change: ResourceChange) -> bool:
    """Whether the plan holds other than what is proposed, or more."""
    kept = any(one.kind != "ours" and pattern_of(one.path) not in _NOT_TOLD for one in change.elements)
    return kept or any(len(change.body.get(name, ())) > len(change.ours.get(name, ())) for name in _TOLD)


def _with_remark(text: Any) -> Any:
    start, end, rest = str(text.get("div", "")).partition(">")
    return {**text, "div": f"{start}{end}{REMARK}{rest}"} if end else text


def _without_remark(text: Any) -> Any:
    return (
        {**text, "div": str(text["div"]).replace(REMARK, "")}
        if isinstance(text, dict) and "div" in text
        else text
    )
