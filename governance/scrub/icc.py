"""ICC profiles without what can be read: text, date, identity and unclaimed bytes. Colours stay."""

import struct
from struct import pack, unpack_from


class _MisfitError(Exception):
    """A profile that is not well formed; never leaves this module."""


_NUMERIC = frozenset(
    b"XYZ  curv para mft1 mft2 mAB  mBA  sf32 uf32 chrm view meas sig  cicp ui08 ui16 ui32 ui64".split(b" ")
) | {b"XYZ ", b"mAB ", b"mBA ", b"sig "}
_EPOCH = pack(">6H", 2000, 1, 1, 0, 0, 0)


def clean(value: bytes) -> bytes | None:
    """The profile at the same length and with the same colours, without anything else.

    What is not numbers by its type is overwritten. None if the profile does not parse (ICC.1, 7).
    """
    try:
        return _profile(value)
    except (_MisfitError, IndexError, struct.error):
        return None


def _profile(value: bytes) -> bytes:
    (size,) = unpack_from(">I", value)
    (count,) = unpack_from(">I", value, 128)
    table = 132 + 12 * count
    if value[36:40] != b"acsp" or not table <= size <= len(value):
        raise _MisfitError
    clean_profile = bytearray(len(value))
    clean_profile[:84], clean_profile[128:table] = value[:84], value[128:table]
    clean_profile[24:36] = _EPOCH
    for number in range(count):
        start, length = unpack_from(">II", value, 136 + 12 * number)
        if start < table or length < 8 or start + length > size:
            raise _MisfitError
        clean_profile[start : start + length] = _tag(value[start : start + length])
    return bytes(clean_profile)


def _tag(data: bytes) -> bytes:
    """A tag's data of the same length without anything that can be read."""
    kind, head, length = data[:4], data[:4] + bytes(4), len(data)
    if kind in _NUMERIC:
        return head + data[8:]
    if kind == b"text":
        return head + (b" " * (length - 9) + b"\0" if length > 8 else b"")
    if kind == b"dtim":
        return (head + _EPOCH)[:length].ljust(length, b"\0")
    if kind == b"mluc":
        count, record = unpack_from(">II", data, 8)
        start: int = 16 + 12 * count
        if record != 12 or start > length:
            raise _MisfitError
        return head + data[8:start] + (b"\0 " * (length - start))[: length - start]
    if kind == b"desc":
        (ascii_count,) = unpack_from(">I", data, 8)
        if 12 + ascii_count > length:
            raise _MisfitError
        text: bytes = b" " * (ascii_count - 1) + b"\0" if ascii_count else b""
        # Counts of zero in what follows say that there is no Unicode and no script text.
        return (head + data[8:12] + text).ljust(length, b"\0")
    return head.ljust(length, b"\0")
