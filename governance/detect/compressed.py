"""Text in compressed pixels: what could be read there, so that only that is searched.

Entropy-coded bytes hold any short word by chance. What counts are stretches of six printable
characters in a row, in ASCII or UTF-16, and of five that a number has.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from governance.buffers import Data, chunks

OVERLAP = 512
"""Bytes that neighbouring windows share; no identifier that is looked for is longer."""
_WINDOW = 1 << 16
"""Bytes at a time: so few that memory for the arrays is not asked for, and given back, each time."""
_AROUND = 2
_TEXT, _NUMBER = 6, 5
_GAP = 0xFF
_DENSE = 0.75
"""The share of characters and zeros from which all of a window could be text."""


def readable(parts: Iterable[Data]) -> Iterator[bytes]:
    """Every stretch of `parts` that could be text, with the bytes around it, in order; several at a time."""
    found: list[bytes] = []
    size = 0
    for window in windows(parts):
        found.append(_stretches(window))
        size += len(found[-1])
        if size > _WINDOW:
            yield bytes([_GAP]).join(found)
            found, size = [], 0
    yield bytes([_GAP]).join(found)


def windows(parts: Iterable[Data]) -> Iterator[bytes]:
    """Each part piece by piece, each piece behind the end of the one before it."""
    for part in parts:
        tail = b""
        for piece in chunks(part, size=_WINDOW):
            window = tail + bytes(piece)
            tail = window[-OVERLAP:]
            yield window


def _stretches(window: bytes) -> bytes:
    values = np.frombuffer(window, np.uint8)
    if len(values) < 2 * _TEXT:
        return window
    printable, zero = _is_printable(values), values == 0
    if np.count_nonzero(printable) + np.count_nonzero(zero) > len(values) * _DENSE:
        return window
    marked = np.zeros(len(values) + 2 * _AROUND + 2 * _TEXT, bool)
    for places in (*_single(values, printable), *_wide(zero, printable)):
        marked[places + _AROUND] = True
    kept = np.flatnonzero(marked[_AROUND : _AROUND + len(values)])
    ends = np.flatnonzero(np.diff(kept) > 1) + 1
    return bytes(np.insert(values[kept], ends, _GAP).tobytes())


def _single(values: Any, printable: Any) -> Iterator[Any]:
    """Places of stretches in one byte a character."""
    two = printable[:-1] & printable[1:]
    four = two[:-2] & two[2:]
    starts = np.flatnonzero(four[:-1] & printable[4:])  # of five in a row
    longer = starts[starts + _NUMBER < len(values)]
    yield _members(longer[printable[longer + _NUMBER]], _TEXT)
    starts = starts[_is_digit(values[starts])]
    yield _members(starts[_is_digit(values[starts[:, None] + np.arange(_NUMBER)]).all(axis=1)], _NUMBER)


def _wide(zero: Any, printable: Any) -> Iterator[Any]:
    """Places of stretches in UTF-16, where every other byte of ASCII is NUL, the second or the first."""
    for character in (printable[:-1] & zero[1:], zero[:-1] & printable[1:]):
        two = character[:-2] & character[2:]
        if two.any():
            yield _members(np.flatnonzero(two[:-8] & two[4:-4] & two[8:]), 2 * _TEXT)


def _is_printable(values: Any) -> Any:
    return values - np.uint8(0x20) < 95


def _is_digit(values: Any) -> Any:
    return (values - np.uint8(0x30) < 10) | (values == 0x2E)


def _members(starts: Any, length: int) -> Any:
    return (starts[:, None] + np.arange(-_AROUND, length + _AROUND)).ravel()
