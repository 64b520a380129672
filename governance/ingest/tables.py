"""Rows of report and label tables: CSV, JSON lines and Parquet, streamed; each report, and each label, is a source.

What is wrong with a row is the outcome of that row; what is wrong with a table is one outcome for all of it.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from governance.datatypes import Outcome, SourceOutcome
from governance.errors import GovernanceError, Refused, Unreadable
from governance.ingest import declaring, disk, records
from governance.ingest.budget import NO_MEMORY, printable
from governance.rows import Declaration, Role, Row, TableKind

Entry = Row | SourceOutcome

DECLARES = "the declaration of a table beside it"
_BATCH = 256
"""Rows of a Parquet file that are objects at one time."""
_IDS = (Role.ACCESSION, Role.STUDY_UID, Role.PATIENT_ID)
_DAMAGED = "a Parquet file that is damaged"


def is_table(path: Path) -> bool:
    """Whether a file is taken for a table: by its name, unless it is DICOM all the same."""
    if declaring.form_of(path.name) is None:
        return False
    head = disk.beginning(path, 132)
    return not isinstance(head, SourceOutcome) and head[128:] != b"DICM"


def is_declaration(path: Path) -> bool:
    """Whether a file is the declaration of a table that lies beside it."""
    if path.name == declaring.SUFFIX:
        return False
    table = path.with_name(path.name.removesuffix(declaring.SUFFIX))
    return table != path and declaring.form_of(table.name) is not None and is_table(table)


def declaration_of(table: Path) -> Path:
    """Where the declaration of a table would lie."""
    return table.with_name(table.name + declaring.SUFFIX)


def rows(path: Path) -> Generator[Entry, None, None]:
    """Every row of a table, in order; what is wrong with the table as a whole comes last."""
    name = printable(str(path))
    count, problem = 0, None
    try:
        with closing(_rows(path, name)) as found:
            for entry in found:
                count += 1
                yield entry
    except Refused as error:
        problem = SourceOutcome(name, Outcome.UNREADABLE, _said(error))
    except MemoryError:
        problem = SourceOutcome(name, Outcome.UNREADABLE, NO_MEMORY)
    if problem is not None:
        yield problem
    elif not count:
        yield SourceOutcome(name, Outcome.FILTERED, "a table without rows")


def _said(error: GovernanceError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _rows(path: Path, name: str) -> Generator[Entry, None, None]:
    file = disk.opened(path)
    if isinstance(file, SourceOutcome):
        yield file
        return
    with file:
        declared = _declared(path)
        match declaring.form_of(path.name):
            case "csv":
                yield from _csv(file, name, declared)
            case "jsonl":
                yield from _jsonl(file, name, declared)
            case _:
                yield from _parquet(file, name, declared)


def _declared(path: Path) -> declaring.Declared:
    beside = declaration_of(path)
    if not beside.is_file():
        return declaring.UNDECLARED
    data = disk.beginning(beside, declaring.LARGEST)
    if isinstance(data, SourceOutcome):
        raise Unreadable("the declaration of this table cannot be read", hint=declaring.SEE)
    return declaring.read(data)


def _csv(file: BinaryIO, name: str, declared: declaring.Declared) -> Iterator[Entry]:
    found = records.records(file, quote=b'"')
    first = next(found, b"")
    if not first:
        if first is None:
            raise Unreadable(records.TOO_LARGE)
        return
    names, separator = records.header(first)
    said = declaring.settle(declared, names)
    for number, record in enumerate(found, 1):
        here = _name(name, number)
        try:
            if record is None:
                raise Refused(records.TOO_LARGE)
            values = records.fields(record, separator, len(names))
        except Refused as error:
            yield _refused(here, error)
        else:
            yield from _entries(here, "csv", said, dict(zip(names, values, strict=True)))


def _jsonl(file: BinaryIO, name: str, declared: declaring.Declared) -> Iterator[Entry]:
    said: Declaration | None = None
    names: frozenset[str] = frozenset()
    for number, record in enumerate(records.records(file), 1):
        here = _name(name, number)
        try:
            if record is None:
                raise Refused(records.TOO_LARGE)
            values = records.mapping(record)
        except Refused as error:
            yield _refused(here, error)
            continue
        if said is None:  # the first object names the columns, beside those that are declared
            of_labels = (label.name for label in declared.said.labels)
            named = dict.fromkeys([*values, *declared.said.columns.values(), *of_labels])
            said, names = declaring.settle(declared, list(named)), frozenset(named)
        if not declared.drops_others and values.keys() - names - said.drop:
            yield _refused(here, Refused("a row with a key that the first row does not have and nobody declared"))
        else:
            yield from _entries(here, "jsonl", said, values)


def _parquet(file: BinaryIO, name: str, declared: declaring.Declared) -> Iterator[Entry]:
    import pyarrow as pa  # fifty megabytes, which a run without such a table does not need
    import pyarrow.parquet as pq

    damaged = False
    try:
        table = pq.ParquetFile(file)
        said = declaring.settle(declared, table.schema_arrow.names)
        _refuse_floats(said, table.schema_arrow)
        wanted = [*said.columns.values(), *(label.name for label in said.labels)]
        number = 0
        for batch in table.iter_batches(batch_size=_BATCH, columns=wanted):
            columns = {each: _values(batch.column(each)) for each in batch.schema.names}
            for index in range(batch.num_rows):
                number += 1
                here = _name(name, number)
                try:
                    values = {each: _text(column[index]) for each, column in columns.items()}
                except Refused as error:
                    yield _refused(here, error)
                else:
                    yield from _entries(here, "parquet", said, values)
    except (pa.ArrowException, OSError, ValueError):
        damaged = True
    if damaged:
        raise Unreadable(_DAMAGED)


def _refuse_floats(said: Declaration, schema: Any) -> None:
    import pyarrow as pa

    for role in _IDS:
        if role in said.columns and pa.types.is_floating(schema.field(said.columns[role]).type):
            raise Unreadable(
                f"its {role} is a number with a fraction: zeros and digits are lost", hint="store it as text"
            )


def _values(column: Any) -> Sequence[object]:
    """The values of a column; texts as bytes, because one that is not in UTF-8 would end the table."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        column = column.cast(pa.binary())
    elif pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    found: Sequence[object] = column.to_pylist()
    return found


