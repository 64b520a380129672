"""What is not edited is copied byte by byte; what is edited is well formed; nothing else gets in."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance import dicom, read, write
from governance.datatypes import Added, Edits, Element, Instance
from governance.errors import Refused
from tests.read.datasets import datasets, differences, encoded, readable
from tests.read.test_dicom import NAME, body, head, pixels
from tests.read.test_elements import UID, element, item

EXPLICIT, IMPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def written(instance: Instance, edits: Edits | None = None, added: tuple[Added, ...] = (), **options: object) -> bytes:
    return b"".join(write.instance(instance, edits or {}, added, **options))  # type: ignore[arg-type]


def data_set(file: bytes) -> bytes:
    """What follows the file meta information."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


def parsed(*elements: bytes, syntax: str = EXPLICIT) -> Instance:
    explicit = syntax != IMPLICIT
    sop = element(0x00080018, "UI", UID, explicit=explicit)
    return read.parse(head(syntax) + element(0x00080016, "UI", UID, explicit=explicit) + sop + b"".join(elements))


def at(instance: Instance, tag: int) -> Element:
    return next(each for each in instance.walk() if each.tag == tag)


def writable() -> Iterator[tuple[Path, Instance]]:
    for path, _, instance in readable():
        if instance.text("SOPInstanceUID") and instance.text("SOPClassUID"):
            yield path, instance


def test_real_files_without_edits_keep_every_byte_of_the_data_set() -> None:
    compared = 0
    for path, instance in writable():
        tags = [each.tag for each in instance.elements]
        if tags != sorted(tags) or any((each.end - each.header) % 2 for each in instance.elements):
            continue
        expected = b"".join(
            bytes(instance.buffer[each.header : each.end]) for each in instance.elements if each.tag & 0xFFFF
        )
        assert data_set(written(instance)) == expected, path.name
        compared += 1
    assert compared >= 70


def test_real_files_without_edits_read_the_same_in_pydicom() -> None:
    for path, instance in writable():
        output = written(instance)
        again = read.parse(output)
        if len(output) < 300_000:
            theirs = pydicom.dcmread(BytesIO(output))
            assert differences(again, again.elements, theirs) == [], path.name
        assert facts(instance) == facts(again), path.name
        assert (0, "", bytes(128)) == (again.trailing, again.repaired, again.preamble)
        assert instance.transfer_syntax == again.transfer_syntax


def facts(instance: Instance) -> list[tuple[object, ...]]:
    plain = (each for each in instance.elements if each.tag & 0xFFFF and not each.items)
    return sorted((each.tag, each.vr, each.creator, dicom.pad(instance.value(each), each.vr)) for each in plain)


@settings(max_examples=120, deadline=None)
@given(dataset=datasets(), explicit=st.booleans(), data=st.data())
def test_exactly_the_edits_happen(dataset: Dataset, explicit: bool, data: st.DataObject) -> None:
    """Whatever is removed, emptied or replaced at whatever depth, the rest stays as it is."""
    instance = read.parse(encoded(dataset, explicit=explicit))
    everything = [each for each in instance.walk() if each.tag not in (0x00080016, 0x00080018)]
    chosen = data.draw(st.lists(st.sampled_from(everything), unique=True, max_size=6)) if everything else []
    edits: Edits = {each: data.draw(st.sampled_from((None, b"", b"ODD"))) for each in chosen}
    for each in edits:
        if each.items is not None and edits[each]:
            edits[each] = b""

    again = read.parse(written(instance, edits))

    assert flat(instance, instance.elements, edits) == flat(again, again.elements, {})
    theirs = pydicom.dcmread(BytesIO(written(instance, edits)))
    assert differences(again, again.elements, theirs) == []


def flat(instance: Instance, elements: tuple[Element, ...], edits: Edits) -> list[object]:
    """Tags and values as they are after `edits`; padding does not count."""
    found: list[object] = []
    for each in elements:
        value = edits.get(each, instance.value(each))
        if value is None:
            continue
        if each.items is None or each in edits:
            found.append((each.tag, (value or b"").rstrip(b" \0")))
        else:
            found.append((each.tag, [flat(instance, one.elements, edits) for one in each.items]))
    return [(tag, [] if value == b"" else value) for tag, value in found]  # type: ignore[misc]


