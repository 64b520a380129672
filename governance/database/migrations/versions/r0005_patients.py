"""Who patients may be, in keyed digests, and what stewards decided on that."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0005"
down_revision = "0004"

TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make two tables and an index."""
    op.create_table(
        "persons",
        *(Column(name, TEXT, nullable=False) for name in ("project", "kind", "digest", "patient", "study")),
        PrimaryKeyConstraint("project", "kind", "digest", "patient", "study"),
    )
    op.create_index("persons_of_patient", "persons", ["project", "kind", "patient", "digest"])
    op.create_table(
        "matches",
        Column("number", Integer, primary_key=True),
        Column("match_id", TEXT, nullable=False, unique=True),
        *(Column(name, TEXT, nullable=False) for name in ("project", "kind", "patient", "into", "studies", "undoes")),
        *(Column(name, LargeBinary, nullable=False) for name in ("sealed_key", "sealed_reason")),
        *(Column(name, TEXT, nullable=False) for name in ("actor", "account", "time")),
    )
