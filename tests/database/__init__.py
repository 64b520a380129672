"""Rows in SQLite and in PostgreSQL."""
