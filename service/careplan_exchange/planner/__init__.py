"""Applies clinical protocols to a snapshot: the core of FHIR's `$apply`, with "unknown" as a third answer.

In: a Snapshot (whose `as_of` is today), protocols, and the vocabulary of concepts. Out: a Proposal, each line
with its reasons, evidence and citations. Pure: no clock, no server, no setting.

Read `planning.py` first, then `assembly.py` (lines), `deciding.py` (which actions apply), `bindings.py` (what
`%hba1c` holds), `expressions.py` (true, false, unknown); `loading.py` and `lint.py` are about the files in
`protocols/`. docs/apply.md says where this differs from the specification and from other engines.
"""

from collections.abc import Sequence

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.vocabulary import Vocabulary

from .lint import lint
from .lint_review import review
from .loading import compile_protocols
from .planning import plan
from .protocol import Protocol


def load_protocols(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Protocol, ...]:
    """The active protocols of these files, compiled. Raises KnowledgeError with every finding of the linter."""
    findings = lint(documents, vocabulary)
    if findings:
        raise KnowledgeError(findings)
    return compile_protocols(documents)


__all__ = ["Protocol", "lint", "load_protocols", "plan", "review"]
