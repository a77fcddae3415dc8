"""A small strict FHIR server (R4 or R5) for demos, tests and fault drills. Synthetic data only: it binds
loopback.

In: FHIR REST requests. Out: the answers of a server that does what its CapabilityStatement says, refuses what
is not valid, and fails exactly as it is told to. `create_app` gives the application, `run` serves it as
`careplan sandbox` does, `serve_in_background` serves it beside other work and gives its URL and a hand on its
faults; `load_directory` fills it. A `Fault` says what goes wrong, for which requests, how often. Read
`interactions.py` first, then `bundles.py`; `store.py` keeps the versions, `rules.py` judges what is written,
`search.py` reads queries, `pages.py` shows what they found. `faults.py` lists what can go wrong; `striking.py`
does it to requests and answers, `spoiling.py` to pages. `parameter_rows.py`, `invariants.py`, `vendors.py` and
`rules/` are the data.
"""

from pathlib import Path

from .app import create_app
from .faults import Fault, Faults
from .loading import Loaded, load_directory
from .serving import Sandbox, run, serve_in_background

PATIENTS = Path(__file__).parent / "patients"
"""A folder of synthetic patients, one transaction Bundle each, for `load`."""

__all__ = [
    "PATIENTS",
    "Fault",
    "Faults",
    "Loaded",
    "Sandbox",
    "create_app",
    "load_directory",
    "run",
    "serve_in_background",
]
