"""Steps of reviews, dead letters, the outbox of AuditEvents, seals of the ledger, leases, and who we are.

Revision 0002, on 0001. An intent that stands is kept as a commit, so that it can be undone.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# One chain a tenant; the one that stands is the default tenant's. SQLite cannot change a key in place.
_SQLITE_LEDGER = (
    "DROP TRIGGER careplan_ledger_no_update",
    "DROP TRIGGER careplan_ledger_no_delete",
    "DROP TRIGGER careplan_ledger_at_the_end",
    "DROP TRIGGER careplan_ledger_head_no_delete",
    "DROP TRIGGER careplan_ledger_head_forward",
    "DROP INDEX careplan_ledger_of_exchange",
    "ALTER TABLE careplan_ledger RENAME TO careplan_ledger_before",
    "ALTER TABLE careplan_ledger_head RENAME TO careplan_ledger_head_before",
    """CREATE TABLE careplan_ledger (seq INTEGER NOT NULL, exchange TEXT NOT NULL, entry TEXT NOT NULL,
       previous TEXT NOT NULL, hash TEXT NOT NULL, tenant TEXT NOT NULL DEFAULT 'default',
       CONSTRAINT careplan_ledger_pkey PRIMARY KEY (tenant, seq))""",
    """CREATE TABLE careplan_ledger_head (seq INTEGER NOT NULL, hash TEXT NOT NULL,
       tenant TEXT NOT NULL DEFAULT 'default', CONSTRAINT careplan_ledger_head_pkey PRIMARY KEY (tenant))""",
    """INSERT INTO careplan_ledger (seq, exchange, entry, previous, hash)
       SELECT seq, exchange, entry, previous, hash FROM careplan_ledger_before ORDER BY seq""",
    "INSERT INTO careplan_ledger_head (seq, hash) SELECT seq, hash FROM careplan_ledger_head_before",
    "DROP TABLE careplan_ledger_before",
    "DROP TABLE careplan_ledger_head_before",
    "CREATE INDEX careplan_ledger_of_exchange ON careplan_ledger (tenant, exchange, seq)",
    """CREATE TRIGGER careplan_ledger_no_update BEFORE UPDATE ON careplan_ledger
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER careplan_ledger_no_delete BEFORE DELETE ON careplan_ledger
       BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    # INSERT OR REPLACE deletes without firing a delete trigger.
    """CREATE TRIGGER careplan_ledger_at_the_end BEFORE INSERT ON careplan_ledger
       WHEN EXISTS (SELECT 1 FROM careplan_ledger WHERE tenant = NEW.tenant AND seq >= NEW.seq)
       BEGIN SELECT RAISE(ABORT, 'the ledger grows at its end only'); END""",
    """CREATE TRIGGER careplan_ledger_head_no_delete BEFORE DELETE ON careplan_ledger_head
       BEGIN SELECT RAISE(ABORT, 'the ledger has a head'); END""",
    """CREATE TRIGGER careplan_ledger_head_forward BEFORE UPDATE ON careplan_ledger_head
       WHEN NEW.seq <= OLD.seq OR NEW.tenant <> OLD.tenant
       BEGIN SELECT RAISE(ABORT, 'the head of the ledger moves forward only'); END""",
    """CREATE TRIGGER careplan_ledger_head_once BEFORE INSERT ON careplan_ledger_head
       WHEN EXISTS (SELECT 1 FROM careplan_ledger_head WHERE tenant = NEW.tenant)
       BEGIN SELECT RAISE(ABORT, 'the ledger has a head'); END""",
    """CREATE TRIGGER careplan_ledger_seal_no_update BEFORE UPDATE ON careplan_ledger_seal
       BEGIN SELECT RAISE(ABORT, 'a seal stands'); END""",
    """CREATE TRIGGER careplan_ledger_seal_no_delete BEFORE DELETE ON careplan_ledger_seal
       BEGIN SELECT RAISE(ABORT, 'a seal stands'); END""",
    """CREATE TRIGGER careplan_ledger_seal_once BEFORE INSERT ON careplan_ledger_seal
       WHEN EXISTS (SELECT 1 FROM careplan_ledger_seal WHERE place = NEW.place)
       BEGIN SELECT RAISE(ABORT, 'a seal stands'); END""",
)

