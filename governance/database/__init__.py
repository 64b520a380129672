"""The rows of a workspace, in SQLite or in PostgreSQL: the same SQLAlchemy Core tables, the same revisions.

tables.py      what is kept
vault.py       what is kept in the vault, a database of its own
opening.py     a database with its tables; transactions that write; questions that are asked again and again
server.py      where a database on a server is, without a password
sqlite.py      all that is SQLite's own, and
postgres.py    all that is PostgreSQL's own: settings, turns of writers, what its errors mean, append-only tables
both.py        expressions that the two write in their own words
migrations/    Alembic's revisions, in one line

Parameters of statements are kept out of SQLAlchemy's errors and logs, and so is what PostgreSQL quotes of rows.
"""

from governance.database.both import contains, upsert
from governance.database.migrations import Line
from governance.database.opening import (
    Place,
    Question,
    create_database,
    erase_deleted,
    open_database,
    overwritten,
    writing,
)
from governance.database.server import Server
from governance.database.tables import (
    APPEND_ONLY,
    UNTOLD,
    accessions,
    approvers,
    batches,
    checkpoints,
    contents,
    departures,
    doubts,
    epochs,
    events,
    made_in,
    matches,
    metadata,
    mixes,
    origins,
    outcomes,
    payloads,
    pending,
    persons,
    receipts,
    reidentifications,
    reidentified,
    release_receipts,
    released,
    releases,
    rulings,
    runs,
    said,
    shards,
    studies,
    tombstones,
    touched,
    uids,
)
from governance.database.vault import originals, patient_keys, vault_metadata

__all__ = [
    "APPEND_ONLY",
    "UNTOLD",
    "Line",
    "Place",
    "Question",
    "Server",
    "accessions",
    "approvers",
    "batches",
    "checkpoints",
    "contains",
    "contents",
    "create_database",
    "departures",
    "doubts",
    "epochs",
    "erase_deleted",
    "events",
    "made_in",
    "matches",
    "metadata",
    "mixes",
    "open_database",
    "originals",
    "origins",
    "outcomes",
    "overwritten",
    "patient_keys",
    "payloads",
    "pending",
    "persons",
    "receipts",
    "reidentifications",
    "reidentified",
    "release_receipts",
    "released",
    "releases",
    "rulings",
    "runs",
    "said",
    "shards",
    "studies",
    "tombstones",
    "touched",
    "uids",
    "upsert",
    "vault_metadata",
    "writing",
]
