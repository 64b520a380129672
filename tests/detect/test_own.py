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
        patched.setattr(own._Sought, "may_be_in", lambda sought, _bare: bool(sought._expressions))
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
    sought = own.Own(True, frozenset({"Okonkwo"}), frozenset({"7654321"}), frozenset({"20190417"}), frozenset())

    assert list(sought.find("CT CHEST 2 mm")) == []
    assert not any("pattern" in vars(each) for each in sought._sought)
