"""A new PDF with nothing in it but words at their places and pictures behind them.

PDF 1.4 (ISO 32000-1) in the plainest form: Helvetica, which every reader has, no compression of text, so that what
is written can be searched as it lies there; no metadata, no date, no identifier of the file.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from governance.datatypes import Confidential
from governance.scrub.documents import Picture

# Advance widths of Helvetica from the space to the tilde, in thousandths of its size (Adobe's metrics).
_WIDTHS = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
]  # fmt: skip
_NARROWEST, _WIDEST = 30, 160
"""Per cent: letters are squeezed or stretched so that a word takes the place that it had."""


@dataclass(frozen=True, slots=True, repr=False)
class Written(Confidential):
    """A word at its place: as in `layout.Word`."""

    text: str
    along: float
    across: float
    width: float
    size: float
    quarter: int


@dataclass(frozen=True, slots=True, repr=False)
class Sheet(Confidential):
    """One page to write. picture: behind the words, as `image` makes it; none if empty."""

    width: float
    height: float
    rotation: int
    words: Sequence[Written]
    picture: bytes = b""


def pdf(sheets: Sequence[Sheet]) -> bytes:
    """The document; the same for the same sheets."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", _FONT]
    pages = []
    for sheet in sheets:
        image = 0
        if sheet.picture:
            objects.append(sheet.picture)
            image = len(objects)
        objects.append(_stream(b"", _content(sheet, image)))
        pictures = f"/XObject << /I {image} 0 R >> " if image else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_number(sheet.width)} {_number(sheet.height)}] "
            f"/Rotate {sheet.rotation} /Contents {len(objects)} 0 R "
            f"/Resources << /Font << /F 3 0 R >> {pictures}>> >>".encode()
        )
        pages.append(len(objects))
    kids = " ".join(f"{page} 0 R" for page in pages)
    objects[1] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()
    return _file(objects)


_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def _file(objects: Iterable[bytes]) -> bytes:
    parts, places, place = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"], [], 15
    for number, content in enumerate(objects, 1):
        places.append(place)
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, content))
        place += len(parts[-1])
    table = b"".join(b"%010d 00000 n \n" % each for each in places)
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(places) + 1, table))
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, place))
    return b"".join(parts)


def _stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %b/Length %d >>\nstream\n%b\nendstream" % (entries, len(content), content)


def image(picture: Picture, rotation: int) -> bytes:
    """A picture, turned as it is shown, as an object of a page that is turned by `rotation` degrees."""
    lying = np.rot90(picture, rotation // 90)  # before the page is turned
    grey = bool((lying[:, :, 0] == lying[:, :, 1]).all() and (lying[:, :, 0] == lying[:, :, 2]).all())
    samples = np.ascontiguousarray(lying[:, :, 0] if grey else lying).tobytes()
    entries = (
        f"/Type /XObject /Subtype /Image /Width {lying.shape[1]} /Height {lying.shape[0]} /BitsPerComponent 8 "
        f"/ColorSpace /{'DeviceGray' if grey else 'DeviceRGB'} /Filter /FlateDecode "
    )
    return _stream(entries.encode(), zlib.compress(samples, 6))


def _content(sheet: Sheet, image: int) -> bytes:
    parts = []
    if image:
        parts.append(f"q {_number(sheet.width)} 0 0 {_number(sheet.height)} 0 0 cm /I Do Q".encode())
    parts += [b"BT", *map(_shown, sheet.words), b"ET"]
    return b"\n".join(parts)


_TURNS = {0: (1, 0, 0, 1), 1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}


def _shown(word: Written) -> bytes:
    a, b, c, d = _TURNS[word.quarter]
    # From along and across its line back to the page.
    x, y = a * word.along + c * word.across, b * word.along + d * word.across
    natural = width_of(word.text, word.size)
    scale = min(max(100 * word.width / natural, _NARROWEST), _WIDEST) if natural > 0 else 100
    letters = word.text.encode("cp1252", "replace")
    for special in (b"\\", b"(", b")"):
        letters = letters.replace(special, b"\\" + special)
    how = f"/F {_number(word.size)} Tf {_number(scale)} Tz {a} {b} {c} {d} {_number(x)} {_number(y)} Tm "
    return how.encode() + b"(" + letters + b") Tj"


def width_of(text: str, size: float) -> float:
    """How wide letters of Helvetica are, in points."""
    return sum(map(_width, text)) * size / 1000


def _width(letter: str) -> int:
    place = ord(letter) - 0x20
    return _WIDTHS[place] if 0 <= place < len(_WIDTHS) else 556


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
