"""Text is read by the character set that is declared nearest to it (PS3.3, C.12.1.1.2)."""

import pytest

from governance import dicom
from governance.datatypes import Element, Instance
from tests.read.test_elements import element, item, parsed

CHARACTER_SET, DESCRIPTION, STEPS, GROUPS, COMMENTS = 0x00080005, 0x00081030, 0x00400275, 0x52009229, 0x00204000
SETS = ["ISO_IR 192", "ISO_IR 100", "ISO_IR 144", "\\ISO 2022 IR 87", "GB18030"]
WORDS = {"ISO_IR 100": "Schädel", "ISO_IR 144": "головы", "\\ISO 2022 IR 87": "山田", "GB18030": "头部"}


def declaring(declared: str, *others: bytes) -> tuple[bytes, ...]:
    value = declared.encode()
    return element(CHARACTER_SET, "CS", value + b" " * (len(value) % 2)), *others


def described(declared: str) -> bytes:
    value = dicom.encode(word_of(declared), dicom.encodings(declared))
    return element(DESCRIPTION, "LO", value + b" " * (len(value) % 2))


def word_of(declared: str) -> str:
    return WORDS.get(declared, "Łódź 山田")


def texts(instance: Instance) -> list[str]:
    return [instance.decode(each)[0] for each in instance.walk() if each.tag == DESCRIPTION]


def only_comment(value: bytes, vr: str = "LO") -> tuple[Instance, Element]:
    instance = parsed(element(COMMENTS, vr, value))
    return instance, instance.elements[0]


@pytest.mark.parametrize("inner", SETS)
@pytest.mark.parametrize("outer", SETS)
def test_an_item_has_its_own_character_set_and_what_it_nests_has_it_too(outer: str, inner: str) -> None:
    nested = element(GROUPS, "SQ", item(described(inner)))
    step = item(*declaring(inner, described(inner)), nested)
    instance = parsed(*declaring(outer, described(outer)), element(STEPS, "SQ", step + item(described(outer))))

    assert [word_of(each) for each in (outer, inner, inner, outer)] == texts(instance)
    assert set(dicom.encodings(outer) + dicom.encodings(inner)) == set(instance.all_codecs)


def test_an_item_without_a_character_set_of_its_own_has_that_around_it() -> None:
    instance = parsed(*declaring("ISO_IR 144", element(STEPS, "SQ", item(described("ISO_IR 144")))))

    assert texts(instance) == ["головы"]
    assert instance.codecs == instance.all_codecs


def test_an_escape_that_nothing_declares_stays_in_the_text() -> None:
    """What was dropped here would pass as the harmless words of its bytes."""
    instance, comment = only_comment(b"CT \x1b$B;3ED\x1b(B ", "LT")

    assert dicom.ESCAPE in instance.decode(comment)[0]


def test_a_text_with_a_shift_is_one_value() -> None:
    """PS3.5 has no shifts; 0x5C is a byte of many Hangul in ISO-2022-KR."""
    instance, comment = only_comment(b"\x0e\x21\x5c\x0f ")

    assert len(instance.decode(comment)) == 1


def test_a_text_with_an_escape_that_nothing_declares_is_one_value() -> None:
    """The second half would lose its escape; 0x5C is a byte of 円 and many others in ISO 2022 IR 87."""
    instance, comment = only_comment(b"\x1b$B;3\x5cED3\x1b(B ")

    assert len(instance.decode(comment)) == 1
