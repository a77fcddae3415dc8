"""DiagnosticReport: its coded conclusion, and what of it nobody can read."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact

from .conditions import note_entered_in_error
from .context import Context
from .dates import latest
from .references import held
from .understanding import facts_of, note_not_used, understand
from .wire_care import DiagnosticReport

_DECODER = msgspec.json.Decoder(DiagnosticReport)
_FINAL = {"final", "amended", "corrected", "appended"}
_OPEN = {"registered", "partial", "preliminary", "modified", "cancelled", "unknown"}


def read_report(context: Context, resource: Resource, known: AbstractSet[str]) -> Iterator[Fact]:
    """The conclusion of a final report, as unknown until a Condition says the same: a finding of one report is
    not yet a diagnosis. Its results are Observations and are read as such, so none counts twice. `known` are the
    references of everything in the record."""
    report = context.decode(resource, _DECODER)
    if report is None or not context.is_about_patient(resource, report.subject):
        return
    if report.status == "entered-in-error":
        note_entered_in_error(context, resource)
        return
    if report.status not in _FINAL:
        note_not_used(context, resource, report.status, _OPEN)
        return
    _note_results(context, resource, report, known)
    on, future = context.dated(
        resource, "effective", report.effective_date_time, *latest(report.effective_period)
    )
    if future:
        return
    for concept in report.conclusion_code:
        understood = understand(
            context, resource, concept, ("condition", "status"), "DiagnosticReport.conclusionCode"
        )
        if understood.readings:
            context.note(
                resource,
                "report.conclusion",
                "The coded conclusion of a DiagnosticReport counts as unknown until a Condition says the same.",
                severity="information",
                code="incomplete",
                expression="DiagnosticReport.conclusionCode",
                mend="Enter the diagnosis in the record, if it is one.",
            )
        yield from facts_of(context, resource, understood, on, state="unknown")


def _note_results(
    context: Context, resource: Resource, report: DiagnosticReport, known: AbstractSet[str]
) -> None:
    wanted = [reference.reference or "" for reference in report.result]
    missing = [one for one in wanted if held(one, "Observation", known) is None]
    if missing:
        context.note(
            resource,
            "report.result-missing",
            "A DiagnosticReport refers to results that the record does not hold as Observations of their own.",
            code="not-found",
            expression="DiagnosticReport.result",
            mend="Read the Observations of all categories; look at the report.",
        )
    elif wanted:
        context.note(
            resource,
            "report.results",
            "The results of a DiagnosticReport are read from the Observations that it refers to.",
            severity="information",
            code="informational",
            expression="DiagnosticReport.result",
        )
    if wanted or report.conclusion_code:
        return
    genetic = any(coding.code == "GE" for category in report.category for coding in category.coding)
    if genetic or report.conclusion or report.presented_form:
        context.note(
            resource,
            "report.genetic-text" if genetic else "report.text-only",
            "A genetic report has no coded result: its text alone is no evidence, so nothing of it was used."
            if genetic
            else "A DiagnosticReport has neither result nor coded conclusion: its text is not read.",
            severity="warning" if genetic else "information",
            code="not-supported",
            expression="DiagnosticReport.result",
            mend="Enter what it says as coded results or Conditions.",
        )
    else:
        context.note(
            resource,
            "report.empty",
            "A DiagnosticReport says nothing: it has no result and no conclusion.",
            severity="information",
            code="informational",
            expression="DiagnosticReport.result",
        )
