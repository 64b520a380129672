"""Compressed frames without what their decoder does not read. No sample changes.

Each function takes one frame and notes in `dropped` what it left out; a frame that has no
extras comes back as the same bytes. Payload inside entropy-coded data is out of reach here.
"""

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise
from struct import pack, unpack_from

from governance.errors import Refused
from governance.scrub import icc

Dropped = set[str]


_SOI, _SOC, JP2 = b"\xff\xd8", b"\xff\x4f", b"\0\0\0\x0cjP  "


class MisfitError(Exception):
    """A codestream that is not well formed."""


def tail(frame: bytes, stop: int, dropped: Dropped) -> bool:
    """Whether anything but zeros lies from `stop` on; noted if so."""
    found = bool(frame[stop:].strip(b"\0"))
    if found:
        dropped.add("after end")
    return found


# ------------------------------------------------------------ JPEG and JPEG-LS

_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # ITU-T T.81, B.1.1.5
_NEXT_MARKER_LS = re.compile(rb"\xff+([\x80-\xcf\xd8-\xfe])", re.DOTALL)  # ITU-T T.87, A.1: a 0 bit follows FF


def jpeg(frame: bytes, dropped: Dropped, *, lossless_style: bool) -> bytes:
    """Only the segments that a decoder reads, without trailing bytes (ITU-T T.81, annex B; T.87, annex C)."""
    if not frame.startswith(_SOI):
        raise MisfitError
    following = _NEXT_MARKER_LS if lossless_style else _NEXT_MARKER
    parts, pos, copied, scanned = [], 2, 0, False
    while True:
        start = pos
        while frame[pos : pos + 1] == b"\xff":
            pos += 1
        if pos == start or pos >= len(frame):
            raise MisfitError
        marker = frame[pos]
        pos += 1
        if marker == 0xD9:
            break
        if marker < 0xC0 or 0xD0 <= marker <= 0xD8:
            raise MisfitError
        (length,) = unpack_from(">H", frame, pos)
        stop = pos + length
        if length < 2 or stop > len(frame):
            raise MisfitError
        content = frame[pos + 2 : stop]
        kept = _segment(marker, content, lossless_style=lossless_style)
        if kept != content:
            dropped.add("COM" if marker == 0xFE else f"APP{marker & 15}" if marker >> 4 == 0xE else "reserved segment")
            parts.append(frame[copied:start])
            if kept is not None:
                parts.append(pack(">BBH", 0xFF, marker, len(kept) + 2) + kept)
            copied = stop
        pos = stop
        if marker == 0xDA:
            scanned = True
            found = following.search(frame, pos)
            if found is None:  # without EOI everything up to the end is the scan
                return b"".join([*parts, frame[copied:]])
            pos = found.start()
    if not scanned:
        raise MisfitError
    if tail(frame, pos, dropped):
        return b"".join([*parts, frame[copied:pos]])
    return b"".join([*parts, frame[copied:]]) if parts else frame


def _segment(marker: int, content: bytes, *, lossless_style: bool) -> bytes | None:
    """What stays of a segment's content: of application segments only those that decoding depends on."""
    if marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14:
        return content[:12] + b"\0\0"  # no thumbnail
    if marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12:
        return content[:12]
    if marker == 0xE8 and lossless_style and content.startswith(b"mrfx"):
        return content[:5]  # the colour transform
    if marker == 0xC8 or (marker >= 0xE0 and not (lossless_style and marker in (0xF7, 0xF8))):
        return None
    if len(content) != _needed(marker, content):
        raise MisfitError
    return content


def _needed(marker: int, content: bytes) -> int:
    """How long the content of a segment must be by what it says itself (T.81, B.2; T.87, C.2)."""
    pos = 0
    match marker:
        case 0xC4:  # DHT: for each table 16 counts and as many values as they say
            while pos < len(content):
                pos += 17 + sum(content[pos + 1 : pos + 17])
            return pos
        case 0xDB:  # DQT: for each table 64 values of one byte or two
            while pos < len(content):
                pos += 129 if content[pos] >> 4 else 65
            return pos
        case 0xDA:  # SOS
            return 4 + 2 * content[0]
        case 0xDC:  # DNL
            return 2
        case 0xDD:  # DRI
            return min(max(len(content), 2), 4)
        case 0xF8:  # LSE: parameters or a large size; a palette has no place in DICOM
            return {1: 11, 4: 2 + 2 * content[1]}.get(content[0], -1)
        case 0xCC | 0xDE | 0xDF:  # arithmetic coding and hierarchical images, which are retired
            return -1
        case _:  # SOF
            return 6 + 3 * content[5]


# ------------------------------------------------------------------- JPEG 2000


def jpeg_2000(frame: bytes, dropped: Dropped) -> bytes:
    """Only the marker segments and boxes that decoding needs; a bare codestream or a JP2 file."""
    return _jp2(frame, dropped) if frame.startswith(JP2) else _codestream(frame, dropped)


