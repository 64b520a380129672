"""Records of CSV and JSON lines, one at a time and bounded, whatever the file holds.

A record ends at a line end outside of quotes. One that is too large is passed over piece by piece.
"""

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from governance.errors import Refused, Unreadable

LARGEST_ROW = 16 << 20
"""Bytes; a report has some thousand."""
_PIECE = 1 << 16
_SEPARATORS = ",;\t"

csv.field_size_limit(LARGEST_ROW)  # rows are bounded before they come here

TOO_LARGE = "a row larger than the limits allow, or with a quote that is never closed"
NOT_UTF8 = "a row that is not in UTF-8"


def records(file: BinaryIO, *, quote: bytes = b"") -> Iterator[bytes | None]:
    """Records without their line ends, empty ones left out; None for one that is too large.

    quote: inside of it a line does not end; empty where nothing is quoted.
    """
    parts: list[bytes] = []
    size = quotes = 0
    while piece := file.readline(_PIECE):
        size += len(piece)
        quotes += piece.count(quote) if quote else 0
        if size <= LARGEST_ROW:
            parts.append(piece)
        if piece.endswith(b"\n") and not quotes % 2:
            yield from _whole(parts, size)
            parts, size, quotes = [], 0, 0
    if size:
        yield from _whole(parts, size)


def _whole(parts: list[bytes], size: int) -> Iterator[bytes | None]:
    if size > LARGEST_ROW:
        yield None
    elif record := b"".join(parts).rstrip(b"\r\n"):
        yield record


def header(record: bytes) -> tuple[list[str], str]:
    """The names of the columns of a CSV, and what stands between them.

    Raises:
        Unreadable: it is no line of names.
    """
    try:
        text = record.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    separator = max(_SEPARATORS, key=text.count)
    return [name.strip() for name in (_split(text, separator) if text else None) or _no_header()], separator


def _no_header() -> NoReturn:
    raise Unreadable("a table whose first line does not name columns in UTF-8", hint="save it as CSV in UTF-8")


def fields(record: bytes, separator: str, columns: int) -> list[str]:
    """The values of one record of a CSV.

    Raises:
        Unreadable: it has not as many values as there are columns, or is no text.
    """
    try:
        text = record.decode()
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise Unreadable(NOT_UTF8)
    values = _split(text, separator)
    if values is None:
        raise Unreadable("a row whose quotes do not fit")
    if len(values) != columns:
        raise Unreadable("a row with more or fewer values than there are columns")
    return values


def _split(text: str, separator: str) -> list[str] | None:
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None


def mapping(record: bytes) -> dict[str, str]:
    """The values of one JSON line.

    Raises:
        Unreadable: it is no object of texts, numbers and truth values, or has a key twice.
    """
    problem, value = "a row that is no JSON object", None
    try:
        value = json.loads(record.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_refuse)
    except UnicodeDecodeError:
        problem = NOT_UTF8
    except (ValueError, RecursionError):
        pass
    if not isinstance(value, dict):
        raise Unreadable(problem)
    return {name: text(each) for name, each in value.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and infinities are not JSON")


def text(value: object) -> str:
    """A value as it would stand in a CSV.

    Raises:
        Refused: it is none that a table of ours holds.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case float():
            return "" if math.isnan(value) else repr(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise Refused("a value that is neither text, number, date nor truth value")
