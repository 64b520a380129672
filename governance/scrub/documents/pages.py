"""Pages of a PDF as words that can be seen, and a picture of all that is no text.

A word counts if the page looks different without it: what is white, transparent, behind a box, beside the page or
too small to read is not taken over. What annotations and form fields show is a part of the page. What they do not
show, attachments, outlines and scripts are not read at all.

Nothing can interrupt pdfium in a page that takes minutes, so a worker process ends there; its source is held back.
"""

import ctypes
import math
import multiprocessing
import signal
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from governance.errors import Refused
from governance.scrub.documents import Picture
from governance.scrub.documents.layout import Word

MOST_PAGES, MOST_LETTERS, MOST_LETTERS_A_PAGE = 500, 2_000_000, 50_000
DOTS = 200 / 72
"""Pixels a point of the pictures: 200 dpi, as offices scan."""
MOST_PIXELS = 40_000_000
"""Of one picture; a larger page is drawn coarser, down to one pixel a point."""
SMALLEST = 2.0
"""Points: nobody reads smaller letters."""
_SEEN, _BLANK = 24, 8
"""Steps of 255: by which a word must change a pixel, and below which a page without its text is white."""
_DEPTH = 16
"""Forms in forms."""
MOST_OBJECTS = 200_000
"""Of one page: words, lines and pictures."""
MOST_SECONDS, MOST_SECONDS_A_PAGE = 300, 20
"""Of processor time in pdfium. A page of a report takes less than one."""
_TYPED = {pdfium.FPDF_ANNOT_FREETEXT: b"Contents", pdfium.FPDF_ANNOT_WIDGET: b"V"}
"""Kinds of annotations that people type into a page, and where their texts are."""
_UNSEEN_ANNOTATION = 0x22
"""Flags of an annotation that is hidden, or not shown on a screen (ISO 32000-1, 12.5.3)."""

_HYPHENS = dict.fromkeys(map(ord, "\u0002\u00ad\ufffe\u2010\u2011\u2212"), "-")
_PLAIN = _HYPHENS | {
    ord(letter): plain
    for letter, plain in {
        "≥": ">=", "≤": "<=", "≈": "~", "≠": "!=", "→": "->", "←": "<-", "⁄": "/", "∗": "*", "●": "•", "■": "•",
        "▪": "•", "◦": "•", "○": "•", "∙": "·", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st",
        "ﬆ": "st", "μ": "µ", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "∆": "delta", "Δ": "delta",
        "′": "'", "″": '"', "\u200b": "", "\u200c": "", "\u200d": "", "\ufeff": "", "\u2060": "",
    }.items()
}  # fmt: skip
"""Letters that the standard fonts do not have, as people write them without."""


class Page(NamedTuple):
    """One page as people see it, in points from its lower left corner, before it is turned by `rotation` degrees."""

    width: float
    height: float
    rotation: int
    words: list[Word]
    picture: Picture | None
    """All that is no text, turned as it is shown; None where that is nothing."""
    hidden: int
    """Words that nobody sees."""
    annotations: int
    """Links and notes that show nothing on the page, which are not read."""


@contextmanager
def opened(data: bytes) -> Iterator[Any]:
    """The PDF in `data`.

    Raises:
        Refused: it is encrypted, a form that a program fills, no PDF, or has too many pages.
    """
    document = None
    error = 0
    try:
        with _ended_after(MOST_SECONDS_A_PAGE):
            document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        error = int(pdfium.FPDF_GetLastError())
    if document is None:
        if error == pdfium.FPDF_ERR_PASSWORD:
            raise Refused("an encrypted PDF", hint="decrypt it at its source")
        raise Refused("EncapsulatedDocument is no PDF that can be read", hint="have it written again at its source")
    try:
        if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) != -1:
            raise Refused("an encrypted PDF", hint="decrypt it at its source")
        if pdfium.FPDF_GetFormType(document.raw) in (pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND):
            raise Refused("a PDF whose pages are made by a program (XFA)", hint="print it to a plain PDF first")
        if not 1 <= len(document) <= MOST_PAGES:
            raise Refused(f"a PDF without a page, or with more than {MOST_PAGES}", hint="split it at its source")
        yield document
    finally:
        document.close()


