"""What identifies after writing is told by its kind and its attribute, never by its value."""

import pytest

from governance import dicom, read
from governance.datatypes import Identifiers, Instance
from governance.errors import Leak
from governance.pipeline.left import MOST_NAMED, refuse_left
from tests.read.test_elements import element, item, parsed

NAME, NUMBER, DAY, UID = "Quillfeather", "83920174", "19420317", "1.2.999.3.4.5.6789"
FOUND = Identifiers(names=frozenset({NAME}), numbers=frozenset({NUMBER}), dates=frozenset({DAY}), uids=frozenset({UID}))
DESCRIPTION, COMMENTS, PROCEDURE = 0x00081030, 0x00104000, 0x00321064


def text(tag: int, value: str) -> bytes:
    return dicom.element(tag, "LO", value.encode(), explicit=True)


def refused(written: Instance) -> Leak:
    with pytest.raises(Leak) as leak:
        refuse_left(written.buffer, written, found=FOUND, codecs=("latin-1",), allowed=frozenset())
    told = f"{leak.value} {leak.value.hint}"
    assert [value for value in (NAME, NUMBER, DAY, UID) if value in told] == []
    return leak.value


@pytest.mark.parametrize(("value", "kind"), [(NAME, "name"), (NUMBER, "number"), (DAY, "date"), (UID, "UID")])
def test_the_kind_and_the_attribute_are_named(value: str, kind: str) -> None:
    left = refused(parsed(text(DESCRIPTION, f"of {value}"), text(COMMENTS, "nothing")))

    assert str(left) == f"still there after writing: a {kind} in StudyDescription"
    assert "governance explain" in left.hint


def test_an_attribute_in_a_sequence_is_written_as_the_path_of_a_rule() -> None:
    inside = element(PROCEDURE, "SQ", item(text(DESCRIPTION, NAME)) + item(text(DESCRIPTION, NAME)))

    where = "RequestedProcedureCodeSequence[*].StudyDescription"
    assert str(refused(parsed(inside))) == f"still there after writing: a name in {where}"


def test_a_private_attribute_is_named_without_its_creator() -> None:
    """Whoever writes a file chooses the creator's name."""
    block = text(0x00290010, f"THING OF {NAME}"), text(0x00291007, NAME)

    assert str(refused(parsed(*block))) == "still there after writing: a name in (0029,xx07)"


def test_each_kind_has_its_own_attributes() -> None:
    left = refused(parsed(text(DESCRIPTION, f"{NAME} {DAY}"), text(COMMENTS, DAY)))

    said = "a date in PatientComments and StudyDescription, a name in StudyDescription"
    assert str(left) == f"still there after writing: {said}"


def test_of_many_attributes_the_first_are_named() -> None:
    keywords = [dicom.keyword_of(0x00080100 + number) for number in range(2 * MOST_NAMED)]
    left = refused(parsed(*(text(0x00080100 + number, NAME) for number in range(2 * MOST_NAMED))))

    assert str(left).endswith(f"a name in {' and '.join(sorted(keywords)[:MOST_NAMED])} and others")


def test_a_name_in_compressed_pixels_is_no_matter_for_a_rule() -> None:
    pixels = dicom.header(dicom.PIXEL_DATA, "OB", dicom.UNDEFINED, explicit=True)
    pixels += item() + item(b"\0\1" * 40 + NAME.encode() + b"\0\1" * 40) + element(dicom.SEQUENCE_END, "", b"")

    jpeg = element(0x00020010, "UI", b"1.2.840.10008.1.2.4.50")

    left = refused(read.parse(bytes(128) + b"DICM" + jpeg + pixels))

    assert str(left) == "still there after writing: a name in PixelData"
    assert "filter" in left.hint


def test_what_no_attribute_holds_alone_is_told_all_the_same() -> None:
    """The name stands in the file meta information, which no rule of a policy is about."""
    meta = dicom.element(0x00020016, "AE", NAME.encode(), explicit=True)

    left = refused(parsed(meta, text(DESCRIPTION, "nothing")))

    assert str(left) == "still there after writing: a name"
    assert "governance plan" in left.hint


def test_nothing_is_refused_where_nothing_identifies() -> None:
    written = parsed(text(DESCRIPTION, f"of {DAY}"))

    refuse_left(written.buffer, written, found=FOUND, codecs=("latin-1",), allowed=frozenset({DAY}))


PSEUDONYM = b"DEMO-35ADA7MXH4TE4Z2K1"
SHORT = Identifiers(names=frozenset({"Ada"}), numbers=frozenset(), dates=frozenset(), uids=frozenset())


def test_a_short_name_in_drawn_letters_is_nobody() -> None:
    """Of patients called by three letters, one in some thousands is given a pseudonym with these letters in it."""
    written = parsed(dicom.element(0x00100020, "LO", PSEUDONYM, explicit=True))

    refuse_left(written.buffer, written, found=SHORT, codecs=("latin-1",), allowed=frozenset(), pseudonyms={PSEUDONYM})


@pytest.mark.parametrize("value", [b"Ada", PSEUDONYM + b" Ada", PSEUDONYM[:-1]])
def test_beside_a_pseudonym_the_name_is_still_found(value: bytes) -> None:
    """Only whole values are ours."""
    patient = dicom.element(0x00100020, "LO", PSEUDONYM, explicit=True)
    written = parsed(patient, dicom.element(COMMENTS, "LO", value, explicit=True))

    with pytest.raises(Leak) as leak:
        refuse_left(
            written.buffer, written, found=SHORT, codecs=("latin-1",), allowed=frozenset(), pseudonyms={PSEUDONYM}
        )
    assert str(leak.value) == "still there after writing: a name in PatientComments"
