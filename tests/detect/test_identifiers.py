"""A study's identifiers are collected at every depth and found in written bytes in every encoding."""

from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from governance import dicom, read
from governance.datatypes import Identifiers, Instance
from governance.detect import identifiers
from governance.detect.identifiers import collect, search, search_compressed

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
UID = "1.2.276.0.7230010.3.1.2.8323329.1001"
LATIN = ("iso8859",)


def in_pixels(data: bytes, known: Identifiers) -> tuple[str, ...]:
    return search_compressed(lambda: [data], known, codecs=LATIN)


def instance_of(dataset: Dataset, *, explicit: bool = True) -> Instance:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = UID
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return read.parse(buffer.getvalue())


def person() -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Yamada^Tarou Ken-ji=山田^太郎=やまだ^たろう"
    dataset.PatientID = "PX-4471"
    dataset.PatientBirthDate = "19470829"
    dataset.StudyDate = "20210312"
    dataset.AcquisitionDateTime = "20210313101500.5+0100"
    dataset.AccessionNumber = "88120045"
    dataset.DeviceUID = "1.3.6.1.4.1.99.1.2.3"
    dataset.DateOfLastCalibration = "20200202"
    dataset.PatientAddress = "Kastanienallee 12, 10435 Berlin"
    step = Dataset()
    step.ScheduledPerformingPhysicianName = "Okonkwo^Ngozi"
    step.ScheduledProcedureStepID = "SPS-7781"
    step.ReferencedSOPInstanceUID = UID + ".5"
    dataset.RequestAttributesSequence = [step]
    hidden = Dataset()
    hidden.OperatorsName = "Brzęczyk^Ola"
    block = dataset.private_block(0x0009, "GOVERNANCE TEST", create=True)
    block.add_new(0x01, "SQ", [hidden])
    return dataset


@pytest.mark.parametrize("explicit", [True, False])
def test_collects_at_every_depth(explicit: bool) -> None:
    found = collect(instance_of(person(), explicit=explicit))

    assert {"Yamada", "Tarou", "Ken", "ji", "Ken-ji", "山田", "太郎", "やまだ", "Okonkwo", "Ngozi"} <= found.names
    assert {"PX-4471", "88120045", "SPS-7781"} <= found.numbers
    assert {"19470829", "20210312", "20210313"} == found.dates
    assert {UID, UID + ".5"} == found.uids
    assert "Kastanienallee" in found.names


def test_collects_names_inside_private_sequences() -> None:
    assert {"Brzęczyk", "Ola"} <= collect(instance_of(person())).names


def test_does_not_collect_what_belongs_to_devices_and_classes() -> None:
    found = collect(instance_of(person()))

    assert not any(uid.startswith(("1.2.840.10008", "1.3.6.1.4.1.99")) for uid in found.uids)
    assert "20200202" not in found.dates


def test_every_identifier_is_found_in_the_bytes_it_came_from() -> None:
    instance = instance_of(person())

    assert search(bytes(instance.buffer), collect(instance), codecs=instance.codecs) == ("date", "id", "name", "uid")


def test_printing_identifiers_shows_none() -> None:
    assert repr(collect(instance_of(person()))) == "<Identifiers>"


names = st.sampled_from(
    ["Ada", "Okonkwo", "Müller", "Zaborowski", "Ñandú", "O'Sullivan", "Łoś", "Иванова", "山田", "김철수"]
)
cases = st.sampled_from([str, str.upper, str.lower, str.title])
padding = st.binary(max_size=40).map(lambda data: data.translate(None, bytes(range(0x30, 0x7B))))


@given(name=names, case=cases, codec=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]), around=padding)
@settings(max_examples=300)
def test_a_name_is_found_in_every_case_and_encoding(name: str, case: type[str], codec: str, around: bytes) -> None:
    gap = " ".encode(codec)
    data = around + gap + case(name).encode(codec) + gap + around

    assert search(data, Identifiers(names=frozenset({name})), codecs=LATIN) == ("name",)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("Müller", "ISO_IR 100"),
        ("Θεοδώρου", "ISO_IR 126"),
        ("Иванова", "ISO_IR 144"),
        ("山田", "\\ISO 2022 IR 87"),
        ("山田", "ISO_IR 13\\ISO 2022 IR 87"),
        ("김희중", "\\ISO 2022 IR 149"),
        ("王小东", "GB18030"),
    ],
)
def test_a_name_is_found_in_the_character_set_of_the_file(name: str, declared: str) -> None:
    codecs = dicom.encodings(declared)
    written = b"PN\x20\x00" + dicom.encode(f"X^{name}^Y", codecs)

    assert search(written, Identifiers(names=frozenset({name})), codecs=codecs) == ("name",)


