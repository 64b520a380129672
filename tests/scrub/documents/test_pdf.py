"""What identifies in a PDF is in no byte of the new one and in nothing that a reader shows; the rest is there."""

import subprocess
from collections.abc import Callable
from hashlib import md5
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import Refused
from governance.scrub.documents import MAX_BYTES, pages, pdf
from tests.scrub.documents.build import NAMES, SENTENCE, Pictures, image, line, stream, treatment
from tests.scrub.documents.build import pdf as made

NAME, MRN = "Quillfeather", "0041827"


def cleaned(data: bytes, *, pictures: Pictures | None = None) -> str:
    """What can be read in the new document, once the marker is in none of its bytes."""
    new = pdf.clean(data, treatment(pictures=pictures))
    shown = "\n".join(new.texts)
    joined = "".join(shown.split()).replace("-", "").lower()
    for marker in (NAME, MRN):
        assert marker.encode().lower() not in new.data.lower()
        assert marker.lower() not in joined
    return " ".join(shown.split())


def paragraph(*lines: str, x: float = 72, y: float = 700) -> str:
    return "\n".join(line(words, x, y - 14 * number) for number, words in enumerate(lines))


def test_words_stay_and_the_name_goes() -> None:
    shown = cleaned(made(paragraph("Chest of Agnes Quillfeather, MRN 0041827.", SENTENCE[:60], SENTENCE[60:])))

    assert "[NAME]" in shown
    assert "[ID]" in shown
    assert "no pneumothorax and no pleural effusion" in shown


HIDING = {
    "metadata": {"trailer": "/Info 100 0 R", "objects": [f"<< /Title ({NAME}) /Author ({NAME}) >>"]},
    "XMP": {
        "catalog": "/Metadata 100 0 R",
        "objects": [stream(f"<x:xmpmeta>{NAME}</x:xmpmeta>".encode(), "/Type /Metadata /Subtype /XML")],
    },
    "attachment": {
        "catalog": f"/Names << /EmbeddedFiles << /Names [({NAME}.txt) 100 0 R] >> >>",
        "objects": [
            f"<< /Type /Filespec /F ({NAME}.txt) /EF << /F 101 0 R >> >>",
            stream(NAME.encode(), "/Type /EmbeddedFile"),
        ],
    },
    "annotation": {
        "page": "/Annots [100 0 R]",
        "objects": [f"<< /Type /Annot /Subtype /Text /Rect [72 500 200 520] /Contents ({NAME}) /T ({NAME}) >>"],
    },
    "form field": {
        "catalog": "/AcroForm << /Fields [100 0 R] >>",
        "page": "/Annots [100 0 R]",
        "objects": [
            f"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V ({NAME}) /Rect [72 500 200 520] "
            "/AP << /N 101 0 R >> >>",
            stream(
                f"BT /F 12 Tf ({NAME}) Tj ET".encode(),
                "/Subtype /Form /BBox [0 0 99 20] /Resources << /Font << /F 3 0 R >> >>",
            ),
        ],
    },
    "outline": {
        "catalog": "/Outlines 100 0 R",
        "objects": ["<< /First 101 0 R /Last 101 0 R /Count 1 >>", f"<< /Title ({NAME}) /Parent 100 0 R >>"],
    },
    "script": {"catalog": f"/OpenAction << /S /JavaScript /JS (app.alert\\('{NAME}'\\)) >>"},
    "structure": {"catalog": f"/StructTreeRoot << /K << /S /P /ActualText ({NAME}) >> >>"},
    "comment": {"trailer": f"%{NAME}\n"},
}


@pytest.mark.parametrize("place", HIDING)
def test_nothing_around_the_pages_is_taken_over(place: str) -> None:
    shown = cleaned(made(line(SENTENCE[:60]), **HIDING[place]))  # type: ignore[arg-type]

    assert SENTENCE[:60].strip() in shown


UNSEEN = {
    "white": line(f"{NAME} secret", how="1 1 1 rg"),
    "invisible": line(f"{NAME} secret", how="3 Tr"),
    "beside the page": line(f"{NAME} secret", x=900),
    "tiny": line(f"{NAME} secret", size=0.8),
    "behind a box": line("secret", y=600) + "\n0 0 0 rg 60 590 300 30 re f\n0 g",
    "clipped": "q 0 0 10 10 re W n\n" + line("secret") + "\nQ",
}


