"""The tables. What is searched for is a column; everything else is one canonical JSON document.

Documents are text, not JSON columns: the digits of a Decimal and the order of keys stay as they were encoded.
"""

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
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
    Column("exchange", Text, nullable=False, server_default=text("''")),
    # What the server made of it, once it stands: the intent then is a commit.
    Column("written", Text),
    Column("committed_at", Text),
    UniqueConstraint("id", name="careplan_intent_id"),
    Index("careplan_intent_patient", "target", "patient"),
    Index("careplan_intent_exchange", "exchange"),
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

review_steps = Table(
    "careplan_review_step",
    metadata,
    _place(),
    Column("review", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("review", "number", name="careplan_review_step_of"),
)

letters = Table(
    "careplan_dead_letter",
    metadata,
    _place(),
    Column("id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("id", name="careplan_dead_letter_id"),
    # At most one waits for a patient.
    Index(
        "careplan_dead_letter_waiting",
        "target",
        "patient",
        unique=True,
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

outbox = Table(
    "careplan_outbox",
    metadata,
    _place(),
    Column("id", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("due_at", Text, nullable=False),
    Column("sent_at", Text),
    UniqueConstraint("id", name="careplan_outbox_id"),
    Index(
        "careplan_outbox_due",
        "due_at",
        sqlite_where=text("sent_at IS NULL"),
        postgresql_where=text("sent_at IS NULL"),
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
    Column("seq", _Number, nullable=False, autoincrement=False),
    Column("exchange", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("tenant", Text, nullable=False, server_default="default"),
    PrimaryKeyConstraint("tenant", "seq", name="careplan_ledger_pkey"),
    Index("careplan_ledger_of_exchange", "tenant", "exchange", "seq"),
)

ledger_head = Table(
    "careplan_ledger_head",
    metadata,
    Column("seq", _Number, nullable=False),
    Column("hash", Text, nullable=False),
    Column("tenant", Text, nullable=False, server_default="default"),
    PrimaryKeyConstraint("tenant", name="careplan_ledger_head_pkey"),
)

ledger_seals = Table(
    "careplan_ledger_seal",
    metadata,
    _place(),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),  # "head" or "tombstone"
    Column("seq", _Number, nullable=False),
    Column("document", Text, nullable=False),
    Index("careplan_ledger_seal_of", "tenant", "kind", "seq"),
)

habits = Table(
    "careplan_habit",
    metadata,
    # What a server was seen to do, by its base URL.
    Column("target", Text, primary_key=True),
    Column("habit", Text, primary_key=True),
)

leases = Table(
    "careplan_lease",
    metadata,
    # A hash of target and patient.
    Column("key", Text, primary_key=True),
    # Who holds it: another one for each time that it is taken.
    Column("token", Text, nullable=False),
    # The session of the holder, and the moment, by the database's clock, until which it counts (seconds, UNIX).
    Column("session", Integer, nullable=False),
    Column("until", Double, nullable=False),
)

installation = Table(
    "careplan_installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    # The key under which every document is sealed; none where documents may stand in the clear.
    Column("sealed_with", Text),
    CheckConstraint("id = 1", name="careplan_installation_one"),
)


class Sealed(NamedTuple):
    """The columns of a table that hold clinical documents, and those that name a row for good."""

    table: Table
    documents: tuple[str, ...]
    row: tuple[str, ...]


SEALED = (
    Sealed(bases, ("document",), ("target", "patient", "identity")),
    Sealed(intents, ("document", "written"), ("id",)),
    Sealed(pendings, ("document",), ("id",)),
    Sealed(review_steps, ("document",), ("review", "number")),
    Sealed(letters, ("document",), ("id",)),
    Sealed(outbox, ("document",), ("id",)),
    Sealed(exchanges, ("request", "receipt"), ("id",)),
)
"""Everything that is sealed where there is a key. What is searched for stays readable: no name, no value."""