@given(
    day=st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}"),
    time=st.sampled_from(["", "10", "1015", "101530"]),
    wide=st.booleans(),
    tag=st.sampled_from([b"\x08\x00", b"\x32\x00", b"\x38\x00", b"\x54\x00"]),
)
def test_a_day_is_found_also_as_the_beginning_of_a_time(day: str, time: str, wide: bool, tag: bytes) -> None:
    written = (day + time).encode("utf-16-le") if wide else (day + time).encode()

    assert search(b"DT\x0e\x00" + written + tag, Identifiers(dates=frozenset({day})), codecs=LATIN) == ("date",)


@pytest.mark.parametrize("tag", [0x00320010, 0x00380010, 0x00540011, 0x00620001, 0x70531000, 0x00080020])
@pytest.mark.parametrize("explicit", [True, False])
def test_the_first_byte_of_the_next_tag_hides_nothing(tag: int, explicit: bool) -> None:
    """Groups such as 0054 begin with a byte that reads as a letter, 0032 with one that reads as a digit."""
    data = b"".join(
        dicom.header(place, vr, len(value), explicit=explicit) + value
        for place, vr, value in (
            (0x00080050, "SH", b"882210"),
            (tag, "LO", b"thin"),
            (0x00081050, "PN", b"Okon"),
            (tag, "LO", b"thin"),
            (0x0020000D, "UI", b"1.2.3.4.55"),
            (tag, "LO", b"thin"),
        )
    )
    known = Identifiers(frozenset({"Okon"}), frozenset({"882210"}), frozenset({"1.2.3.4.55"}))

    assert search(data, known, codecs=LATIN) == ("id", "name", "uid")


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("123-45-6789", b" 123-45-6789 "),
        ("123-45-6789", b" 123456789 "),
        ("1234567-8", b"DS\x0a\x001234567-8 "),
        ("12-345-678", b"12-345-678"),
        ("AB1234", b"SH\x06\x00AB1234\x32\x00\x60\x10LO\x04\x00"),
        ("AB123", b" ab123 "),
        ("MRN-7654321", b"IS\x08\x007654321 "),
        ("MRN.7654321", b" 7654321 "),
        ("WEBERHOF", b" Weberhof "),
    ],
)
def test_a_number_is_found_as_it_is_written_and_by_its_digits(number: str, written: bytes) -> None:
    assert search(written, Identifiers(numbers=frozenset({number})), codecs=LATIN) == ("id",)


@pytest.mark.parametrize("number", ["1", "12", "1-2", "CT1", "CT12", "HEAD1", "Study 1", "CE CIRCULAR ECT"])
def test_a_number_too_short_to_be_told_from_chance_is_not_looked_for(number: str) -> None:
    known = Identifiers(numbers=frozenset({number}))

    assert search(f" {number} ".encode(), known, codecs=LATIN) == ()


def test_the_parts_of_a_uid_inside_a_number_are_not_looked_for_alone() -> None:
    """Siemens makes procedure step IDs of the device's UID, which ends in its serial number."""
    known = Identifiers(numbers=frozenset({"12.04.14-DST-1.3.12.2.1107.5.2.32.35235"}))

    assert search(b" 35235 ", known, codecs=LATIN) == ()


@pytest.mark.parametrize("written", ["XU YI", "Yi, Xu", "xu_yi", "Yi-Xu", "Xu.Yi", "XUYI", "Xu^Yi"])
def test_a_name_of_two_short_parts_is_found_together(written: str) -> None:
    known = Identifiers(names=frozenset(identifiers._name_parts("Xu^Yi")))

    assert search(f"CS {written} ".encode(), known, codecs=LATIN) == ("name",)
    assert search(b"CS XU, T1 YI ", known, codecs=LATIN) == ()


