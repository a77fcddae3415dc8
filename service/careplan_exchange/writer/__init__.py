"""Writing: a Proposal becomes resources, and an approved ChangeSet becomes one transaction.

In: a Proposal and a RenderContext (`render`); later an Intent and its companions (a `PlanWriter`). Out: Rendered
resources for the comparison; WrittenResources, or one error that says whether anything was written. Nothing is
sent that is not valid FHIR, nothing is sent twice, and an answer that was lost is settled by looking. Read
ladder.py for the form that a target takes, render/r4.py for what a plan looks like, fhir.py for how it is
written, settle.py for lost answers, aftermath.py for what is checked and mended afterwards.
"""

from .falling import LadderPlanWriter
from .fhir import FhirPlanWriter
from .ladder import form_of, kept, takes_any
from .memory import MemoryPlanWriter
from .probe import Probed, probe
from .putback import not_put_back
from .render import RenderContext, render

__all__ = [
    "FhirPlanWriter",
    "LadderPlanWriter",
    "MemoryPlanWriter",
    "Probed",
    "RenderContext",
    "form_of",
    "kept",
    "not_put_back",
    "probe",
    "render",
    "takes_any",
]
