"""Texts in broken encodings, and of any size: one outcome with a reason, and nothing of a name anywhere."""

import struct
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from governance import dicom, policy
from governance.datatypes import Outcome
from tests.phantoms import report
from tests.phantoms.bundled import capture, unchecked
from tests.phantoms.leak_case import code
from tests.pipeline.test_documents import PERSON, holding, holding_cda
from tests.pipeline.worker import Ended, process, surviving, worker
from tests.scrub.documents.build import SENTENCE, line, pdf
from tests.scrub.documents.test_cda import document

NAME, GIVEN = "Müllerfordax", "Agnetrix"
MARKERS = ["fordax", GIVEN, "ａｇｎｅｔｒｉｘ", "xadrof"]
"""What is left of the name however it is written."""

LOOKS = {
    "as it is": NAME,
    "a zero-width space": "Müller\u200bfordax",
    "a soft hyphen": "Müller\u00adfordax",
    "joiners": "Mül\u200dler\u200cfor\u2060dax",
    "a wide letter": "Ｍüllerfordax",
    "Cyrillic letters": "Müll\u0435rfordax",
    "decomposed": "Mu\u0308llerfordax",
    "underlined": "".join(f"{letter}\u0332" for letter in NAME),
    "enclosed": "Müllerfo\u20ddrdax",
    "turned round": f"\u202e{NAME[::-1]}\u202c",
    "from right to left": f"\u200f{NAME}\u200e",
}

BROKEN: dict[str, tuple[str, bytes, bytes]] = {
    "UTF-8 that is said to be Latin 1": ("ISO_IR 100", NAME.encode(), NAME.encode()),
    "a text in UTF-8 beside a name in Latin 1": ("ISO_IR 100", NAME.encode("latin-1"), NAME.encode()),
    "Latin 1 that is said to be UTF-8": ("ISO_IR 192", NAME.encode("latin-1"), NAME.encode("latin-1")),
    "a text in Latin 1 beside a name in UTF-8": ("ISO_IR 192", NAME.encode(), NAME.encode("latin-1")),
    "a set that is none": ("ISO_IR 999", NAME.encode("latin-1"), NAME.encode("latin-1")),
    "no set": ("", NAME.encode("latin-1"), NAME.encode()),
    "an escape that is cut off": ("\\ISO 2022 IR 87", b"Muellerfordax", b"\x1b$Muellerfordax"),
    "an escape at the end": ("\\ISO 2022 IR 87", b"Muellerfordax", b"Muellerfordax\x1b"),
    "an escape in the name": ("ISO_IR 100", NAME.encode("latin-1"), b"M\xfcller\x1b(Bfordax"),
    "UTF-8 that is cut off": ("ISO_IR 192", NAME.encode(), b"M\xc3llerfordax"),
    "bytes of no encoding": ("ISO_IR 192", NAME.encode(), b"M\xff\xfellerfordax"),
    "a lone surrogate": ("ISO_IR 192", NAME.encode(), b"M\xed\xa0\xbcllerfordax"),
    "UTF-16": ("ISO_IR 192", NAME.encode(), NAME.encode("utf-16")),
    "UTF-16 in a name too": ("ISO_IR 100", NAME.encode("utf-16-be"), NAME.encode("utf-16-be")),
    "NULs": ("ISO_IR 192", NAME.encode(), b"M\xc3\xbcller\0fordax"),
}
"""The declared set, the patient's name, and the name in a text."""


def _saved(ds: Dataset) -> bytes:
    file = BytesIO()
    with unchecked():
        ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def described(text: str) -> Dataset:
    ds = capture(PERSON, "image", size=32, caption="")
    ds.BurnedInAnnotation = "NO"
    ds.StudyDescription = text
    return ds


def commented(text: str) -> Dataset:
    ds = described("CT")
    ds.ImageComments = text
    return ds


def unlimited(text: str) -> Dataset:
    ds = described("CT")
    ds.TextValue = text
    return ds


def reported(text: str) -> Dataset:
    ds = report.dataset()
    ds.ContentSequence.append(report.content("TEXT", code("Finding", "121071"), TextValue=text))
    return ds


PLACES: dict[str, Callable[[str], Dataset]] = {"LO": described, "LT": commented, "UT": unlimited, "SR": reported}