def test_a_name_of_two_characters_is_found_together() -> None:
    known = Identifiers(names=frozenset(identifiers._name_parts("王^伟")))

    assert search("CT 王伟 ".encode(), known, codecs=LATIN) == ("name",)


@pytest.mark.parametrize("name", ["QUILLFEATHER_ADA", "Ada_Quillfeather^^^", "Brannock-Quillfeather", "Quillfeather.A"])
def test_a_part_of_a_name_is_found_however_it_is_joined_to_the_others(name: str) -> None:
    known = Identifiers(names=frozenset(identifiers._name_parts(name)))

    assert search(b"ROOM-QUILLFEATHER 2", known, codecs=LATIN) == ("name",)


def test_of_a_name_of_very_many_short_words_only_neighbours_are_looked_for() -> None:
    """Each two of 400 words in each order and spelling take hours."""
    words = [f"{first}{second}" for first in "bcdfghjklmnpqrstvwxz" for second in "aeiouy" * 4]
    found = Identifiers(names=frozenset({" ".join(words) + "^Xu"}))

    assert search(f"seen as {words[6]} {words[7]} today".encode(), found) == ("name",)
    assert search(f"seen as {words[6]} {words[90]} today".encode(), found) == ()


@pytest.mark.parametrize("name", ["PET^CT", "De La^X", "QA^1"])
def test_short_words_that_nobody_is_called_are_not_looked_for(name: str) -> None:
    known = Identifiers(names=frozenset(identifiers._name_parts(name)))

    assert search(b"CS PET CT de la QA 1 ", known, codecs=LATIN) == ()


@pytest.mark.parametrize(
    ("age", "birth", "ages"),
    [
        ("097Y", "", {"97"}),
        ("97", "", {"97"}),
        ("042Y", "19270304", {"93", "94"}),
        ("089Y", "19320101", set()),
        ("", "18000101", set()),
        ("012M", "", set()),
    ],
)
def test_collects_the_age_above_89(age: str, birth: str, ages: set[str]) -> None:
    dataset = Dataset()
    dataset.add_new("PatientAge", "AS", age)
    dataset.PatientBirthDate, dataset.StudyDate, dataset.SeriesDate = birth, "20210303", "20210304"

    assert collect(instance_of(dataset)).ages == ages


def test_collects_a_name_by_the_character_set_of_its_item() -> None:
    dataset, step = Dataset(), Dataset()
    step.SpecificCharacterSet, step.PerformingPhysicianName = "ISO_IR 144", "Иванова^Анна"
    dataset.SpecificCharacterSet, dataset.RequestAttributesSequence = "ISO_IR 100", [step]

    assert {"Иванова", "Анна"} <= collect(instance_of(dataset)).names


@pytest.mark.parametrize(
    ("written", "known"),
    [
        pytest.param(b" Adaptive filter ", Identifiers(names=frozenset({"Ada"})), id="part of a word"),
        pytest.param(b"UI 1.2.3.4.5.6.7 ", Identifiers(uids=frozenset({"1.2.3.4.5.6"})), id="beginning of a UID"),
        pytest.param(b" 9912345600 ", Identifiers(numbers=frozenset({"123456"})), id="inside a number"),
        pytest.param(b" 0.123456 ", Identifiers(numbers=frozenset({"123456"})), id="fraction"),
        pytest.param(b" 1234 ", Identifiers(numbers=frozenset({"1234"})), id="short number"),
        pytest.param(b" CHEST ", Identifiers(names=frozenset({"CHEST"})), id="clinical word"),
        pytest.param(b" version 1.2.3 ", Identifiers(uids=frozenset({"1.2.3"})), id="version"),
        pytest.param(b" 2021031 ", Identifiers(dates=frozenset({"20210312"})), id="cut date"),
        pytest.param(b"\xc3\xff\x91ada\x8e\xe7\x03", Identifiers(names=frozenset({"Ada"})), id="binary data"),
    ],
)
def test_does_not_take_chance_for_an_identifier(written: bytes, known: Identifiers) -> None:
    assert search(written, known, codecs=LATIN) == ()


