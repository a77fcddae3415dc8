"""What is recorded: the ledger's hash chain and its export, and the FHIR resources that accompany a write.

In: entries, links, and the changes of one exchange. Out: an export as NDJSON and the verdict on one; Provenance
and AuditEvent bodies (read companions.py first). The arithmetic of the chain is `model/chain.py`, because the
store reckons with it too.
"""

from careplan_exchange.model import chain

from .companions import companions
from .context import CompanionContext
from .export import against_kept, to_audit_ndjson, verify_audit_ndjson
from .notes import Notes
from .receipts import receipt_of

__all__ = [
    "CompanionContext",
    "Notes",
    "against_kept",
    "chain",
    "companions",
    "receipt_of",
    "to_audit_ndjson",
    "verify_audit_ndjson",
]
