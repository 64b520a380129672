"""Expressions that SQLite and PostgreSQL write in their own words."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, LargeBinary, Table, cast, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Upsert = sqlite.Insert | postgresql.Insert
"""An insert with `on_conflict_do_nothing`."""


def upsert(connection: Connection, table: Table) -> Upsert:
    """An insert into a table that may say what is done with a row that is there already."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def contains(column: ColumnElement[Any], part: bytes) -> ColumnElement[bool]:
    """Whether the bytes of a column hold these."""
    return _Contains(cast(column, LargeBinary), literal(part, LargeBinary))


class _Contains(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True


@compiles(_Contains, "sqlite")
def _instr(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(_Contains, "postgresql")
def _position(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    column, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(position({part} IN {column}) > 0)"
