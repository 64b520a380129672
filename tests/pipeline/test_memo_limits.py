"""What the scenes of a memo do not depend on goes the plain way: each file here follows an ordinary one."""

import struct

import pytest
from pydicom.encaps import encapsulate

from governance import dicom, pipeline, read
from governance.datatypes import Outcome
from governance.pseudonymise.dates import DateShift
from governance.read.elements import MAX_ELEMENTS
from governance.read.units import Units
from tests.encoding import Node, even, part_10
from tests.pipeline.test_memo import dicom_file, outcome, plain_worker, worker
from tests.strategies import SCRIPTS, Person, frame

pytestmark = pytest.mark.sqlite_alone(reason="what the memo leaves to the plain way, in which no database has a part")

CASE = dict.fromkeys(("request", "SpecificCharacterSet", "AccessionNumber"))
CASE |= {"creator": "ACME 1.0", "implicit": False, "hidden": False, "StudyDescription": "CHEST"}
CASE |= {"ContentDate": "20190417", "PatientID": "PX1", "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.5.1"}
CASE |= {"PatientName": "Quillfeather^Ada"}
PLAIN = dicom_file(CASE)
PERSON = Person(SCRIPTS[0], "Quillbrandt", "773333331", "883333342", "1.2.999.4477333333")


def become_the_same(context: pipeline.Context, *files: bytes) -> bool:
    remembering, plain = worker(context), plain_worker(context)
    return [outcome(remembering, data) for data in files] == [outcome(plain, data) for data in files]


def with_meta(data: bytes, tag: int, vr: bytes, value: bytes) -> bytes:
    """`data` with one element of its file meta information added or replaced."""
    head = read.head(data)
    parts = {element.tag: data[element.header : element.end] for element in head.meta}
    parts[tag] = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
    return data[:132] + b"".join(part for _, part in sorted(parts.items())) + data[head.start :]


def with_pixels(data: bytes, vr: bytes, value: bytes) -> bytes:
    return (
        data[: data.rindex(b"\xe0\x7f\x10\0")]
        + b"\xe0\x7f\x10\0"
        + vr
        + b"\0\0"
        + struct.pack("<I", len(value))
        + value
    )


def test_a_directory_by_its_file_meta_is_filtered_in_the_midst_of_images(context: pipeline.Context) -> None:
    directory = with_meta(PLAIN, 0x00020002, b"UI", b"1.2.840.10008.1.3.10")

    assert become_the_same(context, PLAIN, directory)


def test_native_pixels_under_a_compressed_syntax_are_refused(context: pipeline.Context) -> None:
    assert become_the_same(context, PLAIN, with_meta(PLAIN, 0x00020010, b"UI", b"1.2.840.10008.1.2.5\0"))


@pytest.mark.parametrize(("vr", "value"), [(b"PN", b"Brannock^Station"), (b"DA", b"20190418")])
def test_identifiers_in_the_file_meta_are_looked_for(context: pipeline.Context, vr: bytes, value: bytes) -> None:
    data = dicom_file(CASE | {"StationName": "BRANNOCK", "DeviceSerialNumber": "20190418"})

    assert become_the_same(context, data, with_meta(data, 0x00020102, vr, value))


@pytest.mark.parametrize("vr", [b"OB", b"UN", b"UT", b"OF"])
def test_pixels_of_any_vr_become_the_same(context: pipeline.Context, vr: bytes) -> None:
    data = dicom_file(CASE | {"Rows": 4, "Columns": 4})

    assert become_the_same(*(context, *(with_pixels(data, each, b"Quillfeather^Ada" * 2) for each in (b"OW", vr))))


def test_pixels_that_are_a_sequence_are_refused(context: pipeline.Context) -> None:
    name = b"\x10\0\x10\0PN\x10\0Quillfeather^Ada"
    sequence = b"\xfe\xff\0\xe0" + struct.pack("<I", len(name)) + name
    data = with_pixels(dicom_file(CASE | {"Rows": 4, "Columns": 4}), b"SQ", sequence)

    done, reason, *_ = outcome(worker(context), data)

    assert (done, reason) == (Outcome.QUARANTINED, "the pixel data is a sequence")


def test_what_would_not_read_back_is_not_written(context: pipeline.Context) -> None:
    written = b"\x10\0\x20\0LO\4\0PX1 "
    sequence = b"\x10\0\x20\0SQ\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0"

    assert become_the_same(context, PLAIN, PLAIN.replace(written, sequence))


NAME = b"Quillfeather^Ada"


def padded(data: bytes, value: bytes, vr: bytes = b"OB") -> bytes:
    return data + b"\xfc\xff\xfc\xff" + vr + b"\0\0" + struct.pack("<I", len(value)) + value


@pytest.mark.parametrize("vr", [b"OB", b"UN", b"PN", b"SQ"])
def test_what_pads_a_data_set_is_removed(context: pipeline.Context, vr: bytes) -> None:
    files = [PLAIN, padded(PLAIN, bytes(120)), padded(PLAIN, NAME), padded(PLAIN, NAME, vr), PLAIN]

    assert become_the_same(context, *files)
    assert NAME not in outcome(worker(context), files[2])[3]


