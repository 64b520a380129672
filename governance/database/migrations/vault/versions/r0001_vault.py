"""The tables of the vault."""

from alembic import op
from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

revision = "vault_0001"
down_revision = None

_first = MetaData()

Table(
    "patient_keys",
    _first,
    Column("project", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("patient", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("patient", "project", "epoch"),
)

originals = Table(
    "originals",
    _first,
    Column("project", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pseudonym", Text, nullable=False),
    Column("patient", Text, nullable=False),
    Column("mark", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("pseudonym", "patient", "kind", "project", "epoch", "mark"),
)
Index("originals_of_patient", originals.c.patient, originals.c.project)


def upgrade() -> None:
    """Make them."""
    _first.create_all(op.get_bind())
