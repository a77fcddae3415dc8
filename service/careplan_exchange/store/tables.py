"""The tables. What is searched for is a column; everything else is one canonical JSON document.

Documents are text, not JSON columns: the digits of a Decimal and the order of keys stay as they were encoded.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

VERSION_TABLE = "careplan_version"

metadata = MetaData()

# SQLite numbers rows by itself only where the key is called INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")


def _place() -> Column[int]:
    """The order in which rows came, which no clock can give."""
    return Column("place", _Number, primary_key=True, autoincrement=True)


bases = Table(
    "careplan_base",
    metadata,
    Column("target", Text, primary_key=True),
    Column("patient", Text, primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("document", Text, nullable=False),
)

intents = Table(
    "careplan_intent",
    metadata,
    _place(),
    Column("id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("id", name="careplan_intent_id"),
    Index("careplan_intent_patient", "target", "patient"),
)

pendings = Table(
    "careplan_pending",
    metadata,
    _place(),
    Column("id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Text),
    UniqueConstraint("id", name="careplan_pending_id"),
    # At most one change waits for a patient; the same index finds it, and lists what waits.
    Index(
        "careplan_pending_waiting",
        "target",
        "patient",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

exchanges = Table(
    "careplan_exchange",
    metadata,
    _place(),
    Column("id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("receipt", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("idempotency_key", Text),
    UniqueConstraint("id", name="careplan_exchange_id"),
    UniqueConstraint("idempotency_key", name="careplan_exchange_key"),
    Index(
        "careplan_exchange_unfinished",
        "place",
        sqlite_where=text("state <> 'done'"),
        postgresql_where=text("state <> 'done'"),
    ),
)

ledger = Table(
    "careplan_ledger",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),
    Column("exchange", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("careplan_ledger_of_exchange", "exchange", "seq"),
)

ledger_head = Table(
    "careplan_ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", _Number, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("id = 1", name="careplan_ledger_head_one"),
)
