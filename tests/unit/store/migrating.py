"""A later version of the code: the same package with one more revision."""

import shutil

from careplan_exchange.store import schema

LATER = f"{int(schema.REVISIONS[-1]) + 1:04}"
"""The revision that the later code adds to those of today."""

ADDS_A_TABLE = f"""
import sqlalchemy as sa
from alembic import op

revision = "{LATER}"
down_revision = "{schema.REVISIONS[-1]}"


def upgrade():
    op.create_table("careplan_later", sa.Column("id", sa.Integer, primary_key=True))
"""

FAILS_HALF_WAY = f'{ADDS_A_TABLE}    op.execute("DROP TABLE no_such_table")\n'


def later_code(monkeypatch, folder, body: str = ADDS_A_TABLE) -> None:
    scripts = folder / "migrations"
    shutil.copytree(schema.MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / f"r{LATER}_later.py").write_text(body)
    monkeypatch.setattr(schema, "MIGRATIONS", scripts)
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, LATER))
