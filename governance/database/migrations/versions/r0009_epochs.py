"""Which epoch of its keys each project has, and each run."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Text, UniqueConstraint

revision = "0009"
down_revision = "0008"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make a table; every run that there is was one of the first epoch."""
    op.create_table(
        "epochs",
        Column("number", Integer, primary_key=True),
        Column("project", TEXT, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("time", TEXT, nullable=False),
        UniqueConstraint("project", "epoch"),
    )
    op.add_column("runs", Column("epoch", Integer, nullable=False, server_default="1"))
