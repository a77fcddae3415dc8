"""One line of several that say the same kind of thing about different diseases: nothing of any is left out."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, Reason, Withheld
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.deciding import merged
from careplan_exchange.planner.matching import protocol_of

from . import joining
from .frequency import times_a_year
from .rules import Same

_SEVERITIES = ("high", "moderate", "low")


def one_of_all(lines: Sequence[ActivityProposal], rule: Same) -> ActivityProposal:
    """The texts of all, the most frequent first, under the title of the rule and the key of the first; as often
    as the most frequent. What comes round is told the patient in its words alone: "every month" and "every year"
    for one visit is no answer to "when?". A language stands where all of them have it: half a text is none."""
    one = lines[0]
    for line in lines[1:]:
        one = joining.activities(one, line, one)
    ordered = sorted(lines, key=lambda line: -(times_a_year(line.timing) or Decimal(0)))
    told = ordered[:1] if ordered[0].timing is not None else ordered
    languages = [name for name in told[0].patient_texts if all(name in line.patient_texts for line in told)]
    return msgspec.structs.replace(
        one,
        title=rule.title,
        description=" ".join(f"{_part(line, rule)}. {line.description}" for line in ordered),
        patient_text=_joined(line.patient_text for line in told),
        patient_texts={name: _joined(line.patient_texts[name] for line in told) for name in languages},
        timing=ordered[0].timing,
        involves=tuple(dict.fromkeys(code for line in lines for code in line.involves)),
        reasons=joining.both(
            one.reasons,
            tuple(
                Reason(
                    text=f"{line.protocol.title} asks for it: '{line.title}'.",
                    rule=f"combine: together {rule.id}",
                    result="true",
                )
                for line in lines
            ),
        ),
    )


def _part(line: ActivityProposal, rule: Same) -> str:
    """Its title, without the words that are the title of the whole."""
    rest = line.title.removeprefix(rule.title).strip(" :.") or line.title
    return f"{rest[:1].upper()}{rest[1:]}"


def withheld_once(whole: Lines) -> None:
    """What several protocols would start and all hold back stands once, under the key of the first, with the
    grounds of all. The same is: title and codes."""
    groups: list[list[Withheld]] = []
    for line in whole.withheld:
        group = next((found for found in groups if _alike(found, line)), None)
        if group is None:
            groups.append([line])
        else:
            group.append(line)
    whole.withheld = [_one_withheld(lines) if len(lines) > 1 else lines[0] for lines in groups]


def _alike(group: Sequence[Withheld], line: Withheld) -> bool:
    """Lines of one protocol are left as it has them; without a code nobody can tell."""
    mine, theirs = (
        {(coding.system or "", coding.code) for coding in each.codings if coding.code}
        for each in (line, group[0])
    )
    others = {protocol_of(other.key) for other in group}
    return line.title == group[0].title and bool(mine) and mine == theirs and protocol_of(line.key) not in others


def _one_withheld(lines: Sequence[Withheld]) -> Withheld:
    """The worst of them speaks."""
    worst = min(lines, key=lambda line: (_SEVERITIES.index(line.severity), not line.certain))
    others = tuple(
        Reason(
            text=f"{line.protocol.title} holds it back too.",
            rule="combine: withheld by several",
            result="unknown" if not line.certain else "false",
        )
        for line in lines
        if line is not worst
    )
    alternatives = tuple(dict.fromkeys(line.alternative for line in lines if line.alternative))
    return msgspec.structs.replace(
        worst,
        key=lines[0].key,
        certain=any(line.certain for line in lines),
        reasons=joining.both(tuple(dict.fromkeys(why for line in lines for why in line.reasons)), others),
        citations=tuple(dict.fromkeys(citation for line in lines for citation in line.citations)),
        missing=merged(gap for line in lines for gap in line.missing),
        alternative=" ".join(alternatives) or None,
    )


def _joined(texts: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(texts))
