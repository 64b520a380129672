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
_WINDOW = 1 << 18
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
    printable, zero = values - np.uint8(0x20) < 95, values == 0
    digits = (values - np.uint8(0x30) < 10) | (values == 0x2E)
    places = [
        _members(_starts(printable, _TEXT, 1), _TEXT),
        _members(_starts(digits, _NUMBER, 1), _NUMBER),
        # In UTF-16 every other byte of ASCII is NUL, the first or the second.
        _members(_starts(printable[:-1] & zero[1:], _TEXT, 2), 2 * _TEXT),
        _members(_starts(zero[:-1] & printable[1:], _TEXT, 2), 2 * _TEXT),
    ]
    kept = np.unique(np.concatenate(places))
    kept = kept[(kept >= 0) & (kept < len(values))]
    ends = np.flatnonzero(np.diff(kept) > 1) + 1
    return bytes(np.insert(values[kept], ends, _GAP).tobytes())


def _starts(marked: Any, count: int, step: int) -> Any:
    """Where `count` marked bytes begin, each `step` behind the other."""
    length = len(marked) - (count - 1) * step
    if length <= 0:
        return np.empty(0, np.intp)
    every = marked[:length] & marked[step : step + length]
    for number in range(2, count):
        if number == 3 and not every.any():  # as nearly always in UTF-16
            break
        every &= marked[number * step : number * step + length]
    return np.flatnonzero(every)


def _members(starts: Any, length: int) -> Any:
    return (starts[:, None] + np.arange(-_AROUND, length + _AROUND)).ravel()
