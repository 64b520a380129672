"""Patients who withdrew: how they are known again, what is still to be removed. What events say by a salted digest."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0003"
down_revision = "0002"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make three tables, and an index by which the outcomes of a patient's sources are found."""
    op.create_index("ix_outcomes_source_digest", "outcomes", ["source_digest"])
    op.create_table(
        "tombstones",
        Column("number", Integer, primary_key=True),
        Column("project", TEXT, nullable=False),
        Column("digest", TEXT, nullable=False, index=True),
        Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
        Column("time", TEXT, nullable=False),
    )
    op.create_table(
        "departures",
        Column("event_index", Integer, ForeignKey("events.idx"), primary_key=True, autoincrement=False),
        Column("project", TEXT, nullable=False),
        Column("patient", TEXT, nullable=False),
    )
    op.create_table(
        "payloads",
        Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
        Column("field", TEXT, nullable=False),
        Column("sealed", LargeBinary),
        PrimaryKeyConstraint("event_index", "field"),
    )
