"""The FHIR REST client: everything that this product says to a server goes through here.

In: a `Connection` (base URL, credentials, limits). Out: a `FhirClient` that reads, searches and writes, or raises
one of errors.py, each with its mend. A search is whole or an error; a write is sent once, and its caller always
knows whether it was carried out, was not, or must be looked up. Resources come as `Resource` with the server's
own bytes. Tokens stay with the endpoint; no error or log repeats a server's free text. Read `client.py` first,
then `search.py` for what makes a search whole, `retry.py` for what is sent again, `breaker.py` and `slots.py` for
what is not sent now, `failures.py` for what is raised, `tokens.py` for how it signs in.
"""

from .breaker import Note as CircuitNote
from .bundle import ID, Bundle, Entry, Header, as_resource, newest, read_bundle, read_header
from .capabilities import Capabilities
from .client import FhirClient, connect
from .connection import BasicAuth, BearerAuth, Connection, NoAuth, SmartAuth, describe
from .heard import listening
from .keys import Algorithm, Key, KeyFile, as_file, jwks, new_key, read_keys
from .retry import Pacing
from .search import Found, Query, literal, refuse_partial
from .token_endpoint import Token
from .writes import Written

__all__ = [
    "ID",
    "Algorithm",
    "BasicAuth",
    "BearerAuth",
    "Bundle",
    "Capabilities",
    "CircuitNote",
    "Connection",
    "Entry",
    "FhirClient",
    "Found",
    "Header",
    "Key",
    "KeyFile",
    "NoAuth",
    "Pacing",
    "Query",
    "SmartAuth",
    "Token",
    "Written",
    "as_file",
    "as_resource",
    "connect",
    "describe",
    "jwks",
    "listening",
    "literal",
    "new_key",
    "newest",
    "read_bundle",
    "read_header",
    "read_keys",
    "refuse_partial",
]