def test_nothing_of_the_source_is_in_the_head() -> None:
    secret = b"SECRET"
    meta = element(0x00020016, "AE", secret) + element(0x00020100, "UI", b"1.2\0") + element(0x00020102, "OB", secret)
    source = (
        (secret * 22)[:128]
        + b"DICM"
        + element(0x00020003, "UI", secret)
        + element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    )
    instance = read.parse(source + meta + body() + element(0x00200011, "IS", b"1 ") + pixels() + secret)
    output = written(instance, {}, (Added(0x00080018, "UI", b"2.25.1"),))

    assert secret not in output
    again = read.parse(output)
    assert {
        0x00020000: (len(output) - len(data_set(output)) - 144).to_bytes(4, "little"),
        0x00020001: b"\0\1",
        0x00020002: UID,
        0x00020003: b"2.25.1",
        0x00020010: EXPLICIT.encode() + b"\0",
        0x00020012: b"2.25.250682585381552499896224307746855494562",
        0x00020013: b"GOVERNANCE_01 ",
    } == {each.tag: again.value(each) for each in again.meta}


def test_media_storage_uid_is_the_new_one() -> None:
    instance = parsed()
    output = read.parse(written(instance, {at(instance, 0x00080018): b"2.25.77"}))

    assert [output.value(each) for each in output.meta if each.tag == 0x00020003] == [b"2.25.77\0"]
    assert output.text("SOPInstanceUID") == "2.25.77"


@pytest.mark.parametrize("edit", [None, b""])
def test_instance_without_uid_is_refused(edit: bytes | None) -> None:
    instance = parsed()
    with pytest.raises(Refused, match="SOPInstanceUID is missing or empty"):
        write.instance(instance, {at(instance, 0x00080018): edit}, [])


def test_elements_are_written_in_order() -> None:
    instance = parsed(
        element(0x00100010, "PN", b"AB"), element(0x00080060, "CS", b"OT"), element(0x00100020, "LO", b"ID")
    )
    output = read.parse(written(instance, {}, (Added(0x00080070, "LO", b"governance"),)))

    assert [each.tag for each in output.elements] == [
        0x00080016,
        0x00080018,
        0x00080060,
        0x00080070,
        0x00100010,
        0x00100020,
    ]


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [("LO", b"odd", b"odd "), ("UI", b"1.2", b"1.2\0"), ("OW", b"\1\2\3", b"\1\2\3\0"), ("LO", b"even", b"even")],
)
def test_values_are_padded_by_their_vr(vr: str, value: bytes, expected: bytes) -> None:
    output = read.parse(written(parsed(), {}, (Added(0x00189999, vr, value),)))

    assert expected == output.value(at(output, 0x00189999))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_group_lengths_and_trailing_bytes_are_dropped(syntax: str) -> None:
    explicit = syntax == EXPLICIT
    length = element(0x00100000, "UL", b"\x0a\0\0\0", explicit=explicit)
    nested = element(
        0x00400275, "SQ", item(length, element(0x00100020, "LO", b"ID", explicit=explicit)), explicit=explicit
    )
    instance = parsed(length, nested, pixels(explicit=explicit), NAME.encode(), syntax=syntax)
    output = written(instance, {at(instance, 0x00100020): b"NEW "})

    assert NAME.encode() not in output
    assert [each.tag for each in read.parse(output).walk()][2:] == [0x00400275, 0x00100020, dicom.PIXEL_DATA]


def test_untouched_neighbours_are_one_part() -> None:
    instance = parsed(element(0x00100010, "PN", b"AB"), element(0x00100020, "LO", b"ID"), pixels())

    assert len(write.instance(instance, {}, [])) == 2
    assert len(write.instance(instance, {at(instance, 0x00100020): b"NEW"}, [])) == 4


def un_sequence(*elements: bytes) -> bytes:
    return element(0x00400275, "UN", item(*elements))


def test_untouched_sequence_in_un_is_copied() -> None:
    hidden = un_sequence(element(0x00100010, "PN", b"Testfall^M", explicit=False))

    assert data_set(written(parsed(hidden))).endswith(hidden)


