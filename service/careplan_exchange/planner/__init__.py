"""Applies clinical protocols to a snapshot: the core of FHIR's `$apply`, with "unknown" as a third answer.

In: a Snapshot (whose `as_of` is today), protocols, and the vocabulary of concepts. Out: a Proposal, each line
with its reasons, evidence and citations. Pure: no clock, no server, no setting.

Read `planning.py` first, then `assembly.py` (lines), `deciding.py` (which actions apply), `bindings.py` (what
`%hba1c` holds), `expressions.py` (true, false, unknown); `loading.py` and `lint.py` are about the files in
`protocols/`, `foreign.py` about plans from elsewhere. docs/apply.md says where this differs from the
specification and from other engines.
"""

from collections.abc import Sequence

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.vocabulary import Vocabulary

from .delegated import actions_of, said_in
from .differences import differences
from .foreign import compile_foreign, plan_resources
from .hazards import hazards
from .lint import lint
from .lint_content import review_content
from .lint_review import review
from .loading import compile_protocols
from .planning import plan
from .policies import Policies
from .policy_files import lint_policies, load_policies
from .protocol import Protocol
from .safety import lint_activities
from .tracing import explain as trace


def load_protocols(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Protocol, ...]:
    """The active protocols of these files, compiled. Raises KnowledgeError with every finding of the linter."""
    findings = lint(documents, vocabulary)
    if findings:
        raise KnowledgeError(findings)
    return compile_protocols(documents)


__all__ = [
    "Policies",
    "Protocol",
    "actions_of",
    "compile_foreign",
    "differences",
    "hazards",
    "lint",
    "lint_activities",
    "lint_policies",
    "load_policies",
    "load_protocols",
    "plan",
    "plan_resources",
    "review",
    "review_content",
    "said_in",
    "trace",
]