def read(data: bytes) -> Iterator[Page]:
    """Every page, one after the other.

    Raises:
        Refused: as `opened`, or a page is too large, cannot be drawn, or has letters that mean nothing.
    """
    letters = 0
    took = 0.0
    with opened(data) as document:
        for number in range(len(document)):
            begun = time.process_time()
            with _ended_after(MOST_SECONDS_A_PAGE):
                page = _page(document, number)
            took += time.process_time() - begun
            if took > MOST_SECONDS:
                raise Refused("a PDF that takes minutes to draw", hint="have it written again at its source")
            letters += sum(len(word.text) for word in page.words)
            if letters > MOST_LETTERS:
                raise Refused("a PDF with more text than a report has", hint="split it at its source")
            yield page


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End this process, if it is a worker, once it has worked for `seconds` on what is inside."""
    if multiprocessing.parent_process() is None:  # a person's own process is not ours to end
        yield
        return
    before = signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def texts(data: bytes) -> tuple[str, ...]:
    """What can be read in each page of a PDF, by whatever hides."""
    found = []
    with opened(data) as document:
        for page in document:
            text = page.get_textpage()
            found.append(text.get_text_range())
            text.close()
            page.close()
    return tuple(found)


def attachments(data: bytes) -> int:
    """How many files a PDF carries, which are not read."""
    with opened(data) as document:
        return int(pdfium.FPDFDoc_GetAttachmentCount(document.raw))


def _page(document: Any, number: int) -> Page:
    page = _loaded(document, number)
    try:
        left, bottom, right, top = page.get_cropbox()
        width, height = right - left, top - bottom
        pixels = width * height
        if min(width, height) <= 0 or pixels > MOST_PIXELS:
            raise Refused("a page of the PDF is too large", hint="have it written again at its source")
        said, annotations = _merge_annotations(page)
        page.close()
        page = _loaded(document, number)
        if pdfium.FPDFPage_CountObjects(page.raw) > MOST_OBJECTS:
            raise Refused("a page of the PDF with more parts than people can see", hint="split it at its source")
        dots = max(1.0, min(DOTS, math.sqrt(MOST_PIXELS / pixels)))
        words = _words(page, number, left, bottom)
        _refuse_lost(said, words)
        before = _drawn(page, dots)
        _hide_text(page)
        after = _drawn(page, dots)
        rotation = page.get_rotation()
        seen = list(_seen(words, before, after, (width, height), rotation))
        blank = int(after.min()) >= 255 - _BLANK
        return Page(width, height, rotation, seen, None if blank else after, len(words) - len(seen), annotations)
    finally:
        page.close()


def _loaded(document: Any, number: int) -> Any:
    page = None
    with suppress(pypdfium2.PdfiumError):
        page = document[number]
    if page is None:
        raise Refused("a page of the PDF cannot be read", hint="have it written again at its source")
    return page


def _merge_annotations(page: Any) -> tuple[list[str], int]:
    """Make what annotations and form fields show a part of the page.

    Returns what those say that people type into a page, and how many show nothing.
    """
    said: list[str] = []
    showing_nothing = 0
    for index in range(pdfium.FPDFPage_GetAnnotCount(page.raw)):
        annotation = pdfium.FPDFPage_GetAnnot(page.raw, index)
        shown = pdfium.FPDFAnnot_GetAP(annotation, pdfium.FPDF_ANNOT_APPEARANCEMODE_NORMAL, None, 0) > 2
        kind, flags = pdfium.FPDFAnnot_GetSubtype(annotation), pdfium.FPDFAnnot_GetFlags(annotation)
        is_seen = not flags & _UNSEEN_ANNOTATION
        showing_nothing += not (shown and is_seen)
        if is_seen and kind in _TYPED:
            said.append(_string(annotation, _TYPED[kind]))
        pdfium.FPDFPage_CloseAnnot(annotation)
    if pdfium.FPDFPage_Flatten(page.raw, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_FAIL:
        raise Refused("a page of the PDF with annotations that cannot be read", hint="print it to a plain PDF first")
    return said, showing_nothing


def _string(annotation: Any, key: bytes) -> str:
    """A text of an annotation; empty if it has none."""
    if pdfium.FPDFAnnot_GetValueType(annotation, key) != pdfium.FPDF_OBJECT_STRING:
        return ""
    length = int(pdfium.FPDFAnnot_GetStringValue(annotation, key, None, 0))
    buffer = ctypes.create_string_buffer(length)
    pdfium.FPDFAnnot_GetStringValue(annotation, key, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), length)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _refuse_lost(said: list[str], words: list[Word]) -> None:
    """Raise Refused where a field or note says what the page does not show, as a program has to draw it first."""
    there = "".join(filter(str.isalnum, "".join(word.text for word in words)))
    for each in said:
        if "".join(filter(str.isalnum, each.translate(_PLAIN))) not in there:
            hint = "print it to a plain PDF first"
            raise Refused("a PDF with a form field or note whose text is not drawn on its page", hint=hint)


def _drawn(page: Any, dots: float) -> Picture:
    """The page as it is shown, without annotations and form fields."""
    bitmap = None
    with suppress(pypdfium2.PdfiumError, ValueError):
        bitmap = page.render(
            scale=dots, may_draw_forms=False, draw_annots=False, rev_byteorder=True, no_smoothtext=True
        )
    if bitmap is None:
        raise Refused("a page of the PDF cannot be drawn", hint="have it written again at its source")
    drawn = np.array(bitmap.to_numpy()[:, :, :3], dtype=np.uint8)
    bitmap.close()
    return drawn


def _hide_text(page: Any) -> None:
    """Text that cannot be hidden is drawn, and masked with all else that looks like text."""
    for each in page.get_objects(max_depth=_DEPTH):
        if each.type == pdfium.FPDF_PAGEOBJ_TEXT:
            pdfium.FPDFTextObj_SetTextRenderMode(each.raw, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _seen(
    words: list[Word], before: Picture, after: Picture, size: tuple[float, float], rotation: int
) -> Iterator[Word]:
    """The words without which the page looks different."""
    changed = np.abs(before.astype(np.int16) - after).max(axis=2) >= _SEEN
    changed = np.rot90(changed, rotation // 90)  # back to how the page lies before it is turned
    rows, columns = changed.shape
    for word in words:
        if word.size < SMALLEST:
            continue
        left, bottom, right, top = _box(word)
        x, y = columns / size[0], rows / size[1]
        part = changed[_range(rows - top * y, rows - bottom * y), _range(left * x, right * x)]
        if part.any():
            yield word


def _range(start: float, stop: float) -> slice:
    return slice(max(math.floor(start), 0), max(math.ceil(stop), 0))


def _box(word: Word) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of its letters, without what may hang below the line."""
    low, high = word.across, word.across + 0.8 * word.size
    return {
        0: (word.along, low, word.end, high),
        1: (-high, word.along, -low, word.end),
        2: (-word.end, -high, -word.along, -low),
        3: (low, -word.end, high, -word.along),
    }[word.quarter]


