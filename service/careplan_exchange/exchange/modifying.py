"""What a person wants otherwise in what waits: put in, and past the safety gate and our lint once more."""

from collections.abc import Mapping
from typing import Any

from careplan_exchange.errors import UnsafeModificationError, UsageError
from careplan_exchange.mapping import map_record
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.review import Pending
from careplan_exchange.planner import hazards
from careplan_exchange.review import activities_in, implausible_targets, stale_descriptions, with_edits
from careplan_exchange.writer.lint import lint

from .steps import Request, Steps


def edits_of(pending: Pending) -> Mapping[str, Any]:
    """Everything that persons want otherwise; of two edits of one element the later."""
    return {path: value for step in pending.steps if step.kind == "modify" for path, value in step.edits.items()}


async def as_modified(
    steps: Steps,
    request: Request,
    pending: Pending,
    changes: ChangeSet,
    *,
    record: PatientRecord,
    proposal: Proposal,
) -> ChangeSet:
    """`changes` (no conflict is open in them) with the edits of the review; each element of them is that person's
    from then on. Raises UnsafeModificationError where the safety gate would hold it back, UsageError where an
    edit names nothing or is not valid FHIR."""
    by = [step.by for step in pending.steps if step.kind == "modify"][-1]
    found = with_edits(changes, edits_of(pending), by)
    knowledge = steps.knowledge
    wanted = activities_in(found, proposal, record)
    snapshot = map_record(record, knowledge.mappings, knowledge.vocabulary, today=request.today)
    dangers = hazards(wanted.activities, wanted.edited, snapshot, knowledge.vocabulary, knowledge.policies)
    if dangers:
        raise UnsafeModificationError(
            " ".join(_said(one) for one in dangers),
            mend="Give another value, leave the line out (--without), or order it in the record system, where "
            "whoever prescribes answers for it.",
        )
    problems = implausible_targets(found, knowledge.vocabulary) + stale_descriptions(found)
    form = await steps.writer.form()
    links = {change.full_url: change.type for change in changes.changes}
    for change in found.change_set.changes:
        if change.identity in found.identities:
            problems += tuple(_invalid(issue) for issue in lint(change.body, form.release, links))
    if problems:
        raise UsageError(
            f"The modification cannot be written: {' '.join(problems)}", mend="Mend the edit, then modify again."
        )
    return found.change_set


def _said(danger: DetectedIssue) -> str:
    sources = "; ".join(citation.label for citation in danger.citations)
    return f"Rule '{danger.rule}': {danger.detail} ({sources or 'no source'})."


def _invalid(issue: Issue) -> str:
    return f"{issue.expression}: {issue.detail}"
