"""One page a protocol, in Markdown: what it does, for whom, why, what the patient reads, and where it comes from.

The last section holds the source attributes that a decision support intervention must show (ONC, 45 CFR
170.315(b)(11)): developer, funding, dates, the inputs that it uses, demographic ones among them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.proposal import Citation
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import Protocol, elements
from careplan_exchange.planner.differences import target_text
from careplan_exchange.planner.protocol import Action, ActivityTemplate, Condition, GoalTemplate
from careplan_exchange.planner.variables import PATIENT_VARIABLES, concept_of

Placed = tuple[Action, tuple[Condition, ...]]
"""An action with the conditions that it stands under, its own included."""

_DEMOGRAPHIC = {"age": "age (Patient.birthDate)", "sex": "recorded sex (Patient.gender)"}


def page(protocol: Protocol, documents: Sequence[Document], vocabulary: Vocabulary) -> str:
    """`documents` are the protocol's own files, the PlanDefinition first."""
    plan = documents[0].content
    lines = [
        f"# {protocol.ref.title}",
        "",
        f"`{protocol.id}`, version {protocol.ref.version}. {_of(plan, 'purpose')}",
    ]
    lines += ["", f"> **Needs clinical adoption.** {elements.extension(plan, elements.DISCLAIMER) or ''}", ""]
    lines += [f"{_of(plan, 'usage')}", ""]
    everybody = tuple(condition for action in protocol.actions[:1] for condition in action.conditions)
    lines += [
        f"**Applies where** {_when(everybody)}. What follows is for everybody to whom it applies, or says when.",
        "",
    ]
    actions = [(action, conditions[len(everybody) :]) for action, conditions in _all(protocol.actions)]
    sources = _Sources()
    lines += _goals(protocol, actions, sources)
    lines += _activities(actions, sources)
    lines += _avoided(actions, sources)
    lines += _red_flags(actions)
    lines += _texts(protocol, actions)
    lines += sources.listed(protocol.citations)
    lines += _attributes(plan, protocol, actions, vocabulary)
    return "\n".join(lines).rstrip() + "\n"


def _of(plan: Any, name: str) -> str:
    return " ".join(str(plan.get(name, "")).split())


def _all(
    actions: Iterable[Action], above: tuple[Condition, ...] = ()
) -> Iterator[tuple[Action, tuple[Condition, ...]]]:
    """Every action with the conditions that it stands under, its own included."""
    for action in actions:
        conditions = (*above, *action.conditions)
        yield action, conditions
        yield from _all(action.children, conditions)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if not body:
        return []
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body, ""]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _goals(protocol: Protocol, actions: Sequence[Placed], sources: "_Sources") -> list[str]:
    rows = []
    for goal in protocol.goals:
        choosing = [conditions for action, conditions in actions if goal.id in action.goals]
        when = "; or ".join(_when(conditions) for conditions in choosing) or "always"
        targets = "; ".join(_target(goal))
        rows.append((goal.description, targets, when, sources.cited(goal.citations)))
    table = _table(("goal", "target", "when", "source"), rows)
    return ["## Goals", "", *table] if table else []


def _target(goal: GoalTemplate) -> Iterator[str]:
    for template in goal.targets:
        due = f" in {template.due[0]} {template.due[1]}" if template.due else ""
        yield f"{target_text(template)}{due}"


def _when(conditions: Sequence[Condition]) -> str:
    told = [_condition(found) for found in conditions if found.kind == "applicability" and found.safety is None]
    return " and ".join(told) or "always"


def _condition(condition: Condition) -> str:
    text = f"`{' '.join(condition.source.split())}`"
    notes = [] if condition.unknown == "leave-out" else [f"unknown: {condition.unknown}"]
    return f"{text} ({', '.join(notes)})" if notes else text


def _activities(actions: Sequence[Placed], sources: "_Sources") -> list[str]:
    rows = []
    for action, conditions in actions:
        template = action.definition
        if template is None or template.avoid is not None:
            continue
        withheld = [
            f"{found.description or found.source} ({found.safety})"
            for found in conditions
            if found.safety is not None
        ]
        ends = [found.description or found.source for found in action.conditions if found.kind == "stop"]
        rows.append(
            (
                template.kind,
                f"**{action.title}**: {template.description}",
                _when(conditions),
                "; ".join(withheld) or "-",
                "; ".join(ends) or "-",
                _rhythm(action, template),
                str(action.benefit or "-"),
                sources.cited(action.citations or template.citations),
            )
        )
    head = ("kind", "activity", "when", "withheld unless", "stop when", "timing", "benefit", "source")
    table = _table(head, rows)
    return ["## Activities", "", *table] if table else []


def _rhythm(action: Action, template: ActivityTemplate) -> str:
    repeat = ((action.timing or template.timing) or {}).get("repeat") or {}
    if "period" not in repeat:
        return "-"
    times = f"{repeat.get('frequency', 1)} x " if repeat.get("frequency", 1) != 1 else ""
    return f"{times}every {repeat['period']} {repeat.get('periodUnit', '')}"


