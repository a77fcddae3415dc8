"""Our own memory: plans (bases, intents, pending reviews, exchanges) and the ledger, in a database.

In: a database URL and the values of `model`. Out: `Store`, with `plans` (ports.PlanStore) and `ledger`
(ports.Ledger); every failure is one of errors.py, and none repeats SQL, a value or a password. SQLite is a file
that belongs to us and migrates itself; PostgreSQL is migrated by `migrate`, an explicit act. `MemoryPlanStore`
and `MemoryLedger` are adapters of the same rank that end with the process. Read `opening.py`, then `plans.py`.
"""

from .memory import MemoryLedger, MemoryPlanStore
from .opening import Store, StoreFacts, look, migrate, open_store

__all__ = ["MemoryLedger", "MemoryPlanStore", "Store", "StoreFacts", "look", "migrate", "open_store"]