_POSTGRESQL_LEDGER = (
    "ALTER TABLE careplan_ledger ADD COLUMN tenant text NOT NULL DEFAULT 'default'",
    "ALTER TABLE careplan_ledger DROP CONSTRAINT careplan_ledger_pkey",
    "ALTER TABLE careplan_ledger ADD CONSTRAINT careplan_ledger_pkey PRIMARY KEY (tenant, seq)",
    "DROP INDEX careplan_ledger_of_exchange",
    "CREATE INDEX careplan_ledger_of_exchange ON careplan_ledger (tenant, exchange, seq)",
    "ALTER TABLE careplan_ledger_head ADD COLUMN tenant text NOT NULL DEFAULT 'default'",
    "ALTER TABLE careplan_ledger_head DROP CONSTRAINT careplan_ledger_head_one",
    "ALTER TABLE careplan_ledger_head DROP COLUMN id",  # its key goes with it
    "ALTER TABLE careplan_ledger_head ADD CONSTRAINT careplan_ledger_head_pkey PRIMARY KEY (tenant)",
    "DROP TRIGGER careplan_ledger_head_forward ON careplan_ledger_head",
    """CREATE TRIGGER careplan_ledger_head_forward BEFORE UPDATE ON careplan_ledger_head
       FOR EACH ROW WHEN (NEW.seq <= OLD.seq OR NEW.tenant <> OLD.tenant)
       EXECUTE FUNCTION careplan_ledger_refuse()""",
    """CREATE TRIGGER careplan_ledger_seal_no_change BEFORE UPDATE OR DELETE ON careplan_ledger_seal
       FOR EACH ROW EXECUTE FUNCTION careplan_ledger_refuse()""",
    """CREATE TRIGGER careplan_ledger_seal_no_truncate BEFORE TRUNCATE ON careplan_ledger_seal
       FOR EACH STATEMENT EXECUTE FUNCTION careplan_ledger_refuse()""",
)

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _place() -> sa.Column[int]:
    return sa.Column("place", _NUMBER, primary_key=True, autoincrement=True)


def upgrade() -> None:
    op.add_column("careplan_intent", sa.Column("exchange", sa.Text, nullable=False, server_default=sa.text("''")))
    op.add_column("careplan_intent", sa.Column("written", sa.Text))
    op.add_column("careplan_intent", sa.Column("committed_at", sa.Text))
    op.create_index("careplan_intent_exchange", "careplan_intent", ["exchange"])
    op.create_table(
        "careplan_review_step",
        _place(),
        sa.Column("review", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("review", "number", name="careplan_review_step_of"),
    )
    op.create_table(
        "careplan_dead_letter",
        _place(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("patient", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("id", name="careplan_dead_letter_id"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "careplan_dead_letter_waiting",
        "careplan_dead_letter",
        ["target", "patient"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "careplan_outbox",
        _place(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("exchange", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("due_at", sa.Text, nullable=False),
        sa.Column("sent_at", sa.Text),
        sa.UniqueConstraint("id", name="careplan_outbox_id"),
    )
    unsent = sa.text("sent_at IS NULL")
    op.create_index(
        "careplan_outbox_due", "careplan_outbox", ["due_at"], sqlite_where=unsent, postgresql_where=unsent
    )
    op.create_table(
        "careplan_ledger_seal",
        _place(),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("seq", _NUMBER, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("careplan_ledger_seal_of", "careplan_ledger_seal", ["tenant", "kind", "seq"])
    op.create_table(
        "careplan_lease",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("session", sa.Integer, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    installation = op.create_table(
        "careplan_installation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sealed_with", sa.Text),
        sa.CheckConstraint("id = 1", name="careplan_installation_one"),
    )
    op.bulk_insert(installation, [{"id": 1, "name": str(uuid.uuid4()), "sealed_with": None}])
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE_LEDGER if on_sqlite else _POSTGRESQL_LEDGER:
        op.execute(statement)
