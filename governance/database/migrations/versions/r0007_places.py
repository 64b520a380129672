"""Which event each release, each ruling and each match of patients tells of, so that a trace finds it at once.

Rows that are there get it from the log. One that the log does not know gets none, which `audit verify` and traces find.
"""

import json

from alembic import op
from sqlalchemy import Column, Connection, Integer, text

revision = "0007"
down_revision = "0006"

_KINDS = {
    "release-published": "UPDATE releases SET event_index = :index WHERE name || '@v' || version = :subject",
    "ruling-recorded": "UPDATE rulings SET event_index = :index WHERE ruling_id = :subject",
    "patients-matched": "UPDATE matches SET event_index = :index WHERE match_id = :subject",
}
"""What an event of a kind says of the row that its subject names."""


def upgrade() -> None:
    """Make the columns and fill them."""
    connection = op.get_bind()
    for table in ("releases", "rulings", "matches"):
        op.add_column(table, Column("event_index", Integer))
        _let_change(connection, table)
    query = text("SELECT idx, body FROM events ORDER BY idx").execution_options(yield_per=1000)
    found = [(index, event) for index, body in connection.execute(query) if (event := _told(bytes(body)))]
    for index, (kind, subject) in found:
        connection.execute(text(_KINDS[kind]), {"index": index, "subject": subject})


def _told(body: bytes) -> tuple[str, str] | None:
    """Kind and subject of an event that tells of such a row."""
    if not any(kind.encode() in body for kind in _KINDS):
        return None
    event = json.loads(body)
    return (event["kind"], event["subject"]) if event["kind"] in _KINDS else None


def _let_change(connection: Connection, table: str) -> None:
    """Take the trigger away that keeps rows as they are; behind all revisions it is made again."""
    on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
    op.execute(f"DROP TRIGGER IF EXISTS {table}_no_update{on}")
