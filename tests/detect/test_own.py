"""What rules a text out before anything is compiled rules out nothing that would be found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.datatypes import Identifiers, Span
from governance.detect import own
from tests.detect.strategies import people, spelled

TOGETHER = ("Xu^Yi", "Head^Phantom", "Müller^Ada", "Łoś^Jo", "山田^太郎", "O'Sullivan^Li")

letters = st.text(alphabet="adeijlmorsuvxyzüÜØøßŁłα山0123789 .,-_/^'()\u0301\u2166", max_size=30)


def searched(person: Identifiers, names: frozenset[str], *, free_text: bool) -> own.Own:
    ages = frozenset({"93"} if free_text else ())
    return own.Own(free_text, person.names | names, person.numbers | {"007", "12"}, person.dates, ages)


def trying_all(own_of_study: own.Own, text: str) -> list[Span]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(own._Sought, "may_be_in", lambda sought, _bare: bool(sought.expressions))
        return list(own_of_study.find(text))


@given(
    data=st.data(), person=people, names=st.frozensets(st.sampled_from(TOGETHER), max_size=2), free_text=st.booleans()
)
@settings(max_examples=500)
def test_what_is_ruled_out_would_not_be_found(
    data: st.DataObject, person: Identifiers, names: frozenset[str], free_text: bool
) -> None:
    parts = data.draw(st.lists(letters | spelled(person) | st.sampled_from(["93 y", "Yi, Xu", "0007"]), max_size=5))
    text = data.draw(st.sampled_from(["", " ", ".", "_"])).join(parts)
    sought = searched(person, names, free_text=free_text)

    assert list(sought.find(text)) == trying_all(sought, text)


def test_nothing_is_compiled_for_a_text_that_holds_no_part_of_it() -> None:
    sought = own.Own(True, frozenset({"Onyekachi"}), frozenset({"7654398"}), frozenset({"20190419"}), frozenset())

    assert list(sought.find("CT CHEST 2 mm")) == []
    assert not any("pattern" in vars(each) for each in sought._sought)


def found(text: str, *names: str, days: tuple[str, ...] = (), free_text: bool = True) -> list[str]:
    sought = own.Own(free_text, frozenset(names), frozenset(), frozenset(days), frozenset())
    return sorted({text[span.start : span.stop] for span in sought.find(text)}, key=len)[-1:]


@pytest.mark.parametrize(
    "written", ["J. Okonkwo", "J Okonkwo", "Okonkwo J", "Okonkwo, J.", "OKONKWO, J", "J.A. Okonkwo", "J_OKONKWO"]
)
def test_an_initial_beside_a_surname_goes_with_it(written: str) -> None:
    assert found(f"CT {written} chest", "Okonkwo", "John Andrew", "Okonkwo^John Andrew") == [written]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("Pt. J.O. supine", "J.O.", id="full stops"),
        pytest.param("patient: JO supine", "JO", id="without"),
        pytest.param("signed O.J. today", "O.J.", id="surname first"),
        pytest.param("by J. A. O. again", "J. A. O.", id="a middle name"),
    ],
)
def test_initials_are_found_behind_a_word_that_says_whose_they_are(written: str, expected: str) -> None:
    assert found(written, "Okonkwo^John Adam") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("JO 3 mm", id="initials alone"),
        pytest.param("patient PA view", id="initials that are a view"),
        pytest.param("Head P supine", id="a letter beside a surname that is a word"),
    ],
)
def test_letters_that_say_something_else_stay(text: str) -> None:
    assert found(text, "Okonkwo^John", "Adams^Peter", "Head^Peter") == []


def test_a_side_beside_a_surname_stays() -> None:
    assert found("Okonkwo L knee", "Okonkwo", "Okonkwo^Laura") == ["Okonkwo"]


@pytest.mark.parametrize(
    "written", ["17 IV 2019", "17-IV-19", "17.iv.2019", "2019年4月17日", "4月17日", "2019년 4월 17일"]
)
def test_an_own_day_is_found_with_the_month_in_roman_numbers_or_in_signs(written: str) -> None:
    assert found(f"CT {written} chest", days=("20190417",)) == [written]


def test_a_typing_error_counts_where_people_write_not_machines() -> None:
    assert found("CT Okonwko chest", "Okonkwo") == ["Okonwko"]
    assert found("CT Okonwko chest", "Okonkwo", free_text=False) == []


@given(
    data=st.data(), person=people, names=st.frozensets(st.sampled_from(TOGETHER), max_size=6), free_text=st.booleans()
)
@settings(max_examples=500)
def test_of_many_identifiers_the_same_is_found_as_of_few(
    data: st.DataObject, person: Identifiers, names: frozenset[str], free_text: bool
) -> None:
    said = st.sampled_from(["93 y", "Yi, Xu", "0007", "pt. L.O.", "by AM", "A. Müller", "Phantom, H.", "MüllerAda"])
    parts = data.draw(st.lists(letters | spelled(person) | said, max_size=8))
    text = data.draw(st.sampled_from(["", " ", ".", "_"])).join(parts)
    few = searched(person, names, free_text=free_text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(own, "MANY", 0)
        patched.setattr(own, "PART", 7)
        many = searched(person, names, free_text=free_text)
        places = taken(many, text)

    assert places == taken(few, text)


def taken(own_of_study: own.Own, text: str) -> set[tuple[int, str]]:
    """Each place in a text of which something is found."""
    return {(place, span.kind) for span in own_of_study.find(text) for place in range(span.start, span.stop)}
