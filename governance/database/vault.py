"""The rows of the vault: a database of its own, which may lie elsewhere than the workspace's, under another credential.

Pseudonyms and sizes are seen in it; what identifies is sealed, each patient's under a key of their own, which lies
here too, itself sealed under the root key. Where that key is erased, so is all that it sealed.
"""

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

vault_metadata = MetaData()

patient_keys = Table(
    "patient_keys",
    vault_metadata,
    Column("project", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("patient", Text, nullable=False),  # the pseudonym
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("patient", "project", "epoch"),
)

originals = Table(
    "originals",
    vault_metadata,
    Column("project", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pseudonym", Text, nullable=False),
    Column("patient", Text, nullable=False),  # whose key seals it
    Column("mark", Text, nullable=False),  # a digest of `sealed`: a pseudonym may stand for several values
    Column("sealed", LargeBinary, nullable=False),
    # What is asked for first: SQLite takes a key that begins with all of a project for any question about it.
    PrimaryKeyConstraint("pseudonym", "patient", "kind", "project", "epoch", "mark"),
)
Index("originals_of_patient", originals.c.patient, originals.c.project)
