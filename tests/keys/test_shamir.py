"""Any threshold of shares is the secret; one share less says nothing about it."""

import json
from collections import Counter
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.keys.shamir import Point, combine, inverse, multiply, split
from tests.vectors.shamir import __main__ as generator

VECTORS = Path(__file__).parents[1] / "vectors" / "shamir"


@st.composite
def sets(draw: st.DrawFn) -> tuple[bytes, list[Point], int]:
    """A secret, its shares, and how many of them are needed."""
    secret = draw(st.binary(min_size=1, max_size=40))
    shares = draw(st.integers(2, 12))
    threshold = draw(st.integers(2, shares))
    return secret, split(secret, shares=shares, threshold=threshold), threshold


@given(made=sets(), data=st.data())
def test_any_threshold_of_shares_in_any_order_is_the_secret(
    made: tuple[bytes, list[Point], int], data: st.DataObject
) -> None:
    secret, points, threshold = made
    chosen = data.draw(st.permutations(points))[: data.draw(st.integers(threshold, len(points)))]

    assert secret == combine(chosen)


@pytest.mark.parametrize(("shares", "threshold"), [(5, 3), (6, 2), (4, 4)])
def test_every_choice_of_shares_restores(shares: int, threshold: int) -> None:
    points = split(bytes(range(32)), shares=shares, threshold=threshold)

    assert {bytes(combine(chosen)) for chosen in combinations(points, threshold)} == {bytes(range(32))}


def test_as_many_shares_as_there_can_be_restore() -> None:
    assert combine(split(b"\xa5", shares=255, threshold=255)) == b"\xa5"


@settings(max_examples=10)
@given(secret=st.integers(0, 255), index=st.integers(1, 255))
def test_one_share_of_two_fits_every_secret_once(secret: int, index: int) -> None:
    """Exact: for each byte that the secret may be, one coefficient in 256 gives this share."""
    (share,) = (p.value for p in split(bytes([secret]), shares=255, threshold=2) if p.x == index)

    fitting = Counter(
        candidate
        for candidate in range(256)
        for coefficient in range(256)
        if candidate ^ multiply(coefficient, index) == share[0]
    )

    assert fitting == Counter(range(256))


def test_two_shares_of_three_fit_every_secret_once() -> None:
    """Exact, over all 65,536 pairs of coefficients."""
    one, other = split(b"\x2a", shares=7, threshold=3)[2:7:3]
    squares = {point.x: multiply(point.x, point.x) for point in (one, other)}

    def fits(point: Point, first: int, second: int) -> int:
        """The secret under which these coefficients give the share."""
        return point.value[0] ^ multiply(first, point.x) ^ multiply(second, squares[point.x])

    fitting = Counter(
        fits(one, first, second)
        for first, second in product(range(256), repeat=2)
        if fits(one, first, second) == fits(other, first, second)
    )

    assert fitting == Counter(range(256))


@given(made=sets())
def test_every_point_lies_where_the_others_say(made: tuple[bytes, list[Point], int]) -> None:
    _, points, threshold = made

    for point in points[threshold:]:
        assert point.value == combine(points[:threshold], at=point.x)


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (2, 1), (2, 3), (256, 2), (0, 0), (5, -1)])
def test_what_protects_nothing_or_cannot_be_is_refused(shares: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        split(b"x", shares=shares, threshold=threshold)


@pytest.mark.parametrize(
    "points",
    [[], [Point(1, b"a"), Point(1, b"b")], [Point(1, b"a"), Point(2, b"bc")]],
    ids=["none", "twice", "lengths"],
)
def test_points_of_no_secret_are_refused(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="points"):
        combine(points)


# ------------------------------------------------------------------ arithmetic and vectors


def test_the_field_is_that_of_aes() -> None:
    """FIPS 197, section 4.2: {57} x {83} = {c1}; {53} and {ca} are inverse."""
    assert multiply(0x57, 0x83) == 0xC1
    assert multiply(0x53, 0xCA) == 1
    assert inverse(0x53) == 0xCA


def test_every_product_is_that_of_the_tables() -> None:
    for one, other in product(range(256), repeat=2):
        assert generator.times(one, other) == multiply(one, other)


def test_every_element_but_zero_has_an_inverse() -> None:
    assert {multiply(element, inverse(element)) for element in range(1, 256)} == {1}
    assert inverse(0) == 0


def vectors(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())["vectors"]
    return found


@pytest.mark.parametrize("vector", vectors("published.json"), ids=["draft-mcgrew-tss-03", "Botan"])
def test_shares_that_others_published_give_their_secrets(vector: dict[str, Any]) -> None:
    points = [Point(int(index), bytes.fromhex(value)) for index, value in vector["points"].items()]

    for chosen in combinations(points, vector["threshold"]):
        assert vector["secret"] == combine(chosen).hex()


@pytest.mark.parametrize("vector", vectors("splits.json"))
def test_a_split_is_pinned(vector: dict[str, Any]) -> None:
    """A change here would make shares that lie in safes worthless."""
    left = [bytes.fromhex(coefficient) for coefficient in vector["coefficients"]]
    secret = bytes.fromhex(vector["secret"])

    points = split(
        secret, shares=vector["shares"], threshold=vector["threshold"], random=lambda length: left.pop(0)[:length]
    )

    assert vector["points"] == {str(point.x): point.value.hex() for point in points}


def test_the_vectors_are_what_their_generator_writes() -> None:
    assert generator.text() == (VECTORS / "splits.json").read_text()