def test_finds_a_name_of_clinical_words_as_a_whole() -> None:
    known = Identifiers(names=frozenset({"HEAD", "PHANTOM", "HEAD^PHANTOM"}))

    assert search(b"PN Phantom Head ", known, codecs=LATIN) == ("name",)
    assert search(b"CT HEAD ", known, codecs=LATIN) == ()


def test_finds_a_date_of_the_retired_form() -> None:
    assert search(b"DA\x0a\x001996.06.11", Identifiers(dates=frozenset({"19960611"})), codecs=LATIN) == ("date",)


def test_does_not_look_at_what_is_skipped_or_allowed() -> None:
    known = Identifiers(frozenset({"Okonkwo"}), frozenset({"88120045"}), frozenset({UID}), frozenset({"20210312"}))
    data = b"head " + f"Okonkwo {UID} ".encode() + b"20210312 88120045 tail"

    assert search(data, known, codecs=LATIN, skip=[(4, len(data) - 4)]) == ()
    assert search(data, known, codecs=LATIN, allowed=frozenset({"20210312", "88120045"})) == ("name", "uid")


@pytest.mark.parametrize(("name", "expected"), [("Okon", ()), ("Okonkwo", ("name",))])
@pytest.mark.parametrize("codec", ["latin-1", "utf-16-le", "utf-16-be"])
def test_looks_for_long_names_in_compressed_pixels(name: str, expected: tuple[str, ...], codec: str) -> None:
    """Four letters turn up in megabytes of compressed pixels by chance; seven do not."""
    pixels = b"\xff\xfe\x81" + name.encode(codec) + b"\x91\xe3"

    assert in_pixels(pixels, Identifiers(names=frozenset({name}))) == expected


@given(before=st.binary(max_size=40), after=st.binary(max_size=40), place=st.integers(0, 2))
def test_finds_identifiers_wherever_compressed_pixels_hold_them(before: bytes, after: bytes, place: int) -> None:
    kind, written = [("name", b"OKONKWO"), ("uid", UID.encode()), ("id", b"A/B-7654321")][place]
    known = Identifiers(names=frozenset({"Okonkwo"}), numbers=frozenset({"A/B-7654321"}), uids=frozenset({UID}))

    assert kind in in_pixels(before + b"\xff" + written + b"\xff" + after, known)


def test_finds_a_name_that_lies_on_the_border_of_two_windows() -> None:
    known = Identifiers(names=frozenset({"Okonkwo"}))

    for place in range((1 << 18) - 8, (1 << 18) + 1):
        assert in_pixels(b"\x80" * place + b"Okonkwo\x80", known) == ("name",)


@pytest.mark.parametrize("name", ["Okonkwo", "Müßigbrød"])
def test_finds_a_name_behind_much_that_could_be_text(name: str) -> None:
    def parts() -> list[bytes]:
        return [b"\xff\xfe", b"Zq9~" * 50_000, b"\x80" * 100_000, b"\x81" + name.encode() + b"\x82", b"\xff\xd9"]

    assert search_compressed(parts, Identifiers(names=frozenset({name})), codecs=LATIN) == ("name",)


def test_finds_a_name_beyond_ascii_in_compressed_pixels() -> None:
    known = Identifiers(names=frozenset({"Müßigbrød"}))

    assert in_pixels(b"\x80\x81" + "Müßigbrød".encode() + b"\x82", known) == ("name",)


def test_real_files_hold_the_identifiers_that_were_collected_from_them() -> None:
    for path in sorted(BUNDLED.glob("CT_*.dcm")) + sorted(BUNDLED.glob("MR_small*.dcm")):
        instance = read.parse(path.read_bytes())
        found = collect(instance)

        assert {"date", "uid"} <= set(search(bytes(instance.buffer), found, codecs=instance.codecs)), path.name


def test_class_uids_are_told_by_their_keyword() -> None:
    kept = ("SOPClassUID", "ReferencedSOPClassUID", "TransferSyntaxUID", "CodingSchemeUID")

    assert not any(identifiers.kind_of(dicom.tag_of(keyword) or 0, "UI") for keyword in kept)
    assert identifiers.kind_of(dicom.tag_of("ReferencedSOPInstanceUID") or 0, "UI")


