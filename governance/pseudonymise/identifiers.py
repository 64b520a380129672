"""Pseudonyms: keyed, unlinkable between projects, and hard to mistype.

A pseudonym is Crockford base32 of a truncated HMAC-SHA256 and one check character
(Crockford's modulo 37). Patients get 80 bits behind the project's prefix; the
others get 70 bits behind one letter, because AccessionNumber is SH and holds no
more than 16 characters (PS3.5, 6.2).
"""

import hmac
import re
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK_ALPHABET = ALPHABET + "*~$=U"


_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)


def base32(number: int, characters: int) -> str:
    """`number` in exactly `characters` digits of Crockford's base 32, an even number of them, highest first."""
    return "".join([_PAIRS[number >> place & 1023] for place in range(5 * characters - 10, -1, -10)])


def _drawn(key: bytes, value: str, characters: int) -> str:
    """`characters` digits and Crockford's check, the number modulo 37: one wrong or swapped character never fits.

    The five symbols past Z of his alphabet are unfit for file names: where one would be needed, it is drawn again.
    """
    for attempt in range(256):
        digest = hmac.digest(key, bytes([attempt]) + value.encode("utf-8", "surrogatepass"), "sha256")
        number = int.from_bytes(digest) >> 256 - 5 * characters
        check = CHECK_ALPHABET[number % 37]
        if check in ALPHABET:
            return base32(number, characters) + check
    raise AssertionError("256 draws without a usable check character")


@lru_cache
def prefix(project: str) -> str:
    """What patients of `project` start with: its letters and digits, at most 12, upper case."""
    return re.sub(r"[^A-Z0-9]", "", project.upper())[:12] or "P"


def patient_pseudonym(key: bytes, patient_id: str, *, project: str) -> str:
    """`DEMO-` and 17 characters; the same patient id gives the same pseudonym in one project."""
    return f"{prefix(project)}-{_drawn(key, patient_id, 16)}"


def short_pseudonym(key: bytes, value: str, *, letter: str) -> str:
    """`letter` and 15 characters: 16 in all, as SH allows."""
    return letter + _drawn(key, value, 14)
