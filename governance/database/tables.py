"""The rows of a workspace as SQLAlchemy Core tables. What they mean is their stage's matter.

No source name, path or original value stands here in clear: the columns that begin with
`sealed` hold what `keys` sealed, digests of sources are keyed. A change of a table needs
a revision in `migrations/versions/`: a test compares the two.
"""

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
    UniqueConstraint,
)

metadata = MetaData()


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _logged() -> Column[int]:
    """The event that a row tells of; nothing where an earlier version wrote the row and the log did not have it."""
    return Column("event_index", Integer)


runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),  # in the order of registration
    Column("run_id", Text, nullable=False, unique=True),
    _text("project"),
    _text("policy"),
    _text("policy_digest"),
    _text("started"),
    _text("finished", null=True),
    _text("status"),
    Column("epoch", Integer, nullable=False, default=1, server_default="1"),  # of the project's keys, all of it
    Column("sources", Integer),
    Column("sealed_request", LargeBinary, nullable=False),
)

shards = Table(
    "shards",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("done", Boolean, nullable=False),
    PrimaryKeyConstraint("run_id", "number"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sealed_source", LargeBinary, nullable=False, index=True),
    _text("outcome"),
    _text("reason"),
    _text("output", null=True),
    Column("source_digest", Text, nullable=True, index=True),
    Column("event_index", Integer),  # of the event that has their digest; none of those that came before such events
    PrimaryKeyConstraint("run_id", "position"),
)

batches = Table(
    "batches",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
    _text("time"),
    Column("size", Integer, nullable=False),
    _text("root"),
    _text("signature"),
    _text("public_key"),
    Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("receipt_id", Text, nullable=False, index=True),
    _text("project"),
    Column("patient", Text, nullable=False, index=True),
    Column("study", Text, nullable=False, index=True),
    Column("series", Text, nullable=False, index=True),
    Column("instance", Text, nullable=False, index=True),
    Column("path", Text, nullable=False, index=True),
    Column("source_digest", Text, nullable=False, index=True),
    _text("policy_digest"),
    Column("sha256", Text, nullable=False, index=True),
    Column("batch_id", Text, ForeignKey("batches.batch_id"), nullable=False),
    Column("batch_index", Integer, nullable=False),
    Column("superseded_by", Integer),  # the event with which it ceased to be current; none: it is current
    Column("body", LargeBinary, nullable=False),
    # Not the receipt's id: a change of policy and back again makes the same receipt twice.
    PrimaryKeyConstraint("batch_id", "batch_index"),
)
_current = receipts.c.superseded_by.is_(None)
Index("receipts_current_path", receipts.c.path, unique=True, sqlite_where=_current, postgresql_where=_current)

pending = Table(
    "pending",
    metadata,
    Column("path", Text, primary_key=True),  # about to be renamed into `curated/`
    Column("run_id", Text, ForeignKey("runs.run_id"), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("idx", Integer, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    _text("note"),
    Column("frontier", LargeBinary, nullable=False),  # hashes of the perfect subtrees, the largest first
)

releases = Table(
    "releases",
    metadata,
    _text("name"),
    Column("version", Integer, nullable=False),
    _text("project"),
    _text("manifest_digest"),
    _text("time"),
    Column("patients", Integer),  # of what it holds, as the next two; unknown of those without their receipts
    Column("studies", Integer),
    Column("series", Integer),
    _logged(),
    PrimaryKeyConstraint("name", "version"),
)

release_receipts = Table(
    "release_receipts",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("receipt_id", Text, nullable=False, index=True),
    ForeignKeyConstraint(["name", "version"], ["releases.name", "releases.version"]),
    PrimaryKeyConstraint("name", "version", "receipt_id"),
)

origins = Table(
    "origins",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),  # what outputs have in common: `provenance.Origin` as JSON
    Column("made", Integer, nullable=False),  # receipts of it
    Column("current", Integer, nullable=False),  # those of them that are not superseded
    _text("first"),  # time of the first batch with one, and of the last
    _text("last"),
)

made_in = Table(
    "made_in",
    metadata,
    Column("origin", Integer, ForeignKey("origins.number"), nullable=False),
    Column("event", Integer, nullable=False),  # of a batch with receipts of the origin
    Column("made", Integer, nullable=False),
    PrimaryKeyConstraint("origin", "event"),
)

touched = Table(
    "touched",
    metadata,
    _text("kind"),  # patient, study or series
    _text("name"),  # its pseudonym
    _text("origins"),  # of all its receipts: numbers, ascending, with commas between
    PrimaryKeyConstraint("kind", "name"),
)

mixes = Table(
    "mixes",
    metadata,
    _text("kind"),
    _text("origins"),
    Column("count", Integer, nullable=False),  # how many of the kind have exactly these
    PrimaryKeyConstraint("kind", "origins"),
)

uids = Table(
    "uids",
    metadata,
    Column("key", BigInteger, nullable=False),  # of a published UID, which only the receipt says
    _text("kind"),  # the column of receipts that leads to it
    _text("name"),
    PrimaryKeyConstraint("key", "kind", "name"),
)

released = Table(
    "released",
    metadata,
    _text("name"),
    Column("version", Integer, nullable=False),
    Column("origin", Integer, ForeignKey("origins.number"), nullable=False),
    Column("outputs", Integer, nullable=False),
    ForeignKeyConstraint(["name", "version"], ["releases.name", "releases.version"]),
    PrimaryKeyConstraint("name", "version", "origin"),
)

rulings = Table(
    "rulings",
    metadata,
    Column("number", Integer, primary_key=True),  # of one source, the last one holds
    Column("ruling_id", Text, nullable=False, unique=True),
    Column("source_digest", Text, nullable=False, index=True),
    _text("kind"),
    _text("boxes"),  # JSON: [left, top, right, bottom, frame from 0 or null], ...
    Column("sealed_reason", LargeBinary, nullable=False),
    _text("actor"),
    _text("account"),  # of the system, whoever the actor says to be
    _text("time"),
    _logged(),
)

studies = Table(
    "studies",
    metadata,
    _text("project"),
    Column("study", Text, nullable=False),
    Column("patient", Text, nullable=False, index=True),
    Column("sealed_known", LargeBinary, nullable=False),  # what identifies, for the rows of tables about the study
    PrimaryKeyConstraint("project", "study", "patient"),
)

accessions = Table(
    "accessions",
    metadata,
    _text("project"),
    _text("accession"),  # its pseudonym: a keyed digest
    _text("study"),
    PrimaryKeyConstraint("project", "accession", "study"),
)
Index("accessions_of_study", accessions.c.study, accessions.c.project, accessions.c.accession)

contents = Table(
    "contents",
    metadata,
    Column("path", Text, primary_key=True),  # of the current receipt of a row of a table
    _text("made_from"),  # a keyed digest of the row and of all that its treatment depends on
    Column("content", LargeBinary, nullable=False),
)

said = Table(
    "said",
    metadata,
    Column("path", Text, primary_key=True),  # of `contents`
    _text("says"),  # a keyed digest of the value
    _text("said_in"),  # the latest run with a row that says so
    Column("sealed_told", LargeBinary),  # what rows told beside it that no image did
)

doubts = Table(
    "doubts",
    metadata,
    _text("run_id"),  # that held back a row, until it withdraws
    _text("path"),  # where the row would be published
    _text("says"),  # what nobody may say there, as in `said`; empty: what nobody else says goes
    PrimaryKeyConstraint("run_id", "path", "says"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("number", Integer, primary_key=True),  # in the order in which they were set
    _text("project"),  # empty: of every project
    Column("digest", Text, nullable=False, index=True),  # keyed, of what a patient who withdrew is known by
    Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
    _text("time"),
)

departures = Table(
    "departures",
    metadata,
    Column("event_index", Integer, ForeignKey("events.idx"), primary_key=True, autoincrement=False),
    _text("project"),
    _text("patient"),  # who withdrew, until nothing of them is left to be removed
    Column("vault_rows", Integer, nullable=True),  # that the vault held, once somebody counted
)

payloads = Table(
    "payloads",
    metadata,
    Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
    _text("field"),  # of the event's details, where a salted digest stands
    Column("sealed", LargeBinary),  # salt and text; nothing once they are redacted
    PrimaryKeyConstraint("event_index", "field"),
)

approvers = Table(
    "approvers",
    metadata,
    Column("number", Integer, primary_key=True),  # in the order of the changes
    _text("change"),
    Column("sealed", LargeBinary, nullable=False),  # what changed, so that nobody without the key adds themselves
    _text("time"),
)

reidentifications = Table(
    "reidentifications",
    metadata,
    Column("request_id", Text, primary_key=True),  # as it was asked
    _text("digest"),
    Column("sealed", LargeBinary, nullable=False),  # the request and its reason
    _text("time"),
)

reidentified = Table(
    "reidentified",
    metadata,
    Column("request_id", Text, primary_key=True),  # whose approvals are used up
    _text("time"),
)

persons = Table(
    "persons",
    metadata,
    _text("project"),
    _text("kind"),  # of the digest: see `pseudonymise.persons`
    _text("digest"),  # keyed
    _text("patient"),  # whom the headers name, and the study: pseudonyms
    _text("study"),
    PrimaryKeyConstraint("project", "kind", "digest", "patient", "study"),
)
Index("persons_of_patient", persons.c.project, persons.c.kind, persons.c.patient, persons.c.digest)

matches = Table(
    "matches",
    metadata,
    Column("number", Integer, primary_key=True),  # decisions hold in this order
    Column("match_id", Text, nullable=False, unique=True),
    _text("project"),
    _text("kind"),
    _text("patient"),  # whose studies get another patient: a pseudonym
    _text("into"),  # that one
    _text("studies"),  # JSON: pseudonyms of those, none for all
    _text("undoes"),  # the id of the decision that is taken back, or empty
    Column("sealed_key", LargeBinary, nullable=False),  # what keys all that is of `into`
    Column("sealed_reason", LargeBinary, nullable=False),
    _text("actor"),
    _text("account"),  # of the system, whoever the actor says to be
    _text("time"),
    _logged(),
)

epochs = Table(
    "epochs",
    metadata,
    Column("number", Integer, primary_key=True),  # in the order in which they began
    _text("project"),
    Column("epoch", Integer, nullable=False),  # of its keys from the event on; the first one has no row
    Column("event_index", Integer, ForeignKey("events.idx"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the same, so that nobody without the key begins another one
    _text("time"),
    UniqueConstraint("project", "epoch"),
)

UNTOLD = -1
"""Instead of an event: superseded before events had a digest of what they supersede."""

APPEND_ONLY = (
    "events",
    "checkpoints",
    "rulings",
    "matches",
    "tombstones",
    "approvers",
    "reidentifications",
    "reidentified",
    "epochs",
)
"""Tables whose rows a trigger keeps as they are: against mistakes. The signatures are against malice."""