@pytest.mark.parametrize(
    ("number", "written"),
    [
        pytest.param("7654321", b"0007654321", id="zeros before it"),
        pytest.param("00076543", b"76543", id="its own zeros are gone"),
        pytest.param("7654321", b"7654321.0", id="as a decimal"),
        pytest.param("7654321", b"1.2.276.0.7654321.2", id="in a UID"),
    ],
)
def test_finds_an_own_number_however_a_number_is_written(number: str, written: bytes) -> None:
    assert search(b"\0" + written + b"\0", Identifiers(numbers=frozenset({number})), codecs=LATIN) == ("id",)


@pytest.mark.parametrize("written", [b"0.76543", b"17654321", b"1.5.7"])
def test_a_number_that_only_looks_like_it_is_no_identifier(written: bytes) -> None:
    assert search(b"\0" + written + b"\0", Identifiers(numbers=frozenset({"76543"})), codecs=LATIN) == ()


@pytest.mark.timeout(30)
@given(st.frozensets(st.text(st.sampled_from("\x1b\0$()B2V花ab"), min_size=2, max_size=6), min_size=1, max_size=3))
def test_no_name_is_everywhere(names: frozenset[str]) -> None:
    """The escape of a character set that nothing declares can begin a name; searching must come to its end."""
    assert search(b"\x10\0\x10\0PN\x04\0\x01\x02\x03\x04", Identifiers(names=names), codecs=LATIN) == ()


@pytest.mark.parametrize("name", ["\x1b$B;3EDED;3", "Weberhof"])
def test_a_name_is_found_beside_one_that_begins_with_an_undeclared_escape(name: str) -> None:
    found = Identifiers(names=frozenset({"\x1b$B2V", name}))

    assert search(b"\x10\0\x10\0PN\x10\0" + name.encode() + b"  ", found, codecs=LATIN) == ("name",)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("number", ["ABC-123", "Q12-XY9", "ABC-DEF-9"])
def test_a_number_in_utf_16_is_found_though_none_of_its_words_is_long(number: str, codec: str) -> None:
    written = b"\x10\0\x20\0LO\x20\0" + number.encode(codec) + b" \0\x10\0"

    assert search(written, Identifiers(numbers=frozenset({number})), codecs=LATIN) == ("id",)


@given(
    st.sampled_from(["ABC-123", "Arm Leg^Hip", "7654321", "Quillfeather", "Xu^Yi", "\x00\x1b2花"]),
    st.sampled_from(["ascii", "utf-8", "utf-16-le", "utf-16-be"]),
    st.lists(st.sampled_from(["custom", "Xu and Yi", "abc", "1", "hip leg", "Arm"]), max_size=4),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
)
def test_what_is_found_does_not_depend_on_what_else_is_there(
    own: str, codec: str, others: list[str], theirs: str
) -> None:
    identifying = Identifiers(names=frozenset({own}), numbers=frozenset({own}))
    written = b"\0\0" + own.encode(codec, "replace") + b"\0\0"
    beside = b"\0\0".join(other.encode(theirs) for other in others)

    together = search(written + b"\n\n" + beside, identifying, codecs=LATIN)

    assert set(together) == {
        kind for piece in (written, b"\0\0" + beside) for kind in search(piece, identifying, codecs=LATIN)
    }


@pytest.mark.parametrize("name", ["??", "--^**", "\0\x1b", "\x1b\x1b", "\x00\x1b2花", "\0\0花"])
def test_what_says_nothing_is_not_looked_for(name: str) -> None:
    said = b"\x10\0\x10\0PN\x08\0?? -- ** \0\0\x1b\x1b\0\x1b"

    assert search(said, Identifiers(names=frozenset({name})), codecs=LATIN) == ()


@pytest.mark.parametrize("codec", ["undefined", "idna", "punycode", "hex"])
def test_a_character_set_that_is_no_alphabet_does_not_stop_the_search(codec: str) -> None:
    found = Identifiers(names=frozenset({"Müllerhof."}))

    assert search("\0Müllerhof.".encode(), found, codecs=(codec,)) == ("name",)
