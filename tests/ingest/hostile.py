"""Archives as an attacker, a full disk or a bad network would make them; all made in memory."""

import io
import struct
import tarfile
import zipfile

ENCRYPTED = 0x1


def zipped(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with a fixed time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], *, mode: str = "w") -> bytes:
    """A tar with a fixed time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def special(kind: bytes, *, target: str = "") -> bytes:
    """A tar with one link, fifo or device between two files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("first", "second", "third"):
            info = tarfile.TarInfo(name)
            if name == "second":
                info.type, info.linkname = kind, target
                archive.addfile(info)
            else:
                info.size = 4
                archive.addfile(info, io.BytesIO(name.encode()[:4]))
    return buffer.getvalue()


def flagged(archive: bytes, *, member: str, flags: int) -> bytes:
    """A zip in which the general purpose flags of one member are set, in both of its headers."""
    data = bytearray(archive)
    for magic, flag_at, name_at in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        start = -1
        while (start := data.find(magic, start + 1)) >= 0:
            if data[start + name_at :].startswith(member.encode()):
                old = struct.unpack_from("<H", data, start + flag_at)[0]
                struct.pack_into("<H", data, start + flag_at, old | flags)
    return bytes(data)


def overlapping(count: int, kernel: bytes) -> bytes:
    """A zip whose directory lists one and the same member `count` times."""
    archive = zipped({"kernel": kernel})
    start = archive.index(b"PK\1\2")
    end = archive.index(b"PK\5\6")
    entry = archive[start:end]
    record = bytearray(archive[end:])
    struct.pack_into("<HHI", record, 8, count, count, len(entry) * count)
    return archive[:start] + entry * count + bytes(record)


def no_memory(*_: object) -> bytes:
    """Stands for any function, at a moment at which no memory is left."""
    raise MemoryError
