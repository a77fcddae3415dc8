"""Mapping: from a patient's wire resources to the normalised snapshot that protocols are evaluated over.

In: a `PatientRecord`, the `Vocabulary` of `profiles/`, the `Mappings` of `mappings/`, and today's date.
Out: a `Snapshot` of facts in canonical units, each traceable to its resource and version, and an `Issue` for
everything that was not used, with the reason. Pure: no input or output, no clock.

Read `record.py` first, then `observations.py`; `profiles.py` and `loading.py` read the knowledge folders.
"""

from .assuming import assumed
from .coverage import Survey, nothing, report, survey
from .loading import lint, load_mappings
from .profiles import load_vocabulary, read_profiles
from .record import map_record
from .skeleton import skeleton
from .tables import Mappings

__all__ = [
    "Mappings",
    "Survey",
    "assumed",
    "lint",
    "load_mappings",
    "load_vocabulary",
    "map_record",
    "nothing",
    "read_profiles",
    "report",
    "skeleton",
    "survey",
]
