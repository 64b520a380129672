"""Values are told apart, counted within limits, and shown on one line."""

import unicodedata
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from governance.pipeline.values import LONGEST, Tallies, Value, elements_of, read_value, shown, text_of
from tests.policy.build import at, instance

words = st.text(max_size=2 * LONGEST)


@given(words)
def test_what_is_shown_is_one_line_without_controls(text: str) -> None:
    for line in (shown(text), Value.of(text).label()):
        assert [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")] == []


@given(words)
def test_a_label_holds_no_more_of_a_text_than_its_beginning(text: str) -> None:
    value = Value.of(text)

    assert value.text == text[:LONGEST]
    assert value.size == len(text)
    assert (f"({len(text)} characters)" in value.label()) == (len(text) > LONGEST)


def test_a_value_does_not_print() -> None:
    assert repr(Value.of("Quillfeather")) == str(Value.of("Quillfeather")) == "<Value>"


@given(st.lists(st.integers(0, 9), max_size=50), st.integers(0, 12))
def test_unique_values_are_counted_up_to_the_limit_and_elements_always(keys: list[int], most: int) -> None:
    tallies: Tallies[str, int] = Tallies(most_values=most)
    for key in keys:
        tallies.add("attribute", key, key)

    first = Counter(dict.fromkeys(list(dict.fromkeys(keys))[:most], 0))
    tally = tallies.groups.get("attribute")
    assert (tally is None) == (not keys)
    if tally is not None:
        assert set(first) == set(tally.counts)
        assert {key: keys.count(key) for key in first} == tally.counts
        assert tally.elements == len(keys) == sum(tally.counts.values()) + tally.beyond


def test_numbers_are_read_as_numbers_and_long_ones_as_bytes() -> None:
    few, many = at("Rows", b"\0\2"), at("BluePaletteColorLookupTableData", bytes(64))
    made = instance(few, many)

    assert [text_of(made, element, made.value(element)) for element in made.elements[1:]] == ["512", None]


def test_two_long_texts_with_one_beginning_are_two_values() -> None:
    made = instance(at("ImageComments", "a" * 200 + "b"), at("ImageComments", "a" * 200 + "c"))

    (one, shown_one), (two, shown_two) = (read_value(made, element) for element in made.elements[1:])

    assert one != two
    assert shown_one == shown_two


def test_padding_makes_no_other_value() -> None:
    made = instance(at("StudyID", "1 "), at("StudyID", "1"))

    (one, _), (two, _) = (read_value(made, element) for element in made.elements[1:])

    assert one == two


def test_paths_have_no_item_numbers_and_private_ones_no_block() -> None:
    inner = at(0x00291234, "x", vr="LO", creator="INNER")
    step = [at("StudyID", "1")]
    made = instance(
        at("RequestAttributesSequence", [step, step]),
        at(0x00190010, "OUTER", vr="LO"),
        at(0x00191001, [[at("StudyID", "2"), inner]], creator="OUTER"),
        at(0x00191101, [[at("StudyID", "3")]], creator="OUTER"),
    )

    found = Counter(attribute for attribute, element, _ in elements_of(made) if not element.items)

    assert found == {
        ("SOPClassUID", ""): 1,
        ("RequestAttributesSequence.StudyID", ""): 2,
        ("(0019,00xx)", ""): 1,
        ("(0019,xx01).StudyID", "OUTER"): 2,
        ("(0019,xx01).(0029,xx34)", "OUTER / INNER"): 1,
    }
