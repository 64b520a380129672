"""Names of people and places are told from clinical words, whatever list they are in."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Identifiers
from governance.detect import tagger
from governance.detect import text as detect
from governance.detect.names import find, tokens
from governance.detect.tagger import LABELS, ROWS, likely, pieces, writing
from governance.detect.text import MARK
from governance.scrub.text import replace

OTHER = LABELS.index("other")
texts = st.text(max_size=60)


def cleaned(text: str) -> str:
    return replace(text, list(find(text)))


@given(texts)
def test_tokens_are_parts_of_the_text_in_order_and_hold_every_letter_and_digit(text: str) -> None:
    found = tokens(text)

    assert [text[token.start : token.start + len(token.text)] for token in found] == [token.text for token in found]
    assert all(left.start + len(left.text) <= right.start for left, right in pairwise(found))
    kept = "".join(token.text for token in found)
    assert [letter for letter in kept if letter.isalpha()] == [letter for letter in text if letter.isalpha()]


@given(st.text(min_size=1, max_size=40))
def test_pieces_are_rows_of_the_table(text: str) -> None:
    assert all(0 <= row < ROWS for token in tokens(text) for row in pieces(token.text, "few"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CT of Smith", "few"),
        ("seen by smith and told to come back", "small"),
        ("Seen by Smith, told to come back", "mixed"),
        ("SEEN BY SMITH, TOLD TO COME BACK", "capitals"),
        ("Liver Spleen Pancreas Kidney", "other"),
    ],
)
def test_a_text_is_told_by_how_its_words_are_written(text: str, expected: str) -> None:
    assert writing(token.text for token in tokens(text)) == expected


@given(st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=12), max_size=20))
def test_every_word_is_something(words: list[str]) -> None:
    found = likely(words)

    assert found.shape == (len(words), len(LABELS))
    assert np.allclose(found.sum(axis=1), 1, atol=1e-4)


def test_words_are_remembered_up_to_a_limit_and_mean_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [[f"word{letter}{other}" for letter in "abcdef"] for other in "ghijkl"]
    expected = [likely(words) for words in texts]
    few = tagger._Words(tagger._network(), most=8)
    monkeypatch.setattr(tagger, "_words", lambda: few)

    for _ in range(2):
        for words, before in zip(texts, expected, strict=True):
            assert np.allclose(likely(words), before, atol=1e-6)
    assert len(few._known[0]) <= 8


def test_a_text_of_more_words_than_are_remembered_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"word{letter}{other}" for letter in "abcdef" for other in "ghijkl"]
    expected = likely(words)
    few = tagger._Words(tagger._network(), most=8)
    monkeypatch.setattr(tagger, "_words", lambda: few)

    assert np.allclose(likely(words), expected, atol=1e-6)


@given(texts)
def test_spans_are_words_of_the_text(text: str) -> None:
    whole = {(token.start, token.start + len(token.text)) for token in tokens(text)}

    assert {(span.start, span.stop) for span in find(text)} <= whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("CT thorax for Zaborowski", "CT thorax for [NAME]", id="no title"),
        pytest.param("discussed with mr okonkwo today", "discussed with mr [NAME] today", id="small letters"),
        pytest.param("LUNG MASS, DISCUSSED WITH FERNÁNDEZ", "LUNG MASS, DISCUSSED WITH [NAME]", id="capitals"),
        pytest.param("Rücksprache mit Wieczorek erfolgt", "Rücksprache mit [NAME] erfolgt", id="German"),
        pytest.param("vu avec Kouyaté ce matin", "vu avec [NAME] ce matin", id="French"),
        pytest.param("GTV_Achterberg", "GTV_[NAME]", id="joined by an underscore"),
    ],
)
def test_a_name_in_no_list_is_found(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Hodgkin lymphoma, Gleason 3+4, Bosniak IIF cyst",
        "Baker's cyst and Colles fracture, no Hill-Sachs lesion",
        "Morbus Bechterew, V. a. Morbus Sudeck, Zustand nach Whipple-Operation",
        "maladie de Paget et hernie de Bochdalek",
        "enfermedad de Crohn, quiste de Baker",
        "The patient will mark the long white lesion in may",
        "Zustand nach Kaiserschnitt, kleine Leistenhernie",
        "t2_tse_dixon_sag PROPELLER VIBE",
    ],
)
def test_eponyms_and_words_that_people_are_called_are_kept(text: str) -> None:
    assert replace(text, detect.find(text, Identifiers())) == text


@pytest.mark.parametrize("text", ["V. a. Pneumonie, Z.n. Appendektomie", "5 mg i. v., p.o. t.i.d.", "z. B., o. B."])
def test_abbreviations_of_single_letters_are_no_initials(text: str) -> None:
    assert replace(text, detect.find(text, Identifiers())) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        pytest.param("films from Zaborowski Infirmary", "films from", id="an institution called after somebody"),
        pytest.param("lives at Okonkwo Road 12", "lives at", id="a street and the number of a house"),
        pytest.param("valorado en el Centro de Salud Achterberg", "valorado en el", id="words before it"),
    ],
)
def test_words_of_institutions_and_streets_go_with_the_name_beside_them(text: str, left: str) -> None:
    assert cleaned(text).partition("[")[0].rstrip() == left
    assert MARK.sub("", cleaned(text)).split() == left.split()


@pytest.mark.parametrize("behind", ["group of nodes", "crescent sign", "place the tube"])
def test_words_that_only_sometimes_name_a_street_stay_beside_a_person(behind: str) -> None:
    assert cleaned(f"Zaborowski {behind}") == f"[NAME] {behind}"


def test_in_a_script_that_the_network_does_not_know_a_word_that_no_list_has_is_taken() -> None:
    assert [span.kind for span in find("王小明 Іваненко")] == ["UNKNOWN_WORD", "UNKNOWN_WORD"]
    assert list(find("胸部")) == []
