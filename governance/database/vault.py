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
    PrimaryKeyConstraint("project", "epoch", "patient"),
)

originals = Table(
    "originals",
    vault_metadata,
    Column("project", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pseudonym", Text, nullable=False, index=True),
    Column("patient", Text, nullable=False),  # whose key seals it
    Column("mark", Text, nullable=False),  # a digest of `sealed`: a pseudonym may stand for several values
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("project", "epoch", "kind", "pseudonym", "patient", "mark"),
)
Index("originals_of_patient", originals.c.project, originals.c.patient)
