"""Shamir's secret sharing, byte by byte over GF(256) with the polynomial of AES, 0x11b.

Each byte of the secret is the value at 0 of a polynomial of degree threshold - 1, whose other
coefficients are random bytes, zero among them; a share is its value at a place of its own. Any
`threshold` shares give the secret; fewer fit every secret equally well.

The arithmetic looks nothing up in tables and takes no branch that depends on a secret.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from governance.confidential import Confidential

MOST = 255
"""Shares: every value of the field but 0, where the secret is."""


@dataclass(frozen=True, slots=True, repr=False)
class Point(Confidential):
    """The value of every polynomial at one place, from 1 to 255."""

    x: int
    value: bytes


def split(
    secret: bytes | bytearray,
    *,
    shares: int,
    threshold: int,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> list[Point]:
    """`shares` points of which any `threshold` give the secret.

    random: makes that many bytes; it is asked once for each coefficient, the lowest first.

    Raises:
        ValueError: not 2 <= threshold <= shares <= 255.
    """
    if not 2 <= threshold <= shares <= MOST:
        raise ValueError("a threshold is from 2 to the number of shares, and these up to 255")
    coefficients = [bytearray(secret), *(bytearray(random(len(secret))) for _ in range(threshold - 1))]
    try:
        return [Point(index, bytes(_evaluate(coefficients, index))) for index in range(1, shares + 1)]
    finally:
        for coefficient in coefficients:
            coefficient[:] = bytes(len(coefficient))


def combine(points: Sequence[Point], *, at: int = 0) -> bytearray:
    """What polynomials through all these points are at `at`: at 0 they are the secret.

    Raises:
        ValueError: there are none, two have the same index, or their lengths differ.
    """
    indexes = [point.x for point in points]
    length = len(points[0].value) if points else 0
    if len({*indexes}) != len(points) or not points or any(len(point.value) != length for point in points):
        raise ValueError("not points of one secret")
    found = bytearray(length)
    for point in points:
        weight = 1
        for other in indexes:
            if other != point.x:
                weight = multiply(weight, multiply(other ^ at, inverse(other ^ point.x)))
        for place, value in enumerate(point.value):
            found[place] ^= multiply(value, weight)
    return found


def _evaluate(coefficients: Sequence[bytearray], index: int) -> bytearray:
    """Horner's rule, from the highest coefficient down."""
    value = bytearray(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        for place, added in enumerate(coefficient):
            value[place] = multiply(value[place], index) ^ added
    return value


def multiply(one: int, other: int) -> int:
    """The product of two elements: eight steps, whatever they are."""
    product = 0
    for _ in range(8):
        product ^= -(other & 1) & one
        one = (one << 1) ^ (-(one >> 7) & 0x11B)
        other >>= 1
    return product


def inverse(element: int) -> int:
    """The element that makes 1 with this one, as its 254th power; 0 for 0."""
    power = 1
    for _ in range(7):  # 254 is seven ones and a zero
        element = multiply(element, element)
        power = multiply(power, element)
    return power
