"""Bytes of any size in bounded memory: large files are mapped, and what was passed over is let go."""

import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CHUNK = 1 << 20
"""Bytes at a time: small enough for a processor's cache."""
MAPPED = 16 << 20
"""Files of this size and more are mapped, not read."""

Data = bytes | memoryview


def mapped(descriptor: int) -> memoryview:
    """An open file that is not empty as read-only memory; it stays valid after the descriptor is closed.

    A file that another program cuts short meanwhile ends the process that looks behind its end.
    """
    return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))


def load(path: Path) -> Data:
    """A file of ours: read, or mapped where it is large."""
    with path.open("rb") as file:
        return mapped(file.fileno()) if os.fstat(file.fileno()).st_size >= MAPPED else file.read()


def chunks(data: Data, *, size: int = CHUNK) -> Iterator[memoryview]:
    """`data` in pieces of `size` bytes; pages of a mapped file leave memory behind the reader."""
    view = memoryview(data)
    for start in range(0, len(view), size):
        yield view[start : start + size]
        if len(view) >= MAPPED:
            let_go(view)


def let_go(view: memoryview) -> None:
    """Let the pages of a mapped file leave memory; they come back when they are read again."""
    if isinstance(view.obj, mmap.mmap):
        with suppress(OSError, ValueError):
            view.obj.madvise(mmap.MADV_DONTNEED)
