"""Shares of the root secret as text that a person can type, and secrets restored from it.

A share is 45 bytes: version, 4 of the set, threshold, index, 32 of the value, and 6 of a
SHA-256 over all that. It stands as 18 groups of five letters of Crockford's base 32: four
digits and a check, which knows the group's place too, so that a slip is found where it is.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from governance.datatypes import Confidential
from governance.errors import Misconfigured
from governance.keys.keyring import Keyring
from governance.keys.shamir import MOST, Point, combine, split

VERSION = 1
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS, _A_LINE = 18, 6

_SET, _CHECK = 4, 6
_READ_AS = str.maketrans("OIL", "011")  # Crockford: what a person may take them for
_HINT = "compare it with the share as it was written down"


@dataclass(frozen=True, slots=True, repr=False)
class Share(Confidential):
    """One share of one backup. With enough others of its set it is the root secret."""

    backup: bytes
    """Names the set, 4 random bytes: shares of two sets do not fit each other."""

    threshold: int
    point: Point

    def text(self) -> str:
        """Three lines of six groups."""
        body = bytes([VERSION]) + self.backup + bytes([self.threshold, self.point.x]) + self.point.value
        number = int.from_bytes(body + _digest(body))
        digits = [number >> 5 * place & 31 for place in reversed(range(4 * GROUPS))]
        groups = [_group(place, digits[4 * place : 4 * place + 4]) for place in range(GROUPS)]
        return "\n".join("-".join(groups[line : line + _A_LINE]) for line in range(0, GROUPS, _A_LINE))

    @classmethod
    def parse(cls, text: str) -> Self:
        """What was written down; hyphens, spaces, lines and the case do not matter, nor lines that begin with #.

        Raises:
            Misconfigured: it is no share, or a group of it is not as it was written.
        """
        kept = "".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        typed = "".join(kept.split()).replace("-", "").upper().translate(_READ_AS)
        if len(typed) != 5 * GROUPS or not set(typed) <= set(DIGITS):
            hint = f"a share has {GROUPS} groups of five letters and digits, without U"
            raise Misconfigured("this is not a share of a root key", hint=hint)
        digits = []
        for place in range(GROUPS):
            group = typed[5 * place : 5 * place + 5]
            digits += [DIGITS.index(letter) for letter in group[:4]]
            if group != _group(place, digits[-4:]):
                raise Misconfigured(f"group {place + 1} of {GROUPS} of the share is mistyped", hint=_HINT)
        number = 0
        for digit in digits:
            number = number << 5 | digit
        data = number.to_bytes(45)
        body, check = data[:-_CHECK], data[-_CHECK:]
        if check != _digest(body):
            raise Misconfigured("the share is damaged: its checksum does not fit", hint=_HINT)
        if body[0] != VERSION:
            raise Misconfigured("the share is of another version of this program")
        threshold, index = body[1 + _SET], body[2 + _SET]
        if threshold < 2 or index == 0:
            raise Misconfigured("the share is not one that this program made", hint=_HINT)
        return cls(body[1 : 1 + _SET], threshold, Point(index, body[3 + _SET :]))


def backed_up(keyring: Keyring, *, shares: int, threshold: int) -> list[Share]:
    """New shares of the root secret; those of an earlier backup stay good.

    Raises:
        Misconfigured: not 2 <= threshold <= shares <= 255.
    """
    if not 2 <= threshold <= shares <= MOST:
        hint = f"the threshold is from 2 to the number of shares, and these are up to {MOST}"
        raise Misconfigured("so many shares cannot be made, or protect nothing", hint=hint)
    backup = secrets.token_bytes(_SET)
    return [Share(backup, threshold, point) for point in split(keyring._root, shares=shares, threshold=threshold)]


def restored(shares: Sequence[Share]) -> bytearray:
    """The secret, which the caller wipes; it is any 32 bytes until its public key was compared.

    Raises:
        Misconfigured: they are of several sets, too few, or contradict each other.
    """
    if not shares:
        raise Misconfigured("there are no shares")
    threshold = shares[0].threshold
    places = [str(n) for n, share in enumerate(shares, 1) if share.backup != shares[0].backup]
    if places:
        hint = f"compare the set in their first lines; number {', '.join(places)} of those given differs from the first"
        raise Misconfigured("the shares are of different backups", hint=hint)
    points = {share.point.x: share.point for share in shares}
    if any(share.point != points[share.point.x] or share.threshold != threshold for share in shares):
        raise Misconfigured("two shares contradict each other", hint="one of them was not made by that backup")
    if len(points) < threshold:
        raise Misconfigured(f"{threshold} different shares are needed, there are {len(points)}")
    first, *more = (list(points.values())[:threshold], *list(points.values())[threshold:])
    if any(bytes(combine(first, at=extra.x)) != extra.value for extra in more):
        raise Misconfigured("the shares do not fit together", hint="one of them was not made by that backup")
    return combine(first)


def _digest(body: bytes) -> bytes:
    return sha256(b"governance share\n" + body).digest()[:_CHECK]


def _group(place: int, digits: Sequence[int]) -> str:
    """Four digits and their check, over GF(32): any one wrong letter and any two neighbours swapped do not fit."""
    check = place
    for digit in digits:
        check = _doubled(check) ^ digit
    return "".join(DIGITS[digit] for digit in (*digits, _doubled(check)))


def _doubled(element: int) -> int:
    return (element << 1) ^ (0b100101 if element & 16 else 0)
