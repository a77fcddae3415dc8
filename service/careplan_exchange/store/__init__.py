"""Our own memory: plans (bases, intents, pending reviews, exchanges) and the ledger, in a database.

In: a database URL and the values of `model`. Out: `Store`, with `plans` (ports.PlanStore), `ledger`
(ports.Ledger) and `outbox` (ports.Outbox); every failure is one of errors.py, and none repeats SQL, a value or a
password. SQLite is a file that belongs to us and migrates itself; PostgreSQL is migrated by `migrate`, an
explicit act. With `Keys` what is clinical is sealed; `reseal` rotates the key. `MemoryPlanStore`, `MemoryLedger`
and `MemoryOutbox` are adapters of the same rank that end with the process. Read `opening.py`, then `plans.py`.
"""

from .cipher import Keys, key_id, key_of, new_key
from .memory import MemoryLedger, MemoryOutbox, MemoryPlanStore
from .opening import Store, StoreFacts, look, migrate, open_store, reseal
from .rekey import Rekeyed
from .roles import roles_sql

__all__ = [
    "Keys",
    "MemoryLedger",
    "MemoryOutbox",
    "MemoryPlanStore",
    "Rekeyed",
    "Store",
    "StoreFacts",
    "key_id",
    "key_of",
    "look",
    "migrate",
    "new_key",
    "open_store",
    "reseal",
    "roles_sql",
]
