"""What servers were seen to do that no CapabilityStatement says.

Revision 0003, on 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "careplan_habit",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("habit", sa.Text, primary_key=True),
    )