_CODING = frozenset({0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60, 0xFF61})
"""CAP, SIZ, COD, COC, QCD, QCC, RGN, POC, PPM, PPT (ITU-T T.800, table A.2). The others describe (COM, CRG, PRF,
CPF), repeat lengths that are there already (PLM, PLT), or belong to extensions that these syntaxes do not have."""
_TLM = 0xFF55
_TLM_PARTS = (0xFFFF - 4) // 6
"""Tile-parts that one TLM segment can list."""


def _header(data: bytes, pos: int, until: int, parts: list[bytes], dropped: Dropped) -> int:
    """Append the marker segments from `pos` on that decoding needs to `parts`; returns where marker `until` is."""
    wide = int.from_bytes(data[40:42]) > 256  # components are numbered in two bytes
    while True:
        (marker,) = unpack_from(">H", data, pos)
        if marker == until:
            return pos
        (length,) = unpack_from(">H", data, pos + 2)
        stop = pos + 2 + length
        if not 0xFF40 <= marker <= 0xFF7F or length < 2 or stop > len(data):
            raise MisfitError
        if marker in _CODING or (marker == _TLM and until == 0xFF90):
            if not _fits(marker, data[pos + 4 : stop], wide=wide):
                raise MisfitError
            parts.append(data[pos:stop])
        else:
            dropped.add("COM" if marker == 0xFF64 else "marker segment")
        pos = stop


def _fits(marker: int, content: bytes, *, wide: bool) -> bool:
    """Whether a marker segment is as long as what it says itself (ITU-T T.800, A.5 and A.6)."""
    length = len(content)
    if marker in (0xFF53, 0xFF5D, 0xFF5E):  # COC, QCC, RGN: the component comes first
        content = content[1 + wide :]
    match marker:
        case 0xFF50:  # CAP
            return length == 4 + 2 * int.from_bytes(content[:4]).bit_count()
        case 0xFF51:  # SIZ
            return length == 36 + 3 * int.from_bytes(content[34:36])
        case 0xFF52:  # COD, with precincts or without
            return length == 10 + (content[0] & 1) * (content[5] + 1)
        case 0xFF53:
            return len(content) == 6 + (content[0] & 1) * (content[1] + 1)
        case 0xFF5C | 0xFF5D:  # QCD: a step for each of up to 97 subbands, of one byte or two, or one for all
            size, most = {0: (1, 97), 1: (2, 1), 2: (2, 97)}.get(content[0] & 31, (1, 0))
            return len(content) % size == 1 % size and len(content) <= 1 + size * most
        case 0xFF5E:
            return len(content) == 2
        case 0xFF5F:  # POC
            return length % (9 if wide else 7) == 0
        case _:
            return True


def _codestream(data: bytes, dropped: Dropped) -> bytes:
    """Without what decoding does not need, and trailing bytes (ITU-T T.800, annex A); the same bytes without those."""
    if not data.startswith(_SOC + b"\xff\x51"):
        raise MisfitError
    mine: Dropped = set()
    parts = [_SOC]
    pos = _header(data, 2, 0xFF90, parts, mine)
    tiles: list[tuple[int, int]] = []
    tile_parts: list[tuple[bytes, slice]] = []
    while data[pos : pos + 2] == b"\xff\x90":
        length, tile, size, part, count = unpack_from(">HHIBB", data, pos + 2)
        stop = pos + size if size else data.find(b"\xff\xd9", pos + 12)
        stop = len(data) if stop < 0 else stop
        head: list[bytes] = []
        body = _header(data, pos + 12, 0xFF93, head, mine)
        if length != 10 or not body + 2 <= stop <= len(data):
            raise MisfitError
        removed = body - pos - 12 - sum(map(len, head))
        tiles.append((tile, stop - pos - removed))
        start = pack(">HHHIBB", 0xFF90, 10, tile, size - removed if size else 0, part, count)
        tile_parts.append((start + b"".join(head), slice(body, stop)))
        pos = stop
    _list_tiles(parts, tiles, mine)
    end = pos
    if pos < len(data):
        if data[pos : pos + 2] == b"\xff\xd9":
            end = pos + 2
        elif data[pos:].strip(b"\0"):
            raise MisfitError
    trails = tail(data, end, mine)
    if not mine:
        return data
    dropped |= mine
    view = memoryview(data)
    bodies = [part for head_of_part, body_of_part in tile_parts for part in (head_of_part, view[body_of_part])]
    return b"".join([*parts, *bodies, data[pos:end] if trails else data[pos:]])


