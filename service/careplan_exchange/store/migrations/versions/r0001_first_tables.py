"""The first tables, and the triggers that keep the ledger append-only.

Revision 0001, on an empty database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_GENESIS = "0" * 64
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_SQLITE_TRIGGERS = (
    """CREATE TRIGGER careplan_ledger_no_update BEFORE UPDATE ON careplan_ledger
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER careplan_ledger_no_delete BEFORE DELETE ON careplan_ledger
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    # INSERT OR REPLACE deletes without firing a delete trigger.
    """CREATE TRIGGER careplan_ledger_at_the_end BEFORE INSERT ON careplan_ledger
       WHEN EXISTS (SELECT 1 FROM careplan_ledger WHERE seq >= NEW.seq)
       BEGIN SELECT RAISE(ABORT, 'the ledger grows at its end only'); END""",
    """CREATE TRIGGER careplan_ledger_head_no_delete BEFORE DELETE ON careplan_ledger_head
       BEGIN SELECT RAISE(ABORT, 'the ledger has a head'); END""",
    """CREATE TRIGGER careplan_ledger_head_forward BEFORE UPDATE ON careplan_ledger_head
       WHEN NEW.seq <= OLD.seq
       BEGIN SELECT RAISE(ABORT, 'the head of the ledger moves forward only'); END""",
)

_POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION careplan_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    """CREATE TRIGGER careplan_ledger_no_change BEFORE UPDATE OR DELETE ON careplan_ledger
       FOR EACH ROW EXECUTE FUNCTION careplan_ledger_refuse()""",
    """CREATE TRIGGER careplan_ledger_no_truncate BEFORE TRUNCATE ON careplan_ledger
       FOR EACH STATEMENT EXECUTE FUNCTION careplan_ledger_refuse()""",
    """CREATE TRIGGER careplan_ledger_head_no_delete BEFORE DELETE ON careplan_ledger_head
       FOR EACH ROW EXECUTE FUNCTION careplan_ledger_refuse()""",
    """CREATE TRIGGER careplan_ledger_head_no_truncate BEFORE TRUNCATE ON careplan_ledger_head
       FOR EACH STATEMENT EXECUTE FUNCTION careplan_ledger_refuse()""",
    """CREATE TRIGGER careplan_ledger_head_forward BEFORE UPDATE ON careplan_ledger_head
       FOR EACH ROW WHEN (NEW.seq <= OLD.seq) EXECUTE FUNCTION careplan_ledger_refuse()""",
)


def upgrade() -> None:
    op.create_table(
        "careplan_base",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("patient", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "careplan_intent",
        sa.Column("place", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="careplan_intent_id"),
    )
    op.create_index("careplan_intent_patient", "careplan_intent", ["target", "patient"])
    op.create_table(
        "careplan_pending",
        sa.Column("place", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", sa.Text),
        sa.UniqueConstraint("id", name="careplan_pending_id"),
    )
    waiting = sa.text("state = 'pending'")
    op.create_index(
        "careplan_pending_waiting",
        "careplan_pending",
        ["target", "patient"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "careplan_exchange",
        sa.Column("place", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.UniqueConstraint("id", name="careplan_exchange_id"),
        sa.UniqueConstraint("idempotency_key", name="careplan_exchange_key"),
    )
    unfinished = sa.text("state <> 'done'")
    op.create_index(
        "careplan_exchange_unfinished",
        "careplan_exchange",
        ["place"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_table(
        "careplan_ledger",
        sa.Column("seq", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("careplan_ledger_of_exchange", "careplan_ledger", ["exchange", "seq"])
    head = op.create_table(
        "careplan_ledger_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", _NUMBER, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.CheckConstraint("id = 1", name="careplan_ledger_head_one"),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": _GENESIS}])
    dialect = op.get_bind().dialect.name
    for statement in _SQLITE_TRIGGERS if dialect == "sqlite" else _POSTGRESQL_TRIGGERS:
        op.execute(statement)
