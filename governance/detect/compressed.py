"""Text in compressed pixels: what could be read there, so that only that is searched.

Entropy-coded bytes hold any short word by chance. What counts are stretches of six printable
characters in a row, in ASCII or UTF-16, and of five that a number has.
"""

from collections.abc import Iterator
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


def readable(data: Data) -> bytes:
    """Every stretch of `data` that could be text, with the bytes around it, in order."""
    return bytes([_GAP]).join(map(_stretches, windows(data)))


def windows(data: Data) -> Iterator[bytes]:
    """`data` piece by piece, each behind the end of the one before it."""
    tail = b""
    for piece in chunks(data, size=_WINDOW):
        window = tail + bytes(piece)
        tail = window[-OVERLAP:]
        yield window


def _stretches(window: bytes) -> bytes:
    values = np.frombuffer(window, np.uint8)
    if len(values) < 2 * _TEXT:
        return window
    marked = np.zeros(len(values) + 2 * _AROUND + 2 * _TEXT, bool)
    for places in (*_single(values), *_wide(values)):
        marked[places + _AROUND] = True
    kept = np.flatnonzero(marked[_AROUND : _AROUND + len(values)])
    ends = np.flatnonzero(np.diff(kept) > 1) + 1
    return bytes(np.insert(values[kept], ends, _GAP).tobytes())


def _single(values: Any) -> Iterator[Any]:
    """Places of stretches in one byte a character."""
    printable = _is_printable(values)
    two = printable[:-1] & printable[1:]
    four = two[:-2] & two[2:]
    starts = np.flatnonzero(four[:-1] & printable[4:])  # of five in a row
    longer = starts[starts + _NUMBER < len(values)]
    yield _members(longer[printable[longer + _NUMBER]], _TEXT)
    starts = starts[_is_digit(values[starts])]
    yield _members(starts[_is_digit(values[starts[:, None] + np.arange(_NUMBER)]).all(axis=1)], _NUMBER)


def _wide(values: Any) -> Iterator[Any]:
    """Places of stretches in UTF-16, where every other byte of ASCII is NUL, the first or the second."""
    zero = values == 0
    several = zero[:-4] & zero[2:-2] & zero[4:]
    if not several.any():
        return
    starts = np.flatnonzero(several)
    for first in (-1, 1):  # of the characters' other bytes, seen from the first NUL
        here = starts[(starts + min(first, 0) >= 0) & (starts + 2 * _TEXT < len(values))]
        steps = 2 * np.arange(_TEXT)
        fits = zero[here[:, None] + steps].all(axis=1) & _is_printable(values[here[:, None] + steps + first]).all(
            axis=1
        )
        yield _members(here[fits] + min(first, 0), 2 * _TEXT)


def _is_printable(values: Any) -> Any:
    return values - np.uint8(0x20) < 95


def _is_digit(values: Any) -> Any:
    return (values - np.uint8(0x30) < 10) | (values == 0x2E)


def _members(starts: Any, length: int) -> Any:
    return (starts[:, None] + np.arange(-_AROUND, length + _AROUND)).ravel()