def _list_tiles(parts: list[bytes], tiles: Sequence[tuple[int, int]], dropped: Dropped) -> None:
    """Make the optional table of tile-parts, TLM, among the segments of a main header true (ITU-T T.800, A.7.1)."""
    places = [place for place, part in enumerate(parts) if part.startswith(b"\xff\x55")]
    if not places:
        return
    table = b""
    for number, first in enumerate(range(0, len(tiles), _TLM_PARTS)):
        some = tiles[first : first + _TLM_PARTS]
        table += pack(">HHBB", _TLM, 4 + 6 * len(some), number, 0x60)
        table += b"".join(pack(">HI", tile, size) for tile, size in some)
    if b"".join(parts[place] for place in places) != table:
        dropped.add("TLM")
    for place in places:
        parts[place] = b""
    parts[places[0]] = table


_FIXED_BOXES = {b"jP  ": b"\r\n\x87\n", b"ftyp": b"jp2 \0\0\0\0jp2 "}  # ITU-T T.800, I.5


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Type and content of each box (ITU-T T.800, I.4)."""
    found, pos = [], 0
    while data[pos:].strip(b"\0"):
        length, start = int.from_bytes(data[pos : pos + 4]), pos + 8
        if length == 1:
            length, start = int.from_bytes(data[pos + 8 : pos + 16]), pos + 16
        stop = len(data) if length == 0 else pos + length
        if not start <= stop <= len(data):
            raise MisfitError
        found.append((data[pos + 4 : pos + 8], data[start:stop]))
        pos = stop
    return found


def _box(kind: bytes, content: bytes) -> bytes:
    return pack(">I4s", len(content) + 8, kind) + content


def _jp2(data: bytes, dropped: Dropped) -> bytes:
    """Only the boxes that decoding needs; the file as it is if it has no others."""
    mine: Dropped = set()
    parts: list[bytes] = []
    for kind, content in _boxes(data):
        if any(part[4:8] == b"jp2c" for part in parts):
            mine.add("after end")
        elif kind == b"jp2c":
            parts.append(_box(kind, _codestream(content, mine)))
        elif kind == b"jp2h":
            parts.append(_box(kind, b"".join(_jp2_header(content, mine))))
        elif kind in _FIXED_BOXES:
            if content != _FIXED_BOXES[kind]:
                mine.add("box")
            parts.append(_box(kind, _FIXED_BOXES[kind]))
        else:
            mine.add("box")
    if not parts or parts[-1][4:8] != b"jp2c":
        raise MisfitError
    dropped |= mine
    return b"".join(parts) if mine else data


def _jp2_header(content: bytes, dropped: Dropped) -> list[bytes]:
    parts = []
    for kind, value in _boxes(content):
        if kind == b"colr" and value[:1] == b"\2":
            profile = icc.clean(value[3:])
            if profile is None:
                raise MisfitError
            if profile != value[3:]:
                dropped.add("ICC text")
            parts.append(_box(kind, value[:3] + profile))
        elif kind in (b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef") or (kind == b"colr" and value[:1] == b"\1"):
            parts.append(_box(kind, value))
        else:
            dropped.add("box")
    return parts


# ------------------------------------------------------------------------- RLE


def rle(frame: bytes, dropped: Dropped, *, size: int, values: Sequence[bytes]) -> bytes:
    """Only what each segment needs for its `size` bytes, and no unused offsets (PS3.5, annex G).

    values: for each segment the byte values that the stored bits can make.

    Raises:
        Refused: other bits are set.
    """
    count, *offsets = unpack_from("<16I", frame)
    limits = [*offsets[:count], len(frame)]
    if not 1 <= count == len(values) <= 15 or limits[0] < 64 or limits != sorted(limits):
        raise MisfitError
    found = [frame[start:stop] for start, stop in pairwise(limits)]
    needed = [_rle_segment(segment, size, possible) for segment, possible in zip(found, values, strict=True)]
    tails = [segment.removeprefix(kept) for segment, kept in zip(found, needed, strict=True)]
    # Some writers pad with the control byte that does nothing.
    outside = any(part.strip(b"\0\x80") for part in (frame[64 : limits[0]], *tails))
    if not outside and not any(offsets[count:]):
        return frame
    dropped.add("outside segments" if outside else "RLE header")
    parts = [segment + bytes(len(segment) % 2) for segment in needed]
    starts = list(accumulate(map(len, parts[:-1]), initial=64))
    return b"".join([pack("<16I", count, *starts, *[0] * (15 - count)), *parts])


def _rle_segment(data: bytes, size: int, values: bytes) -> bytes:
    """As much of a segment as decodes to `size` bytes; all of it if it is shorter: the decoder judges."""
    pos, left, seen = 0, size, bytearray()
    while left > 0 and pos < len(data):
        control = data[pos]
        if control == 128:
            pos += 1
        elif control > 128:
            seen += data[pos + 1 : pos + 2]
            pos, left = pos + 2, left - (257 - control)
        else:
            if control >= left:  # a literal run past the last byte
                control = left - 1
                data = data[:pos] + bytes([control]) + data[pos + 1 :]
            seen += data[pos + 1 : pos + control + 2]
            pos, left = pos + control + 2, left - (control + 1)
    if seen.translate(None, values):
        raise Refused("bits above BitsStored are set in compressed pixels")
    return data[:pos]
