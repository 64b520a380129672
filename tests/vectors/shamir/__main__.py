"""Write splits.json: `python -m tests.vectors.shamir`. By tables of logarithms, and not by the program under test."""

import json
from hashlib import shake_256
from pathlib import Path

PLACE = Path(__file__).with_name("splits.json")
CASES = ((1, 2, 2), (1, 3, 2), (4, 5, 3), (32, 5, 3), (32, 7, 7), (32, 16, 4), (16, 255, 2), (8, 255, 5))
"""Bytes of the secret, shares, threshold."""


def tables() -> tuple[list[int], dict[int, int]]:
    """Powers of the generator 3 (FIPS 197: x^8 + x^4 + x^3 + x + 1), and their logarithms."""
    powers, element = [], 1
    for _ in range(255):
        powers.append(element)
        double = element * 2 if element < 128 else element * 2 ^ 0x11B
        element ^= double
    return powers, {power: log for log, power in enumerate(powers)}


def times(one: int, other: int) -> int:
    powers, logs = TABLES
    return 0 if 0 in (one, other) else powers[(logs[one] + logs[other]) % 255]


TABLES = tables()


def split(coefficients: list[bytes], index: int) -> bytes:
    """The sum of coefficient times power, term by term."""
    value = bytearray(len(coefficients[0]))
    power = 1
    for coefficient in coefficients:
        for place, byte in enumerate(coefficient):
            value[place] ^= times(byte, power)
        power = times(power, index)
    return bytes(value)


def vectors() -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for length, shares, threshold in CASES:
        stream = shake_256(f"shamir {length} {shares} {threshold}".encode()).digest(length * threshold)
        coefficients = [stream[place : place + length] for place in range(0, len(stream), length)]
        made.append(
            {
                "secret": coefficients[0].hex(),
                "shares": shares,
                "threshold": threshold,
                "coefficients": [coefficient.hex() for coefficient in coefficients[1:]],
                "points": {str(index): split(coefficients, index).hex() for index in range(1, shares + 1)},
            }
        )
    return made


def text() -> str:
    origin = "python -m tests.vectors.shamir: secret and coefficients are SHAKE-256 of 'shamir LENGTH SHARES THRESHOLD'"
    return json.dumps({"origin": origin, "vectors": vectors()}, indent=1) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text())
