"""Words are put together by where they stand, in time that their number takes, not the square of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.scrub.documents import layout
from governance.scrub.documents.layout import Line, Word

words = st.builds(
    Word,
    text=st.just("effusion"),
    page=st.just(0),
    along=st.integers(0, 60).map(float),
    across=st.integers(0, 60).map(float),
    width=st.sampled_from([1.0, 4.0, 20.0, 90.0]),
    size=st.sampled_from([2.0, 6.0, 8.0, 30.0]),
    quarter=st.sampled_from([0, 0, 0, 1]),
)


def comparing_all(found: list[Line]) -> list[list[Line]]:
    """Blocks by their rule, whatever it takes: a line continues the lowest that it can, of several the leftmost."""
    made: list[list[Line]] = []
    for line in found:
        above = [block for block in made if layout._continues(block[-1], line)]
        if above:
            min(above, key=layout._lowest).append(line)
        else:
            made.append([line])
    return made


@given(st.lists(words, max_size=30))
def test_blocks_are_what_comparing_every_line_with_every_block_finds(found: list[Word]) -> None:
    lines = layout.lines(found)

    assert layout.blocks(lines) == comparing_all(lines)


def test_columns_are_blocks_beside_each_other() -> None:
    found = [Word("lung", 0, 100.0 * column, -12.0 * row, 40, 10) for row in range(30) for column in range(3)]

    assert [len(block) for block in layout.blocks(layout.lines(found))] == [30, 30, 30]


def grid(number: int) -> Iterator[Word]:
    """Far apart, so that nothing continues anything."""
    yield from (Word("a", 0, 30.0 * (i % 50), -40.0 * (i // 50), 5, 8) for i in range(number))


def stairs(number: int) -> Iterator[Word]:
    yield from (Word("a", 0, 30.0 * i, -5.0 * i, 5, 8) for i in range(number))


def two_rows(number: int) -> Iterator[Word]:
    """A row of many over rows of one, each as long."""
    yield from (Word("a", 0, 20.0 * i, 0.0, 5, 8) for i in range(number // 2))
    yield from (Word("a", 0, 0.0, -4.0 * i, 10.0 * number, 8) for i in range(1, number // 2))


def large_between(number: int) -> Iterator[Word]:
    """Letters so large that every row is closely below theirs."""
    yield from (Word("a", 0, 30.0 * (i % 2), -1.0 * i, 5, 2 + 4000 * (i % 2)) for i in range(number))


@pytest.mark.parametrize("page", [grid, stairs, two_rows, large_between])
def test_four_times_as_many_words_take_four_times_as_long(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    continues = layout._continues

    def counting(above: Line, line: Line) -> bool:
        nonlocal compared
        compared += 1
        return continues(above, line)

    monkeypatch.setattr(layout, "_continues", counting)
    counts = []
    for number in (5_000, 20_000):
        compared = 0
        layout.blocks(layout.lines(page(number)))
        counts.append(compared)

    assert counts[1] <= 5 * counts[0]
    assert counts[1] <= 20_000 * layout.ROWS_BETWEEN
