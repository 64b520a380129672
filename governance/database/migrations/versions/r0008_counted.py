"""How many rows the vault held of who left, counted before it shreds."""

from alembic import op
from sqlalchemy import Column, Integer

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; of withdrawals that are not at their end, nobody counted."""
    op.add_column("departures", Column("vault_rows", Integer, nullable=True))
