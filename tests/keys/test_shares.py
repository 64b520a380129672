"""A share survives being written down and typed; a slip is found where it is, and no share prints."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import Misconfigured
from governance.keys.shamir import Point, split
from governance.keys.shares import DIGITS, GROUPS, Share, restored

SECRET = bytes(range(32))
SHARES = [Share(b"set1", 3, point) for point in split(SECRET, shares=5, threshold=3)]

shares = st.builds(
    Share,
    st.binary(min_size=4, max_size=4),
    st.integers(2, 255),
    st.builds(Point, st.integers(1, 255), st.binary(min_size=32, max_size=32)),
)


def groups(share: Share) -> list[str]:
    return share.text().replace("\n", "-").split("-")


def refusal(text: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        Share.parse(text)
    assert refused.value.__context__ is None
    return str(refused.value)


@given(share=shares)
def test_what_is_written_down_can_be_typed(share: Share) -> None:
    assert share == Share.parse(share.text())


def test_a_share_is_pinned() -> None:
    """A change here would make shares that lie in safes worthless."""
    share = Share(b"\1\2\3\4", 3, Point(2, SECRET))

    assert share.text() == PINNED
    assert share == Share.parse(PINNED)


PINNED = """\
040G0-40R48-0C101-0082E-0C20K-A1G7C
104GV-M2RCV-1M70G-Y40HW-289HE-858PQ
2WC1G-J6GVR-3GEH8-W7Z19-CDJFZ-6K3V3"""


@given(share=shares, data=st.data())
def test_case_hyphens_spaces_lines_and_lookalikes_do_not_matter(share: Share, data: st.DataObject) -> None:
    typed = share.text().replace("-", data.draw(st.sampled_from(["", " ", "-", " - ", "\n"])))
    typed = typed.replace("0", data.draw(st.sampled_from("0Oo"))).replace("1", data.draw(st.sampled_from("1IiLl")))

    assert share == Share.parse(f"# share 1 of 5\n{typed.lower()}\n\n")


@given(share=shares, place=st.integers(0, 5 * GROUPS - 1), wrong=st.sampled_from(DIGITS))
def test_one_wrong_letter_is_found_in_its_group(share: Share, place: int, wrong: str) -> None:
    letters = list("".join(groups(share)))
    if letters[place] == wrong:
        return
    letters[place] = wrong

    assert refusal("".join(letters)) == f"group {place // 5 + 1} of {GROUPS} of the share is mistyped"


@given(share=shares, group=st.integers(0, GROUPS - 1), place=st.integers(0, 3))
def test_two_letters_swapped_are_found_in_their_group(share: Share, group: int, place: int) -> None:
    typed = groups(share)
    letters = list(typed[group])
    if letters[place] == letters[place + 1]:
        return
    letters[place], letters[place + 1] = letters[place + 1], letters[place]
    typed[group] = "".join(letters)

    assert refusal("-".join(typed)) == f"group {group + 1} of {GROUPS} of the share is mistyped"


def test_two_groups_swapped_are_found() -> None:
    for one, other in combinations(range(GROUPS), 2):
        typed = groups(SHARES[0])
        typed[one], typed[other] = typed[other], typed[one]
        if typed != groups(SHARES[0]):
            assert "is mistyped" in refusal("-".join(typed))


@given(share=shares, other=shares, place=st.integers(0, GROUPS - 1))
def test_a_group_of_another_share_is_found_by_the_checksum(share: Share, other: Share, place: int) -> None:
    typed = groups(share)
    typed[place] = groups(other)[place]
    if typed != groups(share):
        assert refusal("-".join(typed)) == "the share is damaged: its checksum does not fit"


@pytest.mark.parametrize("text", ["", "# only a comment", "12345", "U" * 90, "é" * 90, "0" * 91, "\x00" * 90])
def test_what_is_no_share_is_refused(text: str) -> None:
    assert refusal(text) == "this is not a share of a root key"


def test_no_share_prints() -> None:
    assert f"{SHARES[0]!r} {SHARES[0]}" == "<Share> <Share>"
    assert f"{SHARES[0].point!r} {SHARES[0].point}" == "<Point> <Point>"


@pytest.mark.parametrize(("threshold", "index"), [(0, 1), (1, 1), (3, 0)])
def test_what_no_backup_makes_is_refused(threshold: int, index: int) -> None:
    """Its checks fit, so that it would reach the arithmetic."""
    assert "not one that this program made" in refusal(Share(b"set1", threshold, Point(index, SECRET)).text())


# ------------------------------------------------------------------ restoring


def test_any_three_of_five_restore_and_more_do_too() -> None:
    for size in (3, 4, 5):
        for chosen in combinations(SHARES, size):
            assert restored(chosen) == SECRET


def test_a_share_given_twice_counts_once() -> None:
    assert restored([*SHARES[:3], SHARES[0]]) == SECRET
    assert refused([*SHARES[:2], SHARES[0]]) == "3 different shares are needed, there are 2"


def refused(chosen: list[Share]) -> str:
    with pytest.raises(Misconfigured) as refusal:
        restored(chosen)
    said = f"{refusal.value} {refusal.value.hint}"
    assert not [share for share in chosen if share.point.value.hex() in said or groups(share)[3] in said]
    return str(refusal.value)


def test_none_or_too_few_are_refused() -> None:
    assert refused([]) == "there are no shares"
    assert refused(SHARES[:1]) == "3 different shares are needed, there are 1"


def test_a_share_of_another_backup_is_named() -> None:
    other = Share(b"set2", 3, SHARES[3].point)

    with pytest.raises(Misconfigured, match="different backups") as refusal:
        restored([SHARES[0], SHARES[1], other, SHARES[2]])

    assert "number 3 of those given differs from the first" in refusal.value.hint


def test_forged_shares_are_found_where_others_are_there_to_tell() -> None:
    forged = Share(b"set1", 3, Point(4, bytes(32)))

    assert refused([*SHARES[:3], forged]) == "the shares do not fit together"
    assert refused([SHARES[3], SHARES[0], SHARES[1], forged]) == "two shares contradict each other"
    assert refused([Share(b"set1", 2, SHARES[0].point), *SHARES[1:3]]) == "two shares contradict each other"