# ------------------------------------------------------------------------ letters


class _Letter(NamedTuple):
    text: str
    along: float
    end: float
    across: float
    size: float
    quarter: int


def _words(page: Any, number: int, left: float, bottom: float) -> list[Word]:
    text = page.get_textpage()
    try:
        count = text.count_chars()
        if count > MOST_LETTERS_A_PAGE:
            raise Refused("a page of the PDF with more text than people read on one", hint="split it at its source")
        found: list[Word] = []
        letters: list[_Letter] = []
        spaced = True
        for index in range(count):
            letter = _letter(text.raw, index, left, bottom)
            if letter is None or (letters and _breaks(letters[-1], letter)):
                if letters:
                    found.append(_word(letters, number, spaced=spaced))
                spaced, letters = letter is None, []
            if letter is not None:
                letters.append(letter)
        return [*found, _word(letters, number, spaced=spaced)] if letters else found
    finally:
        text.close()


def _letter(text: Any, index: int, left: float, bottom: float) -> _Letter | None:
    """A letter; None for what is between words."""
    code = int(pdfium.FPDFText_GetUnicode(text, index))
    if pdfium.FPDFText_IsGenerated(text, index) == 1 and code != 2:
        return None
    letter = chr(code) if code < 0x110000 else "\ufffd"
    if letter.isspace():
        return None
    shown = letter.translate(_PLAIN)
    if pdfium.FPDFText_HasUnicodeMapError(text, index) == 1 or not _is_readable(shown):
        hint = "have it written again with fonts that say which letters they have"
        raise Refused("a PDF with letters that cannot be read, or that the standard fonts do not have", hint=hint)
    box = pdfium.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetLooseCharBox(text, index, box)  # with the room that it has in its line
    pdfium.FPDFText_GetCharOrigin(text, index, x, y)
    pdfium.FPDFText_GetMatrix(text, index, matrix)
    size = float(pdfium.FPDFText_GetFontSize(text, index)) * math.hypot(matrix.c, matrix.d)
    quarter = round(math.atan2(matrix.b, matrix.a) / (math.pi / 2)) % 4
    xs, ys = (box.left - left, box.right - left), (box.bottom - bottom, box.top - bottom)
    px, py = x.value - left, y.value - bottom
    if quarter == 0:
        return _Letter(shown, xs[0], xs[1], py, size, quarter)
    if quarter == 1:
        return _Letter(shown, ys[0], ys[1], -px, size, quarter)
    if quarter == 2:
        return _Letter(shown, -xs[1], -xs[0], -py, size, quarter)
    return _Letter(shown, -ys[1], -ys[0], px, size, quarter)


def _is_readable(letters: str) -> bool:
    try:
        letters.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return not any(unicodedata.category(letter) in ("Cc", "Co", "Cn", "Cs") for letter in letters)


def _breaks(last: _Letter, letter: _Letter) -> bool:
    """Whether a letter stands elsewhere than behind the last one."""
    size = max(last.size, letter.size, 1.0)
    return (
        letter.quarter != last.quarter
        or abs(letter.across - last.across) > 0.5 * size
        or not -size <= letter.along - last.end <= size
    )


def _word(letters: list[_Letter], page: int, *, spaced: bool) -> Word:
    first = letters[0]
    start, end = min(each.along for each in letters), max(each.end for each in letters)
    text = "".join(each.text for each in letters)
    size = max(each.size for each in letters)
    return Word(text, page, start, first.across, end - start, size, first.quarter, spaced)
