"""What stands instead of words is readable: whole, on the page, and over nothing else."""

import re
import subprocess
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.datatypes import Identifiers
from governance.detect import text
from governance.scrub.documents import Treatment, layout, pages, pdf
from governance.scrub.documents.fitting import NARROWEST, SMALLEST, fitted
from governance.scrub.documents.layout import Word
from governance.scrub.documents.wording import Wording
from governance.scrub.documents.writing import Written, width_of
from tests.scrub.documents.build import NAMES, SENTENCE, line, surrogates, treatment
from tests.scrub.documents.build import pdf as made

SHORT = Identifiers(names=frozenset({"Li", "Ng"}), numbers=frozenset({"4410032"}))
PAGE = {"width": 612.0, "height": 792.0}


def instead_of_all(longer: str) -> Treatment:
    """`longer` stands for every word that is found."""
    return treatment(SHORT, instead=lambda _text: lambda _span: longer)


def set_anew(words: Sequence[Word], longer: str) -> list[Written]:
    wording = Wording(instead_of_all(longer))
    wording.clean([words])
    return fitted(words, wording, **PAGE)


def row(*words: str, along: float = 72, across: float = 700, size: float = 10, quarter: int = 0) -> list[Word]:
    """Words in a line, a space apart."""
    found = []
    for each in words:
        found.append(Word(each, 0, along, across, width_of(each, size), size, quarter))
        along = found[-1].end + 0.28 * size
    return found


def test_where_there_is_room_words_behind_move_and_keep_their_size() -> None:
    before = row("seen", "by", "Dr.", "Li", "today")

    after = set_anew(before, "Featherstone")

    assert [each.text for each in after] == ["seen", "by", "Dr.", "Featherstone", "today"]
    assert {each.size for each in after} == {10}
    assert [each.along for each in after[:4]] == [each.along for each in before[:4]]
    assert after[3].width == width_of("Featherstone", 10)
    assert after[4].along == pytest.approx(after[3].along + after[3].width + 2.8)


def test_what_is_shorter_moves_nothing() -> None:
    before = row("seen", "by", "Dr.", "Li", "today")

    assert [each.along for each in set_anew(before, "I")] == [each.along for each in before]


def test_a_full_line_is_set_narrower_and_ends_where_it_has_to() -> None:
    before = row(*SENTENCE.split()[:14], "Dr.", "Li", size=11)
    beside = [*before, *row("chest", along=before[-1].end + 20, size=11)]

    after = set_anew(beside, "Featherstone")[:-1]

    assert after[-1].along + after[-1].width <= beside[-1].along
    assert {each.size for each in after} == {11}
    assert all(each.width >= NARROWEST * width_of(each.text, 11) - 0.01 for each in after)


def test_a_narrow_cell_is_set_smaller_before_it_meets_its_neighbours() -> None:
    cells = [Word(each, 0, 72 + 26 * n, 700, width_of(each, 10), 10) for n, each in enumerate(["No", "Li", "Yes"])]

    left, name, right = set_anew(cells, "Featherstone")

    assert (left.size, right.size) == (10, 10)
    assert left.along + left.width < name.along
    assert name.along + name.width < right.along
    assert SMALLEST <= name.size < 10


@pytest.mark.parametrize(("quarter", "end"), [(0, 612), (1, 792), (2, 0), (3, 0)])
def test_at_the_edge_of_a_page_a_word_begins_further_to_the_left(quarter: int, end: float) -> None:
    (name,) = set_anew(row("Li", along=end - 20, across=-300, quarter=quarter), "Featherstone")

    assert name.along + name.width <= end
    assert name.size == 10
    assert name.width >= NARROWEST * width_of("Featherstone", 10) - 0.01


@given(
    words=st.lists(st.sampled_from([*SENTENCE.split(), "Li", "Ng", "4410032", "(Li,"]), min_size=1, max_size=30),
    width=st.integers(1, 6),
    columns=st.integers(1, 3),
    longer=st.sampled_from(["Ann", "Featherstone", "florian.featherstone@example.org"]),
)
@settings(max_examples=200)
def test_whatever_stands_instead_is_whole_on_the_page_and_over_nothing(
    words: list[str], width: int, columns: int, longer: str
) -> None:
    rows = [words[at : at + width] for at in range(0, len(words), width)]
    before = [
        word
        for number, each in enumerate(rows)
        for word in row(*each, along=40 + 190 * (number % columns), across=700 - 14 * (number // columns), size=8)
    ]

    after = set_anew(before, longer)

    assert all(each.along >= 0 and each.along + each.width <= PAGE["width"] for each in after)
    for across in {each.across for each in after}:
        beside = sorted((each for each in after if each.across == across), key=lambda each: each.along)
        for one, other in pairwise(beside):
            assert one.along + one.width <= other.along + 0.01
    assert all(SMALLEST <= each.size <= 8 for each in after)
    found = {word for word in words if text.find(word, SHORT)}
    assert all(each.text == longer or longer in each.text or each.text not in found for each in after)


def test_another_program_reads_whole_surrogates_where_the_names_were(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    rows = ["Chest of Agnes Quillfeather, MRN 0041827.", SENTENCE[:60], SENTENCE[60:]]
    before = made("\n".join(line(each, y=700 - 14 * number) for number, each in enumerate(rows)))
    (tmp_path / "new.pdf").write_bytes(pdf.clean(before, treatment(instead=surrogates())).data)

    done = subprocess.run([program("pdftotext"), tmp_path / "new.pdf", "-"], capture_output=True, text=True, check=True)

    assert re.fullmatch(r"Chest of [A-Z][a-z]+ [A-Z][a-z]+, [A-Z]{3} \d{7}\.", done.stdout.splitlines()[0])
    assert SENTENCE[:60].strip() in done.stdout


def test_a_name_over_the_end_of_a_line_stands_over_it_as_before() -> None:
    before = made("\n".join(line(each, y=700 - 14 * n) for n, each in enumerate(["Chest of Agnes", "Quillfeather."])))

    (page,) = pages.read(pdf.clean(before, treatment(instead=surrogates())).data)

    assert [len(each) for each in layout.lines(page.words)] == [3, 1]
    assert not {"Agnes", "Quillfeather.", "Quillfeather"} & {word.text for word in page.words}
    assert text.find_own(" ".join(word.text for word in page.words), NAMES) == ()