def _avoided(actions: Sequence[Placed], sources: "_Sources") -> list[str]:
    rows = [
        (
            action.definition.avoid,
            _when(conditions),
            sources.cited(action.citations or action.definition.citations),
        )
        for action, conditions in actions
        if action.definition is not None and action.definition.avoid is not None
    ]
    table = _table(("avoid", "when", "source"), rows)
    return ["## Restrictions", "", *table] if table else []


def _red_flags(actions: Sequence[Placed]) -> list[str]:
    rows = [(action.red_flag, _when(conditions)) for action, conditions in actions if action.red_flag is not None]
    table = _table(("banner", "when"), rows)
    return ["## Red flags: somebody looks today", "", *table] if table else []


def _texts(protocol: Protocol, actions: Sequence[Placed]) -> list[str]:
    rows = [(goal.description, goal.patient_text, goal.patient_texts.get("es", "-")) for goal in protocol.goals]
    rows += [
        (action.title, action.patient_text or action.definition.patient_text, _spanish(action, action.definition))
        for action, _ in actions
        if action.definition is not None
    ]
    table = _table(("line", "English", "Spanish"), dict.fromkeys(rows))
    return ["## What the patient reads", "", *table] if table else []


def _spanish(action: Action, template: ActivityTemplate) -> str:
    texts = action.patient_texts if action.patient_text else template.patient_texts
    return texts.get("es", "-")


class _Sources:
    """The citations of a page by number, in the order in which they are first used."""

    def __init__(self) -> None:
        self._numbers: dict[Citation, int] = {}

    def cited(self, citations: Iterable[Citation]) -> str:
        numbers = [self._numbers.setdefault(one, len(self._numbers) + 1) for one in citations]
        return ", ".join(f"[{number}]" for number in numbers) or "-"

    def listed(self, others: Iterable[Citation]) -> list[str]:
        self.cited(others)
        return ["## Sources", "", *(f"{number}. {_link(one)}" for one, number in self._numbers.items()), ""]


def _link(citation: Citation) -> str:
    name = citation.label if citation.grade is None else f"{citation.label} (grade {citation.grade})"
    return f"[{name}]({citation.url})" if citation.url else name


def _attributes(
    plan: Any,
    protocol: Protocol,
    actions: Sequence[Placed],
    vocabulary: Vocabulary,
) -> list[str]:
    inputs = _inputs(actions)
    concepts = sorted({c.title for name in inputs if (c := concept_of(name, vocabulary)) is not None})
    demographic = [_DEMOGRAPHIC[name] for name in PATIENT_VARIABLES if name in inputs]
    period = plan.get("effectivePeriod") or {}
    rows = (
        ("developer", ", ".join(one.get("name", "") for one in plan.get("author", ()))),
        ("publisher", _of(plan, "publisher")),
        ("reviewed or endorsed by", _names(plan) or "nobody outside the developer"),
        ("funding", _funding(_of(plan, "usage"))),
        ("version and date", f"{protocol.ref.version}, {plan.get('date', '')}"),
        ("approved, last reviewed", f"{plan.get('approvalDate', '-')}, {plan.get('lastReviewDate', '-')}"),
        ("valid", f"{period.get('start', '-')} to {period.get('end', '-')}, the day to review it by"),
        ("meant for", _contexts(plan)),
        ("output", "a proposal of goals and activities; a clinician decides on every line"),
        ("method", "rules in FHIRPath over the patient's record, as written above; no model was trained"),
        ("demographic inputs", ", ".join(demographic) or "none"),
        ("clinical inputs", ", ".join(concepts) or "none"),
        ("race, ethnicity, language, social determinants", _social(inputs)),
        ("what missing data does", "each condition says so above; unknown is never taken for no"),
    )
    return ["## Source attributes", "", *_table(("attribute", "value"), rows)]


def _names(plan: Any) -> str:
    found = [one.get("name", "") for role in ("reviewer", "endorser", "editor") for one in plan.get(role, ())]
    return ", ".join(found)


def _funding(usage: str) -> str:
    told = [sentence for sentence in usage.split(". ") if "fund" in sentence.lower()]
    return told[-1].rstrip(".") + "." if told else "not stated"


def _contexts(plan: Any) -> str:
    told = []
    for context in plan.get("useContext", ()):
        code = (context.get("code") or {}).get("code", "")
        bounds = context.get("valueRange") or {}
        low, high = ((bounds.get(end) or {}).get("value") for end in ("low", "high"))
        ages = f"from {low}" if high is None else f"{low or 0} to {high}"
        text = elements.text(context.get("valueCodeableConcept")) or (f"{ages} years" if bounds else "")
        told.append(f"{code}: {text}")
    return "; ".join(told) or "not stated"


def _inputs(actions: Sequence[Placed]) -> frozenset[str]:
    return frozenset(
        name
        for action, _ in actions
        for condition in action.conditions
        if condition.expression is not None
        for name in condition.expression.variables
    )


def _social(inputs: frozenset[str]) -> str:
    social = sorted(
        name for name in inputs if name.endswith(("_insecurity", "_strain", "_difficulty", "_needed"))
    )
    return "no race or ethnicity" + (f"; {', '.join(social)}" if social else "; no social determinant")
