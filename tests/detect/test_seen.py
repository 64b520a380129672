"""What looks like a name is searched as it looks, and words that cannot be read are no way around that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.datatypes import Identifiers, Span
from governance.detect import text
from governance.detect.seen import seen

PERSON = Identifiers(names=frozenset({"Müller", "Quillfeather"}), dates=frozenset({"20190417"}))

UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u20dd\ufe0f\u3164"


@given(place=st.integers(1, 11), between=st.text(UNSEEN, min_size=1, max_size=4))
def test_a_name_is_found_with_anything_unseen_in_it(place: int, between: str) -> None:
    written = "Quillfeather"[:place] + between + "Quillfeather"[place:]

    assert text.find(f"no effusion, {written} seen", PERSON) == ((13, 13 + len(written), "NAME"),)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("Ｍueller", id="wide letter"),
        pytest.param("ＭＵＥＬＬＥＲ", id="wide letters"),
        pytest.param("𝐌𝐮𝐞𝐥𝐥𝐞𝐫", id="mathematical letters"),
        pytest.param("М\u00fcller", id="a Cyrillic letter"),
        pytest.param("М\u00fcll\u0435r", id="Cyrillic letters"),
        pytest.param("M\u0332u\u0332l\u0332l\u0332e\u0332r\u0332", id="underlined"),
        pytest.param("\u202erellüM", id="turned round"),
        pytest.param("M\ufffdller", id="a letter that cannot be read"),
        pytest.param("M\ufffd\ufffdller", id="a letter of two bytes that cannot be read"),
        pytest.param("Mu\ufffd\ufffdller", id="a decomposed letter that cannot be read"),
        pytest.param("٢٠١٩-٠٤-١٧", id="a day in other digits"),
        pytest.param("２０１９０４１７", id="a day in wide digits"),
    ],
)
def test_a_name_is_found_however_it_is_made_to_look(written: str) -> None:
    value = f"no effusion, {written}"

    spans = text.find(value, PERSON)

    assert [(span.start, span.stop) for span in spans] == [(13, len(value))]


@pytest.mark.parametrize(
    "said", ["m\ufffdtastases h\ufffdpatiques", "37 \ufffdC", "5 cm\ufffd", "\ufffddème", "20\ufffd30 mm"]
)
def test_clinical_words_and_units_that_cannot_be_read_in_full_stay(said: str) -> None:
    assert text.find(said, PERSON) == ()


def test_a_word_that_can_be_no_usual_one_goes() -> None:
    assert text.find("of Okonkw\ufffd, no effusion", PERSON)[0][:2] == (3, 10)


@given(st.text(alphabet=f"aMüλ7 -{UNSEEN}Ｍ𝐌٢", max_size=20))
def test_what_is_seen_came_from_its_place(value: str) -> None:
    shown = seen(value)
    places = range(len(value)) if shown.origin is None else shown.origin

    assert len(shown.text) == len(list(places))
    assert sorted(places) == list(places)
    assert list(shown.spans([Span(0, len(shown.text), "NAME")] if shown.text else [])) == (
        [Span(places[0], places[-1] + 1, "NAME")] if shown.text else []
    )
