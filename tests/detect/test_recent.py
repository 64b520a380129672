"""What was worked out lately is not worked out again, and what was long ago is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.detect.recent import Recent


@given(keys=st.lists(st.binary(max_size=1)), most=st.integers(1, 5))
def test_answers_are_those_of_each_key_and_never_more_than_so_many_are_held(keys: list[bytes], most: int) -> None:
    recent: Recent[bytes] = Recent(most)

    for key in keys:
        assert recent.once(key, lambda key=key: key * 2) == key * 2
        assert recent.once(key, lambda: b"asked again") == key * 2
        assert len(recent._known) <= most


def test_the_oldest_is_asked_again() -> None:
    recent: Recent[int] = Recent(2)
    for key in (b"1", b"2", b"3"):
        recent.once(key, lambda: 0)

    assert [recent.once(key, lambda: 1) for key in (b"2", b"3", b"1")] == [0, 0, 1]


def test_a_failure_is_not_remembered() -> None:
    recent: Recent[float] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.once(b"", lambda: 1 / 0)

    assert recent.once(b"", lambda: 1.0) == 1.0
