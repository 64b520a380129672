"""A name with one typing error is still the name; a clinical word never is one."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from governance.detect import vocabulary
from governance.detect.near import SHORTEST, near, plainly
from tests.detect.phrases import CLINICAL

NAMES = (
    "okonkwo",
    "gonzalez",
    "lindqvist",
    "szymanski",
    "marchetti",
    "иванова",
    "nguyen",
    "aagaard",
    "weiss",
    "bakere",
)
names = st.sampled_from(NAMES) | st.text(alphabet="adeilmnorstuvz", min_size=SHORTEST, max_size=12)
letters = st.sampled_from("abcdefghijklmnopqrstuvwxyzи")


def near_in(text: str, *of: str) -> list[str]:
    return [match[0] for match in near(frozenset(of)).find(text)]


@st.composite
def mistyped(draw: st.DrawFn, name: str) -> str:
    """One letter too many, too few or another one, or two that changed places."""
    place = draw(st.integers(0, len(name) - 1))
    head, letter, tail = name[:place], name[place], name[place + 1 :]
    return draw(
        st.sampled_from(
            [
                head + tail,
                head + draw(letters) + tail,
                head + draw(letters) + letter + tail,
                head + tail[:1] + letter + tail[1:],
            ]
        )
    )


def is_known(word: str) -> bool:
    return vocabulary.knows(word) or vocabulary.is_usual(word)


@given(data=st.data(), name=names)
def test_a_name_with_one_typing_error_is_found(data: st.DataObject, name: str) -> None:
    assume(len(plainly(name)) >= SHORTEST)
    plain = plainly(name)
    word = data.draw(mistyped(plain))
    assume(not is_known(word) and plainly(word) == word)

    assert near_in(f"ct of {word}, chest", name, "rasmussen") == [word]


@given(name=names, word=st.text(alphabet="adeilmnorstuvz", min_size=4, max_size=14))
def test_what_is_near_is_one_error_away_in_any_order_of_the_two(name: str, word: str) -> None:
    assume(not is_known(word) and not is_known(name))
    assume(min(len(plainly(word)), len(plainly(name))) >= SHORTEST and len(word) >= SHORTEST)

    assert bool(near_in(word, name)) == bool(near_in(name, word))


@pytest.mark.parametrize("word", ["gonxxlez", "zelaznog", "gonlz", "ogznalez", "gonzalezes"])
def test_two_errors_are_another_word(word: str) -> None:
    assert near_in(f"ct {word}", "gonzalez") == []


@given(data=st.data())
def test_a_word_of_the_vocabulary_is_no_typing_error(data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(sorted(w for w in vocabulary.words() if len(w) >= SHORTEST)))

    assert near_in(f"ct {word}", data.draw(mistyped(word))) == []


def test_clinical_phrases_are_near_no_name() -> None:
    everybody = sorted(vocabulary.names())

    assert [found for phrase in CLINICAL for found in near_in(vocabulary.fold(phrase), *everybody)] == []


def test_a_name_in_a_clinical_phrase_may_be_misspelled_there() -> None:
    assert near_in("bakers cyst", "baker") == []


@pytest.mark.parametrize(
    ("name", "written"),
    [
        pytest.param("aagaard", "agard", id="a with a ring"),
        pytest.param("weiss", "weis", id="sharp s"),
        pytest.param("soerensen", "sorensen", id="o with a stroke"),
        pytest.param("muller", "mueller", id="umlaut"),
    ],
)
def test_letters_that_are_written_in_two_ways_are_the_same(name: str, written: str) -> None:
    assert near_in(written, name) == [written]


def test_a_short_name_is_near_too_much() -> None:
    assert near_in("lend lxng lon longg", "long") == []


@pytest.mark.parametrize(("name", "written"), [("keller", "kellers"), ("becker", "beckers"), ("garcia", "garcias")])
def test_a_genitive_is_the_name(name: str, written: str) -> None:
    assert near_in(written, name) == [written]
