"""The policy asked about one fact: how many persons it takes."""

from collections.abc import Iterable

from careplan_exchange.model.review import Needs, ReviewPolicy, ReviewRule

from .kinds import NEW_PLAN, Fact, new_line
from .lines import Lines

STRICTNESS: tuple[Needs, ...] = ("auto", "one", "two", "never")
_ALWAYS_ASKED = frozenset({"conflict", "deleted"})


def needed(fact: Fact, policy: ReviewPolicy) -> Needs:
    """The answer of the rule that names most; of several that name as many, the strictest. A rule that names what
    is not known of this change (the protocol of a line that is no longer proposed) counts where it is stricter. A
    conflict, and what somebody deleted, is never decided without a person."""
    met = [(rule, _meets(rule, fact)) for rule in policy.rules]
    sure = [rule for rule, meets in met if meets is True]
    best = max((specificity(rule) for rule in sure), default=0)
    answers = [rule.needs for rule in sure if specificity(rule) == best]
    answers += [] if answers else ["auto" if fact.change == "recheck" else "one"]
    answers += [rule.needs for rule, meets in met if meets is None]
    if fact.change in _ALWAYS_ASKED:
        answers.append("one")
    return strictest(answers)


def needed_anew(lines: Lines, policy: ReviewPolicy) -> Needs:
    """Of a plan that nobody has adopted yet: as strict as its strictest line."""
    facts = {NEW_PLAN, *(new_line(line) for line in lines.by_identity.values())}
    return strictest(needed(fact, policy) for fact in facts)


def never_written(lines: Lines, policy: ReviewPolicy) -> frozenset[str]:
    """The keys of the lines that the policy lets nobody write."""
    return frozenset(key for key, line in lines.by_key.items() if needed(new_line(line), policy) == "never")


def strictest(answers: Iterable[Needs]) -> Needs:
    return max(answers, key=STRICTNESS.index, default="auto")


def specificity(rule: ReviewRule) -> int:
    """How many of its conditions it names."""
    return sum(bool(words) for words in (rule.change, rule.of, rule.protocol, rule.severity, rule.origin))


def _meets(rule: ReviewRule, fact: Fact) -> bool | None:
    """None: it would depend on what is not known."""
    if (
        (rule.change and fact.change not in rule.change)
        or (rule.of and fact.of not in rule.of)
        or (rule.origin and fact.origin not in rule.origin)
    ):
        return False
    unknown = False
    if rule.protocol:
        if fact.protocol is not None and fact.protocol not in rule.protocol:
            return False
        unknown = fact.protocol is None
    if rule.severity:
        if not fact.has_severity or (fact.severity is not None and fact.severity not in rule.severity):
            return False
        unknown = unknown or fact.severity is None
    return None if unknown else True
