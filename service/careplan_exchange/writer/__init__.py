"""Writing: a Proposal becomes resources, and an approved ChangeSet becomes one transaction.

In: a Proposal and a RenderContext (`render`); later an Intent and its companions (a `PlanWriter`). Out: Rendered
resources for the comparison; WrittenResources, or one error that says whether anything was written. Nothing is
sent that is not valid FHIR, nothing is sent twice, and an answer that was lost is settled by looking. Read
render/r4.py for what a plan looks like, fhir.py for how it is written, settle.py for lost answers, confirm.py for
what is checked afterwards.
"""

from .fhir import FhirPlanWriter
from .memory import MemoryPlanWriter
from .render import RenderContext, render

__all__ = ["FhirPlanWriter", "MemoryPlanWriter", "RenderContext", "render"]
