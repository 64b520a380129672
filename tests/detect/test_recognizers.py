"""Presidio's analyzer finds with our recognisers what cleaning finds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.datatypes import Identifiers, Span
from governance.detect import names, recognizers, text
from tests.detect.phrases import CLINICAL
from tests.detect.strategies import people, spelled


@given(data=st.data(), person=people)
@settings(max_examples=40, deadline=None)
def test_an_analyzer_finds_what_cleaning_finds(data: st.DataObject, person: Identifiers) -> None:
    said = ", ".join(data.draw(st.lists(st.sampled_from(CLINICAL) | spelled(person), min_size=1, max_size=4)))

    found = recognizers.analyzer(recognizers.of_study(person)).analyze(said, language="en")

    assert sorted(Span(each.start, each.end, each.entity_type) for each in found) == list(text.find(said, person))


def test_the_network_is_a_recogniser_of_its_own() -> None:
    said = "Seen by Mrs. Quillfeather of Brixham, no fracture."

    found = recognizers.analyzer(recognizers.of_names(language="de")).analyze(said, language="de")

    assert sorted(Span(each.start, each.end, each.entity_type) for each in found) == sorted(names.find(said))
    assert found


def test_only_what_is_asked_for_is_told() -> None:
    said = "Mrs. Quillfeather, 7654321"
    study = recognizers.of_study(Identifiers(names=frozenset({"Quillfeather"})))

    assert [each.entity_type for each in study.analyze(said, ["ID"])] == ["ID"]
