"""Who may approve that a pseudonym is opened, how many it takes, what was asked, and what was used up."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text

revision = "0004"
down_revision = "0003"

_new = MetaData()
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

Table(
    "approvers",
    _new,
    Column("number", Integer, primary_key=True),
    Column("change", TEXT, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("time", TEXT, nullable=False),
)

Table(
    "reidentifications",
    _new,
    Column("request_id", TEXT, primary_key=True),
    Column("digest", TEXT, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("time", TEXT, nullable=False),
)

Table(
    "reidentified",
    _new,
    Column("request_id", TEXT, primary_key=True),
    Column("time", TEXT, nullable=False),
)


def upgrade() -> None:
    """Make the tables."""
    _new.create_all(op.get_bind())
