"""The folders beside the protocols, from files to policies. What their rules may name stands in other folders."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary

from .circumstances import compile_circumstances, lint_circumstances
from .combine import compile_combining, lint_combining
from .policies import Policies
from .progress import compile_thresholds, lint_thresholds
from .risk import compile_models, lint_models
from .rows import Known
from .safety import compile_gate
from .safety import lint as lint_safety


def names_known(vocabulary: Vocabulary, protocols: Sequence[Document], safety: Sequence[Document]) -> Known:
    """What a rule may name: the ActivityDefinitions of `protocols/`, and the codes of
    `protocols/safety/involves.yaml` (`involves`, each with its `code`). Without that file no code is checked."""
    definitions = [
        document.content.get("url")
        for document in protocols
        if isinstance(document.content, dict) and document.content.get("resourceType") == "ActivityDefinition"
    ]
    involves = [
        row.get("code", row.get("id")) if isinstance(row, dict) else row
        for document in safety
        if isinstance(document.content, dict) and isinstance(document.content.get("involves"), list)
        for row in document.content["involves"]
    ]
    return Known(
        vocabulary=vocabulary,
        definitions=frozenset(str(url) for url in definitions),
        involves=frozenset(str(code) for code in involves),
        keys={
            str(document.content.get("id")): frozenset(_keys(document.content))
            for document in protocols
            if isinstance(document.content, dict) and document.content.get("resourceType") == "PlanDefinition"
        },
    )


def _keys(plan: Any) -> Iterator[str]:
    """Of the plan's actions and goals, as loading makes them; not of plans that it nests."""
    yield from (f"{plan.get('id')}/action/{name}" for name in _ids(plan))
    goals = plan.get("goal")
    for goal in goals if isinstance(goals, list) else ():
        if isinstance(goal, dict):
            yield f"{plan.get('id')}/goal/{str(goal.get('id')).split('.')[0]}"


def _ids(within: Any) -> Iterator[str]:
    """The ids of all actions below."""
    actions = within.get("action") if isinstance(within, dict) else None
    for action in actions if isinstance(actions, list) else ():
        if isinstance(action, dict):
            yield str(action.get("id"))
            yield from _ids(action)


def lint_policies(folders: Mapping[str, Sequence[Document]], vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Everything that is wrong in the folders beside the protocols. `folders` are files by folder."""
    known = names_known(vocabulary, folders["protocols"], folders["protocols/safety"])
    return (
        *lint_combining(folders["protocols/combine"], known),
        *lint_circumstances(folders["protocols/circumstances"], known),
        *lint_safety(folders["protocols/safety"], vocabulary),
        *lint_models(folders["protocols/risk"], vocabulary),
        *lint_thresholds(folders["protocols/progress"], vocabulary),
    )


def load_policies(folders: Mapping[str, Sequence[Document]], vocabulary: Vocabulary) -> Policies:
    """Raises KnowledgeError with every finding of the linter."""
    findings = lint_policies(folders, vocabulary)
    if findings:
        raise KnowledgeError(findings)
    return Policies(
        combining=compile_combining(folders["protocols/combine"]),
        circumstances=compile_circumstances(folders["protocols/circumstances"]),
        safety=compile_gate(folders["protocols/safety"], vocabulary),
        risks=compile_models(folders["protocols/risk"]),
        thresholds=compile_thresholds(folders["protocols/progress"]),
    )