def test_changed_sequence_in_un_becomes_an_explicit_sequence() -> None:
    inner = element(0x00081115, "SQ", item(element(0x00280010, "US", b"\7\0", explicit=False)), explicit=False)
    hidden = un_sequence(inner, element(0x00100010, "PN", b"Testfall^M", explicit=False))
    instance = parsed(hidden)
    output = written(instance, {at(instance, 0x00100010): b"NEW"})

    expected = element(
        0x00400275,
        "SQ",
        item(element(0x00081115, "SQ", item(element(0x00280010, "US", b"\7\0"))), element(0x00100010, "PN", b"NEW ")),
    )
    assert data_set(output).endswith(expected)


@pytest.mark.parametrize(("representation", "vr"), [(b"\0\0", "US"), (b"\1\0", "SS")])
def test_numbers_in_a_changed_sequence_in_un_are_signed_where_pixels_are(representation: bytes, vr: str) -> None:
    mapped = element(0x00409211, "US", b"\0\xfc", explicit=False) + element(0x0040A0B0, "US", b"\1\0", explicit=False)
    hidden = element(0x00409096, "UN", item(element(0x00283003, "LO", b"ABCD", explicit=False), mapped))
    instance = parsed(element(dicom.PIXEL_REPRESENTATION, "US", representation), hidden)
    output = written(instance, {at(instance, 0x00283003): b"NEW"})

    changed = item(
        element(0x00283003, "LO", b"NEW "), element(0x00409211, vr, b"\0\xfc"), element(0x0040A0B0, "US", b"\1\0")
    )
    assert data_set(output).endswith(element(0x00409096, "SQ", changed))


def test_changed_private_sequence_stays_recognisable_in_the_implicit_encoding() -> None:
    def name(value: bytes) -> bytes:
        return item(element(0x00100010, "PN", value, explicit=False))

    creator = element(0x00090010, "LO", b"UNHEARD OF", explicit=False)
    instance = parsed(creator, element(0x00091001, "UN", name(b"Testfall^M"), explicit=False), syntax=IMPLICIT)
    output = written(instance, {at(instance, 0x00100010): b"NEW"})

    undefined = dicom.header(0x00091001, "SQ", dicom.UNDEFINED, explicit=False)
    assert data_set(output).endswith(creator + undefined + name(b"NEW ") + SEQUENCE_END)


def test_changed_un_element_gets_the_vr_of_the_standard() -> None:
    instance = parsed(element(0x00100010, "UN", b"Testfall^M"), element(0x00100020, "UN", b"ID"))
    output = data_set(written(instance, {at(instance, 0x00100010): b"NEW"}))

    assert output.endswith(element(0x00100010, "PN", b"NEW ") + element(0x00100020, "UN", b"ID"))


def test_value_too_long_for_its_vr_is_declared_un() -> None:
    output = read.parse(written(parsed(), {}, (Added(0x00104000, "LT", b"x" * 70_000),)))

    assert output.value(at(output, 0x00104000)) == b"x" * 70_000


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_items_are_appended_behind_those_that_stay(syntax: str) -> None:
    explicit = syntax == EXPLICIT

    def of(name: bytes) -> bytes:
        return item(element(0x00080080, "LO", name, explicit=explicit))

    instance = parsed(element(0x0018A001, "SQ", of(b"HOSPITAL") + of(b"ARCHIVE "), explicit=explicit), syntax=syntax)
    first = at(instance, 0x00080080)
    sequence = at(instance, 0x0018A001)

    for edits, kept in (
        ({}, of(b"HOSPITAL") + of(b"ARCHIVE ")),
        ({first: b"NEW "}, of(b"NEW ") + of(b"ARCHIVE ")),
        ({first: None}, item() + of(b"ARCHIVE ")),
        ({sequence: b""}, b""),
        ({sequence: None}, b""),
    ):
        output = data_set(written(instance, edits, appended_items={0x0018A001: of(b"OURS")}))
        assert output.endswith(element(0x0018A001, "SQ", kept + of(b"OURS"), explicit=explicit))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_an_odd_value_is_padded_at_any_depth(syntax: str) -> None:
    """Also inside a sequence: its length follows, or nobody could read what comes behind it."""
    explicit = syntax == EXPLICIT
    odd = element(0x00081030, "LO", b"odd", explicit=explicit)
    even = element(0x00081030, "LO", b"odd ", explicit=explicit)

    def around(value: bytes) -> bytes:
        deep = element(0x00081115, "SQ", item(value), explicit=explicit)
        return value + element(0x00400275, "SQ", item(deep) + item(value), explicit=explicit) + around_pixels

    around_pixels = pixels(explicit=explicit)

    assert data_set(written(parsed(around(odd), syntax=syntax))).endswith(around(even))