def test_padding_does_not_keep_a_file_out_of_the_memo(context: pipeline.Context) -> None:
    remembering = worker(context)

    assert remembering._memo.recall(padded(PLAIN, bytes(8))) is not None


def test_pixels_of_odd_length_are_padded(context: pipeline.Context) -> None:
    shape = {"Rows": 3, "Columns": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    data = dicom_file(CASE | shape)

    assert become_the_same(context, with_pixels(data, b"OB", bytes(10)), with_pixels(data, b"OB", bytes(9)))


def test_a_number_that_stands_alone_in_the_header_is_looked_for_in_compressed_pixels(context: pipeline.Context) -> None:
    shape = {"Rows": 8, "Columns": 16, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    pixels = b"\x90\x91 7798765 \x90".ljust(128, b"\x90")
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + bytes([127]) + pixels + b"\0"
    data = dicom_file(CASE | shape | {"AdmissionID": "7798765"})
    data = with_meta(data, 0x00020010, b"UI", b"1.2.840.10008.1.2.5\0")
    stream = encapsulate([frame])
    end = b"\xfe\xff\xdd\xe0" + bytes(4)
    stream = stream if stream.endswith(end) else stream + end
    head = data[: data.rindex(b"\xe0\x7f\x10\0")]

    assert become_the_same(context, head + b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + stream)


@pytest.mark.parametrize(
    ("number", "text"),
    [("MÜL1234", "MUL1234"), ("MUL1234", "MÜL1234"), ("STRASSE77", "STRAßE77"), ("12345", "½345"), ("A1234", "ª1234")],
)
def test_a_number_with_other_diacritics_is_the_same_number(context: pipeline.Context, number: str, text: str) -> None:
    latin = CASE | {"SpecificCharacterSet": "ISO_IR 100", "StationName": text}

    assert become_the_same(
        context, dicom_file(latin | {"AdmissionID": "QQ99881"}), dicom_file(latin | {"AdmissionID": number})
    )


def test_long_units_are_forgotten_too() -> None:
    units = Units(explicit=True)
    pixels = b"\xe0\x7f\x10\0OW\0\0\0\0\0\0"
    for number in range(3):
        value = bytes([number]) * (30 << 20)
        units.header(b"\x29\0\x10\x10OB\0\0" + struct.pack("<I", len(value)) + value + pixels, 0)

    assert units.is_full


def image(*nodes: Node, **own: bytes) -> bytes:
    """A CT that holds nothing but what it must, `nodes`, and `own` in the place of what it must."""
    whole = {node.tag: node for node in (*frame(PERSON), *nodes)}
    for keyword, value in own.items():
        tag = dicom.tag_of(keyword)
        assert tag is not None
        whole[tag] = whole[tag]._replace(value=even(value))
    return part_10([whole[tag] for tag in sorted(whole)])


def moved(context: pipeline.Context, day: str) -> str:
    """`day` as it is written for the patient of `image`."""
    key = context.keyring.project("demo").shift
    return DateShift.derive(key, patient_id=PERSON.number).apply(day)


def test_a_number_that_the_next_tag_completes_is_the_same_in_every_order(context: pipeline.Context) -> None:
    slope, request = Node(0x00281053, "DS", b"1234"), Node(0x00321060, "LO", b"CHEST ")
    own = {"PatientID": b"12342"}

    assert become_the_same(context, image(slope, **own), image(slope, request, **own))


def test_a_name_that_the_tag_of_the_pixels_completes_is_the_same_in_every_order(context: pipeline.Context) -> None:
    kind, request = Node(0x00281056, "CS", b"JO"), Node(0x00321060, "LO", b"CHEST ")
    latin, own = Node(0x00080005, "CS", b"ISO_IR 100"), {"PatientName": b"Jo\xe0^Quillfordax"}

    assert become_the_same(context, image(latin, kind, request, **own), image(latin, kind, **own))


def test_a_number_that_is_a_moved_date_may_stand_nowhere_else(context: pipeline.Context) -> None:
    number = moved(context, "20190417").encode()
    calibrated, series = Node(0x00181200, "DA", b"20190417"), Node(0x00200011, "IS", number)
    own = {"AccessionNumber": number}

    assert become_the_same(context, image(calibrated, series, **own), image(series, **own))


@pytest.mark.parametrize("declared", [b"utf8", b"koi8-r", b"greek "])
def test_a_character_set_that_cannot_stay_is_no_longer_what_texts_are_in(
    context: pipeline.Context, declared: bytes
) -> None:
    file = image(Node(0x00080005, "CS", declared), Node(0x00081090, "LO", "Грудь".encode("koi8-r")))

    assert become_the_same(context, file, file)


def test_a_header_that_may_hold_more_elements_than_are_read_is_not_recalled(context: pipeline.Context) -> None:
    remembering = worker(context)
    outcome(remembering, image())

    assert remembering._memo.recall(image(Node(0x00420011, "OB", bytes(8 * MAX_ELEMENTS)))) is None
