"""What databases of versions 1 to 5 had, which were counted by SQLite's `user_version`: those get what they lack.

Each of these versions only added tables, and an index: 2 `rulings`, 3 what tables of rows need, 4 what these said
before, 5 which are in doubt.
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

revision = "0001"
down_revision = None

ADOPTED = 6
"""A program that counts by `user_version` refuses what has a higher one than its own."""

_first = MetaData()
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""In the order of its bytes, as SQLite has it anyway: the order of rows is part of what is signed. (Not in `tables.py`:
with each parameter, SQLAlchemy would write its collation, which PostgreSQL does not take behind BETWEEN.)"""


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, TEXT, nullable=null)


runs = Table(
    "runs",
    _first,
    Column("number", Integer, primary_key=True),
    Column("run_id", TEXT, nullable=False, unique=True),
    _text("project"),
    _text("policy"),
    _text("policy_digest"),
    _text("started"),
    _text("finished", null=True),
    _text("status"),
    Column("sources", Integer),
    Column("sealed_request", LargeBinary, nullable=False),
)

shards = Table(
    "shards",
    _first,
    Column("run_id", TEXT, ForeignKey("runs.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("done", Boolean, nullable=False),
    PrimaryKeyConstraint("run_id", "number"),
)

outcomes = Table(
    "outcomes",
    _first,
    Column("run_id", TEXT, ForeignKey("runs.run_id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sealed_source", LargeBinary, nullable=False, index=True),
    _text("outcome"),
    _text("reason"),
    _text("output", null=True),
    _text("source_digest", null=True),
    PrimaryKeyConstraint("run_id", "position"),
)

batches = Table(
    "batches",
    _first,
    Column("batch_id", TEXT, primary_key=True),
    Column("run_id", TEXT, ForeignKey("runs.run_id"), nullable=False),
    _text("time"),
    Column("size", Integer, nullable=False),
    _text("root"),
    _text("signature"),
    _text("public_key"),
    Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
)

receipts = Table(
    "receipts",
    _first,
    Column("receipt_id", TEXT, nullable=False, index=True),
    _text("project"),
    Column("patient", TEXT, nullable=False, index=True),
    Column("study", TEXT, nullable=False, index=True),
    Column("series", TEXT, nullable=False, index=True),
    Column("instance", TEXT, nullable=False, index=True),
    Column("path", TEXT, nullable=False, index=True),
    Column("source_digest", TEXT, nullable=False, index=True),
    _text("policy_digest"),
    Column("sha256", TEXT, nullable=False, index=True),
    Column("batch_id", TEXT, ForeignKey("batches.batch_id"), nullable=False),
    Column("batch_index", Integer, nullable=False),
    Column("superseded", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("batch_id", "batch_index"),
)
_current = receipts.c.superseded.is_(False)
Index("receipts_current_path", receipts.c.path, unique=True, sqlite_where=_current, postgresql_where=_current)

pending = Table(
    "pending",
    _first,
    Column("path", TEXT, primary_key=True),
    Column("run_id", TEXT, ForeignKey("runs.run_id"), nullable=False),
)

events = Table(
    "events",
    _first,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    _first,
    Column("size", Integer, primary_key=True, autoincrement=False),
    _text("note"),
    Column("frontier", LargeBinary, nullable=False),
)

releases = Table(
    "releases",
    _first,
    _text("name"),
    Column("version", Integer, nullable=False),
    _text("project"),
    _text("manifest_digest"),
    _text("time"),
    PrimaryKeyConstraint("name", "version"),
)

release_receipts = Table(
    "release_receipts",
    _first,
    Column("name", TEXT, nullable=False),
    Column("version", Integer, nullable=False),
    Column("receipt_id", TEXT, nullable=False, index=True),
    ForeignKeyConstraint(["name", "version"], ["releases.name", "releases.version"]),
    PrimaryKeyConstraint("name", "version", "receipt_id"),
)

rulings = Table(
    "rulings",
    _first,
    Column("number", Integer, primary_key=True),
    Column("ruling_id", TEXT, nullable=False, unique=True),
    Column("source_digest", TEXT, nullable=False, index=True),
    _text("kind"),
    _text("boxes"),
    Column("sealed_reason", LargeBinary, nullable=False),
    _text("actor"),
    _text("account"),
    _text("time"),
)

studies = Table(
    "studies",
    _first,
    _text("project"),
    Column("study", TEXT, nullable=False),
    Column("patient", TEXT, nullable=False, index=True),
    Column("sealed_known", LargeBinary, nullable=False),
    PrimaryKeyConstraint("project", "study", "patient"),
)

accessions = Table(
    "accessions",
    _first,
    _text("project"),
    _text("accession"),
    _text("study"),
    PrimaryKeyConstraint("project", "accession", "study"),
)
Index("accessions_of_study", accessions.c.study, accessions.c.project, accessions.c.accession)

contents = Table(
    "contents",
    _first,
    Column("path", TEXT, primary_key=True),
    _text("made_from"),
    Column("content", LargeBinary, nullable=False),
)

said = Table(
    "said",
    _first,
    Column("path", TEXT, primary_key=True),
    _text("says"),
    _text("said_in"),
    Column("sealed_told", LargeBinary),
)

doubts = Table(
    "doubts",
    _first,
    _text("run_id"),
    _text("path"),
    _text("says"),
    PrimaryKeyConstraint("run_id", "path", "says"),
)


def upgrade() -> None:
    """Make what is missing."""
    connection = op.get_bind()
    _first.create_all(connection)
    for index in _first.tables["accessions"].indexes:  # of a table that may have been there without it
        index.create(connection, checkfirst=True)
    if connection.dialect.name == "sqlite":
        op.execute(f"PRAGMA user_version = {ADOPTED}")
