"""What is recorded: the ledger's hash chain and its export, and the FHIR resources that accompany a write.

In: entries, links, the changes of one exchange, and what was asked of servers. Out: an export as NDJSON and the
verdict on one; Provenance and AuditEvent bodies that go with a write (read companions.py first), and AuditEvents
that are kept and told later (trail.py, then events.py). The arithmetic of the chain is `model/chain.py`, because
the store reckons with it too.
"""

from careplan_exchange.model import chain

from .companions import companions
from .context import CompanionContext
from .events import EVENT_SYSTEM, events_of, kept_events
from .export import to_audit_ndjson, verify_audit_ndjson
from .ledger_events import to_audit_events
from .notes import Notes
from .receipts import naming, receipt_of
from .retention import Removal, cutoff, removable, remove
from .sealing import SealingLedger, sign_head
from .signing import Keyring, PublicKey, SigningKey
from .trail import About, Trail, following
from .undone import companions_of_undo
from .verification import judge, verify_ledger

__all__ = [
    "EVENT_SYSTEM",
    "About",
    "CompanionContext",
    "Keyring",
    "Notes",
    "PublicKey",
    "Removal",
    "SealingLedger",
    "SigningKey",
    "Trail",
    "chain",
    "companions",
    "companions_of_undo",
    "cutoff",
    "events_of",
    "following",
    "judge",
    "kept_events",
    "naming",
    "receipt_of",
    "removable",
    "remove",
    "sign_head",
    "to_audit_events",
    "to_audit_ndjson",
    "verify_audit_ndjson",
    "verify_ledger",
]