@pytest.mark.parametrize("how", UNSEEN)
def test_what_nobody_sees_is_not_written(how: str) -> None:
    shown = cleaned(made(line(SENTENCE[:60], y=400) + "\n" + UNSEEN[how]))

    assert "secret" not in shown
    assert SENTENCE[:60].strip() in shown


def test_white_words_on_a_dark_ground_stay() -> None:
    shown = cleaned(made("0 0 0.4 rg 60 690 400 30 re f\n" + line("Pleural effusion", how="1 1 1 rg")))

    assert "Pleural effusion" in shown


WIDTHS = dict(zip("Quilfeathr", (9.34, 6.67, 2.66, 2.66, 3.34, 6.67, 6.67, 3.34, 6.67, 4.0), strict=True))
"""Of letters of Helvetica at 12 points."""


def placed(word: str) -> list[tuple[float, str]]:
    """Where each letter begins."""
    ends = accumulate((WIDTHS[letter] for letter in word), initial=72.0)
    return list(zip(ends, word, strict=False))


BROKEN = {
    "over two lines": paragraph("The chest of our patient Agnes Quill-", "feather shows no pleural effusion."),
    "between two words": paragraph("The chest of our patient Agnes", "Quillfeather shows no pleural effusion."),
    "kerned": "BT /F 12 Tf 72 700 Td [(Qu) -20 (ill) 40 (fea) -15 (ther shows no pleural effusion)] TJ ET",
    "letter by letter": "\n".join(
        line(letter, place) for place, letter in placed(NAME)
    )
    + "\n" + line("shows no pleural effusion", y=600),
    "out of order": "\n".join(
        line(letter, place) for place, letter in reversed(placed(NAME))
    )
    + "\n" + line("shows no pleural effusion", y=600),
    "two columns": "\n".join(
        line("Patient of Agnes Quill-" if not row else "feather, chest", 72, 700 - 14 * row)
        + "\n"
        + line("shows no pleural effusion", 330, 700 - 14 * row)
        for row in range(2)
    ),
    "in cells": "\n".join(
        line(words, *at)
        for words, at in {
            "Name": (72, 700),
            NAME: (200, 700),
            "MRN": (72, 680),
            "0041827": (200, 680),
            "shows no pleural effusion": (72, 600),
        }.items()
    ),
    "in capitals": line(f"{NAME.upper()} shows no pleural effusion"),
    "turned": "BT /F 12 Tf 0 1 -1 0 300 100 Tm (Quillfeather shows no pleural effusion) Tj ET",
    "upside down": "BT /F 12 Tf -1 0 0 -1 500 300 Tm (Quillfeather shows no pleural effusion) Tj ET",
    "large by its matrix": "BT /F 1 Tf 12 0 0 12 72 700 Tm (Quillfeather shows no pleural effusion) Tj ET",
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_name_goes_however_it_is_written(how: str) -> None:
    shown = cleaned(made(BROKEN[how]))

    assert {"no", "pleural", "effusion"} <= set(shown.replace(".", "").split())


def test_a_name_over_the_end_of_a_page_goes() -> None:
    shown = cleaned(made(line(SENTENCE[:50] + " Agnes", y=60), line("Quillfeather was seen again.")))

    assert "no pneumothorax" in shown


LIGATURES = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap
1 begincodespacerange <00> <FF> endcodespacerange
2 beginbfchar <01> <FB01> <02> <0066006C> endbfchar
1 beginbfrange <41> <7A> <0041> endbfrange
endcmap end end"""


def test_ligatures_are_letters() -> None:
    """A name with a ligature in it, and words with one."""
    font = FONT_WITH_LETTERS
    data = made(
        "BT /F 12 Tf 72 700 Td (Pack\\001eld) Tj 0 -40 Td (con\\001rmed) Tj ET",
        font=font,
        objects=[stream(LIGATURES.encode())],
    )
    own = NAMES.__class__(names=frozenset({"Packfield"}))

    new = pdf.clean(data, treatment(own))

    assert b"Pack" not in new.data
    assert "confirmed" in "".join(new.texts)


FONT_WITH_LETTERS = (
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 100 0 R /Encoding "
    "<< /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [1 /fi /fl] >> >>"
)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_turned_page_stays_turned(rotation: int, tmp_path: Path, program: Callable[[str], str]) -> None:
    """Words and the picture stand where they stood, as another program draws the page."""
    square = "0 0 0 rg 400 100 60 60 re f"
    before = made(line("effusion", 72, 700) + "\n" + square, page=f"/Rotate {rotation}")
    after = pdf.clean(before, treatment()).data

    drawn = [_drawn(data, tmp_path, program) for data in (before, after)]

    assert drawn[0].shape == drawn[1].shape
    assert np.abs(drawn[0].astype(int) - drawn[1]).mean() < 1.5


def _drawn(data: bytes, folder: Path, program: Callable[[str], str]) -> np.ndarray:
    from PIL import Image

    (folder / "in.pdf").write_bytes(data)
    subprocess.run(
        [program("pdftoppm"), "-r", "72", "-png", "-singlefile", folder / "in.pdf", folder / "out"], check=True
    )
    return np.asarray(Image.open(folder / "out.png").convert("L"))


def test_a_page_that_does_not_begin_at_zero_keeps_its_places(tmp_path: Path, program: Callable[[str], str]) -> None:
    before = made(line("effusion", 172, 650), box="100 50 500 750", page="/CropBox [120 60 480 700]")
    after = pdf.clean(before, treatment()).data
    (tmp_path / "after.pdf").write_bytes(after)

    info = subprocess.run([program("pdfinfo"), tmp_path / "after.pdf"], capture_output=True, text=True, check=True)

    assert "360 x 640 pts" in info.stdout
    (page,) = pages.read(after)
    assert [(word.text, round(word.along), round(word.across)) for word in page.words] == [("effusion", 52, 590)]


def test_pictures_go_the_way_of_pixels_and_words_do_not() -> None:
    picture = np.full((60, 80, 3), 120, np.uint8)
    data = made(
        line("effusion") + "\nq 80 0 0 60 200 300 cm /I Do Q",
        resources="/XObject << /I 100 0 R >>",
        objects=[image(picture)],
    )
    pictures = Pictures()

    shown = cleaned(data, pictures=pictures)

    (seen,) = pictures.seen
    scale = seen.shape[1] / 612
    assert abs(int(seen[int((792 - 330) * scale), int(240 * scale), 0]) - 120) < 3
    assert (seen[: int(150 * scale)] > 250).all()  # where the word stands
    assert "effusion" in shown


def test_what_is_masked_in_a_picture_is_masked_in_the_new_document() -> None:
    def black(picture: np.ndarray) -> tuple[np.ndarray, int]:
        return np.zeros_like(picture), 3

    data = made("0.5 g 100 100 200 200 re f")
    new = pdf.clean(data, treatment(pictures=black))  # type: ignore[arg-type]

    (page,) = pages.read(new.data)
    assert page.picture is not None
    assert not page.picture.any()
    assert (new.said["masked_regions"], new.said["pages_with_pictures"]) == (3, 1)


def test_words_in_forms_inside_of_forms_are_words() -> None:
    inner = stream(f"BT /F 12 Tf 72 700 Td ({NAME} has no pleural effusion) Tj ET".encode(), FORM)
    outer = stream(b"/X Do", FORM.replace(">> >>", ">> /XObject << /X 100 0 R >> >>"))
    pictures = Pictures()

    shown = cleaned(made("/Y Do", resources="/XObject << /Y 101 0 R >>", objects=[inner, outer]), pictures=pictures)

    assert "no pleural effusion" in shown
    assert pictures.seen == []


FORM = "/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /Font << /F 3 0 R >> >>"


def test_what_is_left_out_unread_is_counted() -> None:
    attached, noted = (made(line("effusion"), **HIDING[each]) for each in ("attachment", "annotation"))  # type: ignore[arg-type]

    assert pdf.clean(attached, treatment()).said["attachments_left_out"] == 1
    assert pdf.clean(noted, treatment()).said["annotations_left_out"] == 1
    assert pdf.clean(made(line("effusion", x=900)), treatment()).said["words_not_seen"] == 1


def test_a_document_of_too_many_pictures_is_refused() -> None:
    data = made(*["0.5 g 10 10 20 20 re f" for _ in range(pdf.MOST_PICTURES + 1)], box="0 0 40 40")

    with pytest.raises(Refused, match="pages that show pictures"):
        pdf.clean(data, treatment())


def test_the_same_document_is_made_every_time() -> None:
    data = made(paragraph(f"Chest of {NAME}", SENTENCE[:60]))

    assert pdf.clean(data, treatment()) == pdf.clean(data, treatment())


def test_another_program_reads_what_is_written(tmp_path: Path, program: Callable[[str], str]) -> None:
    (tmp_path / "new.pdf").write_bytes(pdf.clean(made(line("50 % (mild) \\ effusion")), treatment()).data)

    done = subprocess.run([program("pdftotext"), tmp_path / "new.pdf", "-"], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["50", "%", "(mild)", "\\", "effusion"]
    assert done.stderr == ""


# ------------------------------------------------------------------------ refused

WITHOUT_LETTERS = (
    "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [1 0 0 1 0 0] /CharProcs << /g1 100 0 R >> "
    "/Encoding << /Differences [1 /g1] >> /FirstChar 1 /LastChar 1 /Widths [9] >>"
)
REFUSED = {
    "nothing": b"",
    "no PDF": b"a letter about somebody",
    "cut off": made(line("effusion"))[:60],
    "no page": made(),
    "glyphs without letters": made(
        "BT /F 12 Tf 72 700 Td (\\001\\001) Tj ET", font=WITHOUT_LETTERS, objects=[stream(b"9 0 d0 0 0 9 9 re f")]
    ),
    "another script": made(
        "BT /F 12 Tf 72 700 Td (AB) Tj ET",
        font=FONT_WITH_LETTERS,
        objects=[stream(LIGATURES.replace("<0041>", "<0410>").encode())],
    ),
    "a huge page": made(line("effusion"), box="0 0 14400 14400"),
    "more pages than a report has": made(*["" for _ in range(pages.MOST_PAGES + 1)]),
    "more bytes than a report has": b"%PDF-1.4\n" + bytes(MAX_BYTES),
    "more letters than a page has": made("\n".join(line("ab" * 45, y=700 - row, size=0.9) for row in range(600))),
    "more parts than people see": made("0 0 m 1 1 l S\n" * (pages.MOST_OBJECTS + 1)),
    "a form that a program draws": made(
        "", catalog="/AcroForm << /XFA [(template) 100 0 R] /Fields [] >>", objects=[stream(b"<xdp/>")]
    ),
}


_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


@pytest.mark.parametrize("password", [b"", b"secret"])
def test_an_encrypted_document_is_refused_whoever_can_open_it(password: bytes) -> None:
    """By the standard handler, ISO 32000-1, 7.6.3: an empty password opens a file, and it is encrypted all the same."""
    padded = (password + _PADDING)[:32]
    key = md5(padded + bytes(32) + (-4).to_bytes(4, "little", signed=True) + b"\1" * 16).digest()[:5]
    user = _rc4(key, _PADDING).hex()
    data = made(
        line("effusion"),
        trailer=f"/Encrypt 100 0 R /ID [<{'01' * 16}> <{'01' * 16}>]",
        objects=[f"<< /Filter /Standard /V 1 /R 2 /O <{'00' * 32}> /U <{user}> /P -4 >>"],
    )

    with pytest.raises(Refused, match="an encrypted PDF"):
        pdf.clean(data, treatment())


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_read_for_sure_is_refused(why: str) -> None:
    with pytest.raises(Refused) as refused:
        pdf.clean(REFUSED[why], treatment())

    assert refused.value.hint
    assert refused.value.__context__ is None
    assert NAME not in str(refused.value)


@given(data=st.binary(max_size=400), at=st.integers(0, 900))
@settings(max_examples=60)
def test_whatever_is_broken_is_refused_or_cleaned(data: bytes, at: int) -> None:
    whole = made(line(f"{NAME} has no pleural effusion"))
    broken = whole[:at] + data + whole[at + len(data) :]

    try:
        new = pdf.clean(broken, treatment())
    except Refused:
        return
    assert NAME.encode() not in new.data


@given(
    words=st.lists(st.sampled_from([*SENTENCE.split(), "Agnes", NAME, "Quillfeather,", "(MRN0041827)"]), max_size=40),
    width=st.integers(1, 9),
    columns=st.integers(1, 3),
)
@settings(max_examples=40)
def test_no_layout_saves_a_name(words: list[str], width: int, columns: int) -> None:
    rows = [" ".join(words[at : at + width]) for at in range(0, len(words), width)]
    content = "\n".join(
        line(row, 40 + 190 * (number % columns), 700 - 14 * (number // columns), size=7)
        for number, row in enumerate(rows)
    )

    cleaned(made(content))