def written(place: str, charset: str, name: bytes, text: bytes) -> bytes:
    """A file whose patient and text are these bytes, whatever it says of its character set."""
    said = text + b" " * (len(text) % 2)
    ds = PLACES[place]("T" * len(said))
    ds.SpecificCharacterSet = charset.split("\\")
    ds.PatientName = "N" * (len(name) + len(name) % 2)
    data = _saved(ds)
    return data.replace(b"N" * len(ds.PatientName), name + b" " * (len(name) % 2)).replace(b"T" * len(said), said)


@pytest.fixture(scope="module")
def rules() -> policy.Rules:
    return policy.load("research")


def ended(data: bytes, folder: Path, rules: policy.Rules) -> Ended:
    """How it ended, for a reason that is none of ours."""
    made = process(worker(folder, rules), data)
    assert "internal error" not in made.reason
    assert bool(made.reason) == (made.outcome is not Outcome.PUBLISHED)
    return made


@pytest.mark.parametrize("how", LOOKS)
@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_is_made_to_look_otherwise_is_nowhere(
    place: str, how: str, tmp_path: Path, rules: policy.Rules, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"no effusion, {LOOKS[how]} {GIVEN}".encode()

    made = ended(written(place, "ISO_IR 192", f"{NAME}^{GIVEN}".encode(), text), tmp_path, rules)

    assert made.outcome is Outcome.PUBLISHED
    assert b"no effusion" in made.data
    assert surviving([*MARKERS, LOOKS[how]], made) == []
    assert "fordax" not in caplog.text


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("place", PLACES)
def test_a_name_in_a_broken_encoding_is_nowhere(
    place: str, how: str, tmp_path: Path, rules: policy.Rules, caplog: pytest.LogCaptureFixture
) -> None:
    charset, name, text = BROKEN[how]

    made = ended(written(place, charset, name + b"^Agnetrix", b"no effusion, " + text), tmp_path, rules)

    assert made.outcome in (Outcome.PUBLISHED, Outcome.QUARANTINED)
    assert surviving(MARKERS, made) == []
    assert text not in made.data
    assert "fordax" not in caplog.text


@pytest.mark.parametrize("how", LOOKS)
def test_a_name_in_a_clinical_document_is_nowhere_however_it_looks(
    how: str, tmp_path: Path, rules: policy.Rules
) -> None:
    body = f"<text>There is no pleural effusion, {LOOKS[how]}.</text>"
    ds = pydicom.dcmread(BytesIO(holding_cda(document(body))))
    ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", f"{NAME}^{GIVEN}"

    made = ended(_saved(ds), tmp_path, rules)

    assert b"no pleural effusion" in made.data
    assert surviving([*MARKERS, LOOKS[how]], made) == []


@pytest.mark.parametrize("written_as", [NAME, "Müller\u00adfordax", "M ü l l e r f o r d a x", "Müller-\nfordax"])
def test_a_name_in_a_pdf_is_nowhere_however_it_looks(written_as: str, tmp_path: Path, rules: policy.Rules) -> None:
    lines = [SENTENCE[:60], SENTENCE[60:], *f"Seen by {written_as}".split("\n")]
    content = "\n".join(line(words, y=700 - 14 * number) for number, words in enumerate(lines))
    ds = pydicom.dcmread(BytesIO(holding(pdf(content))))
    ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", f"{NAME}^{GIVEN}"

    made = ended(_saved(ds), tmp_path, rules)

    assert b"pneumothorax" in made.data
    assert surviving([*MARKERS, "f o r d a x"], made) == []


# ------------------------------------------------------------------------ sizes

HUGE = 100_000_000
MOST_SECONDS = 40
"""Of processor time, where it takes a few; with a text as long as these every look takes half a minute."""


@pytest.mark.parametrize("place", PLACES)
def test_a_text_of_100_megabytes_waits_with_a_reason(place: str, tmp_path: Path, rules: policy.Rules) -> None:
    words = f"no effusion of {NAME} "
    if place in ("LO", "LT"):  # too long for the length that these have, so they are written as unknown
        ds, tag = described("CT"), 0x00081030 if place == "LO" else 0x00204000
        ds.add_new(tag, "UN", words.encode("latin-1") * (HUGE // len(words)))
    else:
        ds = PLACES[place](words * (HUGE // len(words)))
    data = _saved(ds)
    begun = time.process_time()

    made = ended(data, tmp_path, rules)

    assert time.process_time() - begun < MOST_SECONDS
    assert made.outcome is Outcome.QUARANTINED
    assert "holds a text of more than" in made.reason


def _of_items(items: bytes) -> bytes:
    """A report whose content is these encoded items."""
    ds = report.dataset()
    del ds.ContentSequence
    return report.saved(ds) + dicom.element(0x0040A730, "SQ", items, explicit=True)


def _item(text: str, person: str = "") -> bytes:
    name = dicom.element(0x0040A123, "PN", dicom.pad(person.encode(), "PN"), explicit=True) if person else b""
    concept = b"".join(
        dicom.element(tag, vr, dicom.pad(value, vr), explicit=True)
        for tag, vr, value in (
            (0x00080100, "SH", b"121071"),
            (0x00080102, "SH", b"DCM"),
            (0x00080104, "LO", b"Finding"),
        )
    )
    parts = (
        (0x0040A010, "CS", b"CONTAINS"),
        (0x0040A040, "CS", b"TEXT"),
        (0x0040A043, "SQ", _framed(concept)),
        (0x0040A160, "UT", dicom.pad(text.encode(), "UT")),
    )
    elements = [dicom.element(tag, vr, value, explicit=True) for tag, vr, value in parts]
    return _framed(b"".join((*elements[:3], name, elements[3])))


def _framed(content: bytes) -> bytes:
    return dicom.header(dicom.ITEM, "", len(content), explicit=True) + content


def test_a_report_of_thousands_of_items_takes_no_more_than_their_number(tmp_path: Path, rules: policy.Rules) -> None:
    took = []
    for number in (250, 1_000):
        data = _of_items(b"".join(_item(f"lesion {n}, {n * 7} mm, of Quillfordax") for n in range(number)))
        begun = time.process_time()
        made = ended(data, tmp_path, rules)
        took.append(time.process_time() - begun)
        assert made.outcome is Outcome.PUBLISHED
        assert surviving(["Quillfordax"], made) == []

    assert took[1] < 12 * max(took[0], 0.2)


def test_a_report_of_hundreds_of_observers_loses_them_all(tmp_path: Path, rules: policy.Rules) -> None:
    people = [f"{a}{b}{c}".title() for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES[:4]]
    begun = time.process_time()

    made = ended(_of_items(b"".join(_item(f"no effusion, seen by {p}", f"{p}^Ada") for p in people)), tmp_path, rules)

    assert time.process_time() - begun < MOST_SECONDS
    assert made.outcome is Outcome.PUBLISHED
    assert surviving(people, made) == []
    assert made.data.count(b"no effusion") == len(people)


SYLLABLES = ("kalo", "miren", "tovra", "shidul", "garwen", "posyev", "narzel", "quofir", "bexan", "dolmir")


def test_thousands_of_names_in_one_value_go(tmp_path: Path, rules: policy.Rules) -> None:
    people = [f"{a}{b}{c}{d}".title() for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES for d in SYLLABLES[:5]]
    ds = described(f"Chest, seen by {people[7]} and {people[4321]}")
    ds.add_new(0x00081060, "PN", [f"{person}^Ada" for person in people])

    made = ended(_saved(ds), tmp_path, rules)

    assert made.outcome is Outcome.PUBLISHED
    assert surviving([people[7], people[4321], people[-1]], made) == []


@pytest.mark.parametrize("depth", [33, 10_000])
def test_a_report_that_is_nested_deeper_than_any_is_unreadable(depth: int, tmp_path: Path, rules: policy.Rules) -> None:
    head = dicom.header(0x0040A730, "SQ", dicom.UNDEFINED, explicit=True)
    head += dicom.header(dicom.ITEM, "", dicom.UNDEFINED, explicit=True)
    tail = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    ds = report.dataset()
    del ds.ContentSequence

    made = ended(report.saved(ds) + head * depth + tail * depth, tmp_path, rules)

    assert (made.outcome, made.reason) == (Outcome.UNREADABLE, "sequences nested deeper than 32")


@pytest.mark.parametrize("said", [0, 1, 7, 8, 60, 1 << 16, 0x7FFFFFFF, 0xFFFFFFFE, dicom.UNDEFINED])
@pytest.mark.parametrize("what", ["the sequence", "an item", "a text"])
def test_lengths_that_lie_end_in_one_outcome(what: str, said: int, tmp_path: Path, rules: policy.Rules) -> None:
    data = _of_items(_item("no effusion of Quillfordax") + _item("seen by Quillfordax"))
    start = data.rindex(struct.pack("<HH2s", 0x0040, 0xA730, b"SQ"))
    at = {"the sequence": start + 8, "an item": start + 16, "a text": data.index(b"no effusion") - 4}[what]

    made = ended(data[:at] + struct.pack("<I", said) + data[at + 4 :], tmp_path, rules)

    assert surviving(["Quillfordax"], made) == []
