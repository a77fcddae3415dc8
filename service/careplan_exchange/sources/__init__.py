"""Where a patient's record comes from: an endpoint, or a Bundle file.

In: a patient's id, or an identifier as `system|value`. Out: a `PatientRecord`, whole, with every resource in its
version and nothing of anyone else, or an error. Neither adapter knows a code or a unit; what a record means is
mapping's business. Read `endpoint.py` first, then `plans.py` and `queries.py` for what is asked, `patient.py` for
whose it is, `refresh.py` for what is read again; `plan_files.py` reads the query plans in
`mappings/vendors/`.
"""

from .bundle_file import BundleSource
from .endpoint import EndpointSource
from .kinds import NEEDED
from .plan_files import lint_plans, load_plans
from .plans import Plans
from .refresh import read_kept, write_kept
from .refreshing import Reading, RefreshingSource

__all__ = [
    "NEEDED",
    "BundleSource",
    "EndpointSource",
    "Plans",
    "Reading",
    "RefreshingSource",
    "lint_plans",
    "load_plans",
    "read_kept",
    "write_kept",
]
