"""PDFs written by hand, with something in each place that a PDF has, and how they are cleaned in these tests."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from governance.datatypes import Identifiers, Span
from governance.detect import text
from governance.pseudonymise import Texts
from governance.pseudonymise.surrogates import Surrogates
from governance.scrub.documents import Picture, Treatment

FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
NAMES = Identifiers(
    names=frozenset({"Quillfeather", "Agnes", "Quillfeather^Agnes"}),
    numbers=frozenset({"MRN-0041827"}),
    dates=frozenset({"20230517"}),
)
SENTENCE = (
    "There is no pneumothorax and no pleural effusion on either side, and the heart is of normal size and "
    "the lungs are clear."
)


def line(words: str, x: float = 72, y: float = 700, *, size: float = 12, how: str = "") -> str:
    """One line of text at a place."""
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT {how} /F {size} Tf {x} {y} Td ({escaped}) Tj ET"


def pdf(
    *contents: str | bytes,
    page: str = "",
    catalog: str = "",
    trailer: str = "",
    resources: str = "",
    font: str = FONT,
    box: str = "0 0 612 792",
    objects: Sequence[str | bytes] = (),
) -> bytes:
    """A PDF with a page for each of `contents`; `objects` are numbered from 100."""
    numbered: dict[int, bytes] = {1: f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(), 3: font.encode()}
    kids = []
    for index, content in enumerate(contents):
        raw = content.encode("cp1252") if isinstance(content, str) else content
        numbered[10 + 2 * index] = stream(raw)
        numbered[11 + 2 * index] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {10 + 2 * index} 0 R "
            f"/Resources << /Font << /F 3 0 R >> {resources} >> {page} >>"
        ).encode()
        kids.append(f"{11 + 2 * index} 0 R")
    numbered[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    numbered |= {100 + i: each.encode() if isinstance(each, str) else each for i, each in enumerate(objects)}
    return _file(numbered, trailer)


def stream(content: bytes, entries: str = "") -> bytes:
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def _file(objects: Mapping[int, bytes], trailer: str) -> bytes:
    made, places = b"%PDF-1.7\n", {}
    for number in sorted(objects):
        places[number] = len(made)
        made += f"{number} 0 obj\n".encode() + objects[number] + b"\nendobj\n"
    table = "".join(f"{number} 1\n{place:010d} 00000 n \n" for number, place in places.items())
    end = f"xref\n0 1\n0000000000 65535 f \n{table}trailer\n<< /Size {max(objects) + 1} /Root 1 0 R {trailer} >>\n"
    return made + f"{end}startxref\n{len(made)}\n%%EOF\n".encode()


def image(picture: Picture) -> bytes:
    """An image object of an RGB picture."""
    rows, columns, _ = picture.shape
    entries = (
        f"/Type /XObject /Subtype /Image /Width {columns} /Height {rows} /BitsPerComponent 8 "
        "/ColorSpace /DeviceRGB /Filter /FlateDecode"
    )
    return stream(zlib.compress(picture.tobytes()), entries)


class Pictures:
    """What was handed to the masking of pictures; each comes back as it was."""

    def __init__(self) -> None:
        self.seen: list[Picture] = []

    def __call__(self, picture: Picture) -> tuple[Picture, int]:
        self.seen.append(picture)
        return picture, 0


Instead = Callable[[str], Callable[[Span], str | None]]


def marks(_text: str) -> Callable[[Span], str | None]:
    """Marks for all, dates too."""
    return lambda _span: None


def surrogates(identifiers: Identifiers = NAMES) -> Instead:
    """Those of one patient, and marks for dates."""
    taken = partial(text.holds_own, identifiers=identifiers)
    return Texts(None, [], surrogates=Surrogates(bytes(32), patient_id="7", taken=taken)).in_plain_sight


def treatment(
    identifiers: Identifiers = NAMES, *, pictures: Pictures | None = None, instead: Instead = marks
) -> Treatment:
    """As a run has it."""
    return Treatment(
        find=lambda words: text.find(words, identifiers),
        find_in_code=lambda words: text.find(words, identifiers),
        find_across=lambda words: text.find(words, identifiers, kinds=text.ALL - {"UNKNOWN_WORD"}),
        find_own=lambda words: text.find_own(words, identifiers),
        instead=instead,
        mask=pictures or Pictures(),
    )
