"""Where a patient's record comes from: an endpoint, or a Bundle file.

In: a patient's id, or an identifier as `system|value`. Out: a `PatientRecord`, whole, with every resource in its
version and nothing of anyone else, or an error. Neither adapter knows a code or a unit; what a record means is
mapping's business. Read `endpoint.py` first, then `queries.py` for what is asked, `patient.py` for whose it is.
"""

from .bundle_file import BundleSource
from .endpoint import EndpointSource

__all__ = ["BundleSource", "EndpointSource"]
