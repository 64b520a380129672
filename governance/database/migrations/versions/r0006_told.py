"""Which event tells of an outcome, and which one of what is superseded."""

from alembic import op
from sqlalchemy import Column, Integer, column, false, table, update

revision = "0006"
down_revision = "0005"

UNTOLD = -1
"""What is superseded already: no event has a digest of it."""

CURRENT = "receipts_current_path"


def upgrade() -> None:
    """The number of an event instead of a flag, which has two values alone."""
    op.add_column("outcomes", Column("event_index", Integer))
    op.add_column("receipts", Column("superseded_by", Integer))
    receipts = table("receipts", column("superseded"), column("superseded_by"))
    op.execute(update(receipts).where(receipts.c.superseded.is_not(false())).values(superseded_by=UNTOLD))
    op.drop_index(CURRENT, "receipts")
    op.drop_column("receipts", "superseded")
    current = column("superseded_by").is_(None)
    op.create_index(CURRENT, "receipts", ["path"], unique=True, sqlite_where=current, postgresql_where=current)
