"""The HTTP service: exchanges, proposals and the ledger over HTTP, with problems (RFC 9457) for every error.

In: `jobs.Exchanges` (what the product can do) and `ApiAuth` (who may ask). Out: a FastAPI application, or a
server that runs it until it is told to stop. Endpoints are asked for by their configured name only, never by URL
or path. An error repeats nothing that a client sent. Read `app.py` first, then `exchanges.py`.

`create_app` builds the application, `check_binding` refuses an open one beyond loopback, `run` binds and serves.
"""

from .app import create_app
from .auth import ApiAuth, check_binding
from .oidc import OidcIssuer
from .server import run

__all__ = ["ApiAuth", "OidcIssuer", "check_binding", "create_app", "run"]
