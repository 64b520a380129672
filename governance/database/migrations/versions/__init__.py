"""The revisions. Alembic reads them from here."""
