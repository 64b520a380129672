"""The lists of words are what the rest of detection takes them for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.detect import vocabulary


@pytest.mark.parametrize("name", ["clinical_words.txt", "ordinary_words.txt"])
def test_a_list_is_folded_and_adds_to_the_vocabulary_without_frequent_names(name: str) -> None:
    lines = (vocabulary.DATA / name).read_text("utf-8").splitlines()
    found = [line for line in lines if not line.startswith("#")]

    assert len(found) > 50_000
    assert found == sorted(set(found))
    assert all(word == vocabulary.fold(word) for word in found)
    assert vocabulary.words().isdisjoint(found)
    assert vocabulary.names().isdisjoint(found)


def test_what_a_language_writes_often_is_ordinary_and_names_and_headings_are_not() -> None:
    assert all(map(vocabulary.is_ordinary, ("fearsome", "brauchbare", "Freundschaften")))
    assert not any(map(vocabulary.is_ordinary, ("Smith", "Frequent words", "#", "")))


@given(st.text(max_size=12))
def test_a_word_is_as_usual_and_as_ordinary_in_capitals(word: str) -> None:
    folded = vocabulary.fold(word)

    assert vocabulary.is_usual(word) == vocabulary.is_usual(folded)
    assert vocabulary.is_ordinary(word) == vocabulary.is_ordinary(folded)


@pytest.mark.parametrize("text", ["Baker's cyst", "a Towne's view", "x-ray of Colles fracture"])
def test_every_phrase_is_made_of_words_of_phrases(text: str) -> None:
    for match in vocabulary.phrases().finditer(text):
        letters = vocabulary._LETTERS.findall(match[0])
        assert letters
        assert all(vocabulary.fold(word) in vocabulary.words_of_phrases() for word in letters)
