"""The files of protocols/review: each mistake is told at its line, and a policy with one lets nothing through."""

import re

import pytest

from careplan_exchange import config, installed, knowledge
from careplan_exchange.errors import KnowledgeError
from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from careplan_exchange.review import lint_policy, load_policy
from careplan_exchange.review.asking import needed
from careplan_exchange.review.kinds import Fact
from tests.support.policies import HOLD

PROTOCOLS = (knowledge.parse("protocols/t2dm/plan.yaml", b"{resourceType: PlanDefinition, id: t2dm}"),)
NEW = "new-plans: draft\n"
RULE = "rules:\n  - {change: [new], needs: one}\n"


def document(text: str, name: str = "policy.yaml") -> knowledge.Document:
    return knowledge.parse(name, text.encode())


def test_a_policy_becomes_its_rules_in_their_order():
    policy = load_policy([document(HOLD)], PROTOCOLS)
    assert policy.new_plans == "hold"
    assert [rule.needs for rule in policy.rules] == ["auto", "one"]
    assert policy.rules[0] == ReviewRule(change=("recheck",), needs="auto")


def test_the_policy_that_is_installed_says_what_no_policy_would_say():
    installed_policy = installed.load_knowledge(config.Settings()).review
    assert installed_policy.new_plans == ReviewPolicy().new_plans
    assert {(change, rule.needs) for rule in installed_policy.rules for change in rule.change} == {
        ("recheck", "auto"), ("new", "one"), ("changed", "one"), ("retired", "one"), ("status", "one"),
        ("conflict", "one"), ("deleted", "one"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[]", 1, "This file is no mapping."),
        (NEW + "rule: []", 2, "Nothing reads 'rule'."),
        (RULE, 1, "Nothing says what becomes of new plans."),
        ("new-plans: drafts\n" + RULE, 1, "'drafts' is nothing to do with new plans."),
        ("new-plans: true\n" + RULE, 1, "'True' is nothing to do with new plans."),
        (NEW, 1, "The policy has no rule."),
        (NEW + "rules: []", 1, "The policy has no rule."),
        (NEW + "rules: {}", 2, "'rules' is no list."),
        (NEW + "rules:\n  - {change: [new]}", 3, "missing required field `needs`"),
        (NEW + "rules:\n  - {change: [new], needs: 2}", 3, "Expected `str`"),
        (NEW + "rules:\n  - {change: [new], needs: three}", 3, "Invalid enum value 'three'"),
        (NEW + "rules:\n  - {change: [neu], needs: one}", 3, "Invalid enum value 'neu'"),
        (NEW + "rules:\n  - {change: new, needs: one}", 3, "Expected `array`"),
        (NEW + "rules:\n  - {changes: [new], needs: one}", 3, "unknown field `changes`"),
        (NEW + "rules:\n  - {needs: one}", 3, "This rule names no condition."),
        (NEW + "rules:\n  - {of: [goal], needs: auto}", 3, "lets everything through"),
        (
            NEW + "rules:\n  - {change: [new, conflict], needs: auto}",
            3,
            "lets 'conflict' through without a person",
        ),
        (NEW + "rules:\n  - {change: [deleted], needs: auto}", 3, "lets 'deleted' through without a person"),
        (NEW + "rules:\n  - {change: [new], needs: never}", 3, "never lets a plan be written"),
        (NEW + "rules:\n  - {change: [new], of: [goal, plan], needs: never}", 3, "never lets a plan be written"),
        (NEW + "rules:\n  - {of: [activity, finding], needs: never}", 3, "never lets a finding be written"),
        (NEW + "rules:\n  - {protocol: [t2d], needs: two}", 3, "There is no protocol 't2d'."),
        (NEW + "rules:\n  - {change: [new, new], needs: two}", 3, "names one word twice"),
        (NEW + RULE + "  - {change: [new], needs: two}", 4, "the rule at policy.yaml:3 says 'one' of the same"),
        (NEW + RULE + "  - {change: [new], needs: one}", 4, "The same rule stands at policy.yaml:3 already."),
        (
            NEW + "rules:\n  - {change: [new, changed], needs: one}\n  - {change: [changed, new], needs: two}",
            4,
            "says 'one' of the same",
        ),
    ],
)
def test_a_mistake_is_told_at_its_line_and_nothing_is_let_through(text, line, says):
    findings = lint_policy([document(text)], PROTOCOLS)
    assert [(found.file, found.line) for found in findings if says in found.message] == [("policy.yaml", line)]
    assert all(found.mend for found in findings)
    with pytest.raises(KnowledgeError):
        load_policy([document(text)], PROTOCOLS)


def test_a_word_that_is_nearly_right_is_told():
    (finding,) = lint_policy([document(NEW + "rules:\n  - {protocol: [t2d], needs: two}")], PROTOCOLS)
    assert "Did you mean 't2dm'?" in finding.mend


def test_the_examples_of_the_folders_readme_have_no_finding_and_say_what_the_text_says():
    text = (knowledge.root() / "protocols/review/README.md").read_text()
    first, second = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    known = knowledge.documents("protocols")
    assert load_policy([document(first)], known) == installed.load_knowledge(config.Settings()).review
    hospital = load_policy([document(second)], known)

    def asked(change, of, protocol, origin="software"):
        return needed(Fact(change=change, of=of, protocol=protocol, severity="low", origin=origin), hospital)

    assert asked("new", "medication", "t2dm") == "two"
    assert asked("changed", "goal", "prevention") == "auto"
    assert asked("changed", "goal", "prevention", "person") == "one"
    assert asked("new", "medication", "pharmacogenomics") == "never"


def test_no_policy_at_all_is_a_finding():
    (finding,) = lint_policy([], PROTOCOLS)
    assert finding.message == "There is no review policy."


def test_rules_of_two_files_count_together_and_must_not_contradict_each_other():
    site = document("rules:\n  - {change: [new], of: [medication], needs: two}\n", "site.yaml")
    assert len(load_policy([document(NEW + RULE), site], PROTOCOLS).rules) == 2
    twice = document(NEW + "rules:\n  - {change: [new], needs: two}\n", "site.yaml")
    messages = {finding.message for finding in lint_policy([document(NEW + RULE), twice], PROTOCOLS)}
    assert messages == {
        "'new-plans' is said in two files.",
        "This says 'two', and the rule at policy.yaml:3 says 'one' of the same.",
    }