def test_odd_fragments_stay_as_they_are() -> None:
    stream = COMPRESSED + encapsulated(b"", b"odd")

    assert data_set(written(parsed(stream, syntax=JPEG))).endswith(stream)


def test_items_are_appended_where_there_was_no_sequence() -> None:
    output = data_set(written(parsed(pixels()), appended_items={0x0018A001: item()}))

    assert output.endswith(element(0x0018A001, "SQ", item()) + pixels())


def test_added_element_replaces_the_source_s_own() -> None:
    instance = parsed(element(0x00120062, "CS", b"NO"))
    output = data_set(written(instance, {}, (Added(0x00120062, "CS", b"YES"),)))

    assert output.endswith(element(0x00120062, "CS", b"YES "))
    assert b"NO" not in output


def encapsulated(*fragments: bytes) -> bytes:
    return b"".join(map(item, fragments)) + SEQUENCE_END


COMPRESSED = dicom.header(dicom.PIXEL_DATA, "OB", dicom.UNDEFINED, explicit=True)


@pytest.mark.parametrize("given", [encapsulated(b"", b"cleaned!"), encapsulated(b"", b"cleaned!")[:-8]])
def test_edited_encapsulated_pixels_stay_encapsulated(given: bytes) -> None:
    instance = parsed(COMPRESSED + encapsulated(b"", b"original"), syntax=JPEG)
    output = written(instance, {at(instance, dicom.PIXEL_DATA): given})

    assert data_set(output).endswith(COMPRESSED + encapsulated(b"", b"cleaned!"))


def test_decoded_pixels_are_written_with_their_length() -> None:
    instance = parsed(COMPRESSED + encapsulated(b"", b"original"), syntax=JPEG)
    output = written(instance, {}, (Added(dicom.PIXEL_DATA, "OW", b"\1\2\3\4"),), transfer_syntax=EXPLICIT)

    assert data_set(output).endswith(element(dicom.PIXEL_DATA, "OW", b"\1\2\3\4"))
    assert read.parse(output).transfer_syntax == EXPLICIT


def test_compressed_pixels_are_written_without_length() -> None:
    value = encapsulated(b"", b"new JPEG")
    output = written(parsed(pixels()), {}, (Added(dicom.PIXEL_DATA, "OW", value),), transfer_syntax=JPEG)

    assert data_set(output).endswith(COMPRESSED + value)
    assert len(read.parse(output).fragments) == 2


def test_compressed_value_that_is_no_stream_of_items_is_refused() -> None:
    instance = parsed(COMPRESSED + encapsulated(b"", b"original"), syntax=JPEG)
    with pytest.raises(Refused, match="no stream of items"):
        write.instance(instance, {at(instance, dicom.PIXEL_DATA): b"\xff\xd8\xff\xd9"}, [])


@pytest.mark.parametrize(
    ("source", "syntax", "reason"),
    [
        (IMPLICIT, EXPLICIT, "another encoding"),
        (IMPLICIT, JPEG, "another encoding"),
        (EXPLICIT, IMPLICIT, "another encoding"),
        (EXPLICIT, JPEG, "the pixel data does not"),
    ],
)
def test_transfer_syntax_that_the_bytes_would_not_follow_is_refused(source: str, syntax: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        write.instance(parsed(pixels(explicit=source != IMPLICIT), syntax=source), {}, [], transfer_syntax=syntax)


def test_same_input_gives_the_same_bytes() -> None:
    def once() -> bytes:
        instance = parsed(element(0x00100010, "PN", b"AB"), pixels())
        return written(instance, {at(instance, 0x00100010): b"NEW"}, (Added(0x00120062, "CS", b"YES"),))

    assert once() == once()