def _text(value: object) -> str:
    if not isinstance(value, bytes):
        return records.text(value)
    if len(value) > records.LARGEST_ROW:
        raise Refused(records.TOO_LARGE)
    try:
        return value.decode()
    except UnicodeDecodeError:
        pass
    raise Unreadable(records.NOT_UTF8)


def _name(table: str, number: int) -> str:
    return f"{table}!row {number}"


def _refused(name: str, error: Refused) -> SourceOutcome:
    outcome = Outcome.UNREADABLE if isinstance(error, Unreadable) else Outcome.QUARANTINED
    return SourceOutcome(name, outcome, _said(error))


def _entries(name: str, form: str, said: Declaration, values: Mapping[str, str]) -> Iterator[Entry]:
    """A report, or each label of a row: what is wrong with one label is the outcome of that label alone."""
    roles = {role: values.get(column, "").strip() for role, column in said.columns.items()}
    labels = [(label, values.get(label.name, "").strip()) for label in said.labels]
    if any(_unreadable(value) for value in (*roles.values(), *(value for _, value in labels))):
        yield SourceOutcome(name, Outcome.UNREADABLE, "a row with characters that are none")
        return
    text = roles.pop(Role.TEXT, "")
    filled = {role: value for role, value in roles.items() if value}
    if said.kind is TableKind.REPORTS:
        filtered = SourceOutcome(name, Outcome.FILTERED, "a report without a text")
        yield Row(name, form, said, filled, text) if text else filtered
    elif any(value for _, value in labels):
        for label, value in labels:
            if value:
                yield Row(f"{name}!{label.name}", form, said, filled, value, label)
    else:
        yield SourceOutcome(name, Outcome.FILTERED, "a row without a label")


def _unreadable(value: str) -> bool:
    """NUL, what a decoder put for bytes that it could not read, and halves of characters."""
    return "\0" in value or "\ufffd" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value))
