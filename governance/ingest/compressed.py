"""Compressed files, front to back: gzip, bzip2 and xz, each of one stream or of several behind each other.

bz2 and lzma pass in silence over what follows the last stream. Here it is left unread:
whoever came to the end of the content finds it in the file.
"""

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable
from typing import IO, Protocol

_CHUNK = 1 << 15
Opener = Callable[[IO[bytes]], IO[bytes]]


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Streams(io.RawIOBase):
    """The content of every stream that begins with `magic`, one after the other."""

    def __init__(self, file: IO[bytes], magic: bytes, new: Callable[[], _Decompressor]) -> None:
        self._file, self._magic, self._new = file, magic, new
        self._stream: _Decompressor | None = new()
        self._packed = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while self._stream is not None:
            if self._stream.eof:
                self._next(self._stream.unused_data)
            elif data := self._decompress(self._stream, len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _decompress(self, stream: _Decompressor, size: int) -> bytes:
        if not stream.needs_input:
            return stream.decompress(b"", size)
        packed, self._packed = self._packed or self._file.read(_CHUNK), b""
        if not packed:
            raise EOFError
        return stream.decompress(packed, size)

    def _next(self, rest: bytes) -> None:
        """Go on with the stream in `rest` and the file behind it, if there is one."""
        # xz pads with zeros between its streams (The .xz File Format, 2.2), tapes pad at the end.
        while len(rest := rest.lstrip(b"\0")) < len(self._magic) and (more := self._file.read(_CHUNK)):
            rest += more
        if rest.startswith(self._magic):
            self._stream, self._packed = self._new(), rest
        else:
            self._stream = None
            self._file.seek(-len(rest), os.SEEK_CUR)


def opener(head: bytes) -> Opener | None:
    """What opens a file that begins with `head`, if it is a compressed one."""
    return next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)


def _gzip(file: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]


def _streams(magic: bytes, new: Callable[[], _Decompressor]) -> Opener:
    return lambda file: io.BufferedReader(_Streams(file, magic, new), _CHUNK)


_BZIP2, _XZ = b"BZh", b"\xfd7zXZ\0"
_OPENERS: dict[bytes, Opener] = {
    b"\x1f\x8b": _gzip,
    _BZIP2: _streams(_BZIP2, bz2.BZ2Decompressor),
    _XZ: _streams(_XZ, lzma.LZMADecompressor),
}
