"""`protocols/review/*.yaml` to the policy, and everything that is wrong with it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from careplan_exchange.planner.rows import Placed, read_rows, strangers
from careplan_exchange.spelling import did_you_mean

from .asking import specificity

_NEW_PLANS = ("draft", "hold")
_EXAMPLE = "See the example in protocols/review/README.md."


class _Read(NamedTuple):
    rows: list[tuple[ReviewRule, Placed]]
    new_plans: list[tuple[Any, Document]]
    findings: list[Finding]


def load_policy(documents: Sequence[Document], protocols: Sequence[Document]) -> ReviewPolicy:
    """The policy of these files. `protocols` are the files of the protocols that its rules may name. Raises
    KnowledgeError with every finding: a policy that cannot be read lets nothing through."""
    findings = lint_policy(documents, protocols)
    if findings:
        raise KnowledgeError(findings)
    read = _read(documents)
    ((new_plans, _),) = read.new_plans
    return ReviewPolicy(new_plans=new_plans, rules=tuple(rule for rule, _ in read.rows))


def lint_policy(documents: Sequence[Document], protocols: Sequence[Document]) -> tuple[Finding, ...]:
    """Every finding, by file and line."""
    read = _read(documents)
    known = frozenset(
        str(document.content.get("id"))
        for document in protocols
        if isinstance(document.content, dict) and document.content.get("resourceType") == "PlanDefinition"
    )
    findings = [*read.findings, *_of_new_plans(read, documents)]
    if documents and not read.rows and not findings:
        findings.append(documents[0].finding("The policy has no rule.", _EXAMPLE))
    for rule, placed in read.rows:
        findings += _of_rule(rule, placed, known)
    findings += _contradictions(read.rows)
    return tuple(sorted(set(findings), key=lambda found: (found.file, found.line, found.message)))


def _read(documents: Sequence[Document]) -> _Read:
    findings = strangers(documents, ("new-plans", "rules"))
    rows = [row for document in documents for row in read_rows(document, "rules", ReviewRule, findings)]
    new_plans = [
        (document.content["new-plans"], document)
        for document in documents
        if isinstance(document.content, dict) and "new-plans" in document.content
    ]
    return _Read(rows, new_plans, findings)


def _of_new_plans(read: _Read, documents: Sequence[Document]) -> Iterator[Finding]:
    if not documents:
        yield Finding(
            file="protocols/review",
            line=1,
            message="There is no review policy.",
            mend="Put policy.yaml there, or remove the folder from the overlay.",
        )
        return
    if not read.new_plans:
        yield documents[0].finding("Nothing says what becomes of new plans.", "Add `new-plans: draft`, or hold.")
    for value, document in read.new_plans:
        if value not in _NEW_PLANS:
            mend = f"Write draft or hold.{did_you_mean(str(value), _NEW_PLANS)}"
            yield document.finding(f"'{value}' is nothing to do with new plans.", mend, "new-plans")
    for _, document in read.new_plans[1:]:
        yield document.finding("'new-plans' is said in two files.", "Remove one of them.", "new-plans")


def _of_rule(rule: ReviewRule, placed: Placed, known: frozenset[str]) -> Iterator[Finding]:
    for index, name in enumerate(rule.protocol):
        if name not in known:
            mend = f"Name the id of a protocol.{did_you_mean(name, known)}"
            yield placed.finding(f"There is no protocol '{name}'.", mend, "protocol", index)
    asked = [kind for kind in rule.change if kind in {"conflict", "deleted"}]
    if rule.needs == "auto" and asked:
        yield placed.finding(
            f"A rule lets '{asked[0]}' through without a person.",
            "A conflict, and what somebody deleted, is always decided by a person: write one, two or never.",
            "needs",
        )
    if rule.needs == "auto" and not rule.change:
        yield placed.finding(
            "A rule without `change` lets everything through.",
            "Name the kinds of change that it is about.",
            "needs",
        )
    if rule.needs == "never" and (not rule.of or "plan" in rule.of):
        yield placed.finding(
            "This never lets a plan be written.", "Name `of`: goal, activity or medication.", "needs"
        )
    if rule.needs == "never" and "finding" in rule.of:
        yield placed.finding(
            "This never lets a finding be written.",
            "A finding warns whoever reads the plan, and is never kept back: write auto, one or two.",
            "needs",
        )
    if specificity(rule) == 0:
        yield placed.finding("This rule names no condition.", "Say what it is about.")
    for name in ("change", "of", "protocol", "severity", "origin"):
        words = getattr(rule, name)
        if len(set(words)) < len(words):
            yield placed.finding(f"`{name}` names one word twice.", "Remove one.", name)


def _contradictions(rows: Sequence[tuple[ReviewRule, Placed]]) -> Iterator[Finding]:
    """Two rules about the very same: one of them does nothing, or they contradict each other."""
    seen: dict[tuple[frozenset[str], ...], tuple[ReviewRule, Placed]] = {}
    for rule, placed in rows:
        about = tuple(map(frozenset, (rule.change, rule.of, rule.protocol, rule.severity, rule.origin)))
        if about not in seen:
            seen[about] = (rule, placed)
            continue
        earlier, where = seen[about]
        place = f"{where.document.path}:{where.document.line(*where.path)}"
        if earlier.needs == rule.needs:
            yield placed.finding(f"The same rule stands at {place} already.", "Remove one of them.")
        else:
            yield placed.finding(
                f"This says '{rule.needs}', and the rule at {place} says '{earlier.needs}' of the same.",
                "Remove one of them, or name more conditions in one.",
            )
