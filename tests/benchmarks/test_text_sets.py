"""What free text is measured with is made the same each time, told exactly, and not what the network learned from."""

from pathlib import Path

import pytest

from governance.datatypes import Identifiers
from infra.models.names import lists, templates
from tests.benchmarks import text_sets
from tests.benchmarks.text_scoring import Tally
from tests.benchmarks.text_sets import HERE, LANGUAGES, PEOPLE, Text

TRAINED = HERE.parents[1] / "infra" / "models" / "names"
FILES = sorted((HERE / "texts").glob("*.txt"))


def test_the_same_seed_makes_the_same_texts() -> None:
    assert list(text_sets.values(1, 7)) == list(text_sets.values(1, 7))
    assert list(text_sets.values(1, 7)) != list(text_sets.values(1, 8))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_slot_can_be_filled(path: Path) -> None:
    slots = {slot for line in templates.lines(path) for slot in templates.slots_of(line)}

    assert slots
    assert {slot for slot in slots if not hasattr(text_sets._Study, f"a_{slot.lower()}")} == set()


def test_spans_are_where_slots_were_filled() -> None:
    texts = [*text_sets.reports(1, 1), *text_sets.values(1, 1)]

    assert {text.language for text in texts} == set(LANGUAGES)
    assert all(text.text[start:stop].strip() for text in texts for start, stop, _ in text.spans)
    assert not any(sign in text.text for text in texts for sign in "{}")
    patients = [text for text in texts if any(slot == "PATIENT" for *_, slot in text.spans)]
    for text in patients:
        (family, given) = next(name for name in text.own.names if "^" in name).split("^")
        start, stop = next((start, stop) for start, stop, slot in text.spans if slot == "PATIENT")
        assert any(name[0].casefold() in text.text[start:stop].casefold() for name in (family, given))


def test_no_line_and_no_locale_is_trained_with() -> None:
    trained = {line.strip() for path in (TRAINED / "texts").rglob("*.txt") for line in templates.lines(path)}
    long = {line.strip() for path in FILES for line in templates.lines(path) if len(line) > 25}

    assert len(long) > 1_000
    assert trained & long == set()
    assert {path.stem for path in (HERE / "names").glob("*.txt")} <= set(lists.MEASURED.split())
    assert not set(lists.MEASURED.split()) & set(lists.TRAINED.split())


def test_letters_are_counted_and_signs_are_not() -> None:
    text = Text("en", "value", "CT for Ann Quill, chest", ((7, 10, "FIRST"), (11, 16, "LAST")), Identifiers())
    tally = Tally()

    tally.add(text, [(0, 2), (7, 10), (11, 14)])

    assert (tally.identifiers.found, tally.identifiers.of) == (6, 8)
    assert (tally.names.found, tally.names.of) == (1, 2)
    assert (tally.clinical.found, tally.clinical.of) == (2, 10)
    assert tally.taken == {"CT": 1}
    assert list(tally.missed) == ["LAST: CT for Ann <Quill>"]
    assert {"FIRST", "LAST"} <= PEOPLE
