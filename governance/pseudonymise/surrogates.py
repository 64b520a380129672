"""What stands in a text instead of a name, number, contact or place, and reads as one: hide in plain sight.

A reader who meets `Mr. Talbot, 4482913` cannot tell a name that was missed from one that was put there. The same
original, however it is written, gets the same surrogate in all texts of a patient and in every run; two patients share
none but by chance. All is drawn by HMAC from the project's key; `data/surrogates.txt` has the names and the places,
which are nowhere.

What has no surrogate gets its mark: words that are only possibly a name, ages, names in other than Latin letters.
"""

import hmac
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from governance.datatypes import Confidential

MOST_DRAWS = 16
"""Before the mark is used: each draw may be the original, or of this study."""
_DIGITS_OF_A_CALL = 7
"""Numbers of fewer digits are extensions."""
_HOST, _EXCHANGE = "example.org", "555-01"
"""Reserved for examples: RFC 2606; 555-0100 to 555-0199 of the North American Numbering Plan."""

_UNDECOMPOSED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class Surrogates(Confidential):
    """The surrogates of one patient."""

    def __init__(self, key: bytes, *, patient_id: str, taken: Callable[[str], bool]) -> None:
        """key: of the project, for this purpose. taken: whether a text holds an identifier of the study."""
        self._key = hmac.digest(key, b"patient:" + patient_id.encode("utf-8", "surrogatepass"), "sha256")
        self.taken = taken

    def of(self, kind: str, original: str) -> str | None:
        """What to write instead of an identifier, whole, or None: its mark."""
        if "@" in original or "://" in original:  # names in it, too, are of a contact
            return self._drawn(original, self._contact)
        match kind:
            case "NAME":
                return self._drawn(original, self._name)
            case "PLACE":
                return self._drawn(original, self._place)
            case "ID" | "POSTCODE":
                return self._drawn(original, self._number)
            case "CONTACT":
                return self._drawn(original, self._contact)
            case _:
                return None

    def _drawn(self, original: str, draw: Callable[[str, int], str | None]) -> str | None:
        for attempt in range(MOST_DRAWS):
            made = draw(original, attempt)
            if made is None:
                return None
            if _folded(made) != _folded(original) and not self.taken(made):
                return made
        return None

    def _chance(self, purpose: str, original: str, attempt: int) -> int:
        message = "\0".join((purpose, str(attempt), original)).encode("utf-8", "surrogatepass")
        return int.from_bytes(hmac.digest(self._key, message, "sha256"))

    def _name(self, original: str, attempt: int) -> str | None:
        """Word for word, in the same case; a single letter becomes another one."""
        if not _WORD.search(original) or any(map(str.isdigit, original)):
            return None
        made = [self._part(word, attempt) for word in _WORD.findall(original)]
        names = [name for name in made if name is not None]
        return _WORD.sub(lambda _: names.pop(0), original) if len(names) == len(made) else None

    def _part(self, word: str, first: int) -> str | None:
        folded = _folded(word)
        if not folded.isascii():
            return None
        if len(folded) == 1:
            letter = chr(ord("a") + self._chance("initial", folded, first) % 26)
            return letter if word.islower() else letter.upper()
        given, family, _ = _lists()
        # A word alone draws again by itself, so that it becomes the same in a longer name.
        for attempt in range(first, MOST_DRAWS):
            of = given if folded in _given() else family
            name = of[self._chance("name", folded, attempt) % len(of)]
            if _folded(name) != folded and not self.taken(name):
                return name.upper() if word.isupper() else name.lower() if word.islower() else name
        return None

    def _place(self, original: str, attempt: int) -> str:
        places = _lists()[2]
        place = places[self._chance("place", _folded(original), attempt) % len(places)]
        return place.upper() if original.isupper() else place.lower() if original.islower() else place

    def _number(self, original: str, attempt: int) -> str | None:
        """Digits for digits and letters for letters, from the right, so that zeros and signs before change nothing."""
        if not all(character.isascii() for character in original if character.isalnum()):
            return None
        significant = _folded(original).lstrip("0")
        made: list[str] = []
        left = len(significant)
        for character in reversed(original):
            if not character.isalnum() or not left:
                made.append(character)
                continue
            chance = self._chance("number", f"{significant}\0{left}", attempt)
            left -= 1
            letter = chr(ord("a") + chance % 26)
            made.append(
                str(chance % 10) if character.isdecimal() else letter.upper() if character.isupper() else letter
            )
        return "".join(reversed(made))

    def _contact(self, original: str, attempt: int) -> str | None:
        chance = self._chance("contact", _folded(original), attempt)
        given, family, _ = _lists()
        if "@" in original:
            return f"{given[chance % len(given)]}.{family[(chance >> 32) % len(family)]}@{_HOST}".lower()
        scheme, mark, _ = original.partition("://")
        if mark or re.search(r"[^\W\d_]{2}", original):
            return f"{scheme}://{_HOST}" if mark else _HOST
        if sum(map(str.isdigit, original)) < _DIGITS_OF_A_CALL:
            return self._number(original, attempt)
        return f"{_EXCHANGE}{chance % 100:02d}"


def _folded(text: str) -> str:
    """Letters and digits alone, without case and diacritics."""
    decomposed = unicodedata.normalize("NFKD", text.casefold()).translate(_UNDECOMPOSED)
    return "".join(filter(str.isalnum, decomposed))


@cache
def _lists() -> tuple[tuple[str, ...], ...]:
    """Given names, family names, places."""
    text = (files("governance.pseudonymise") / "data" / "surrogates.txt").read_text("utf-8")
    return tuple(tuple(part.partition("\n")[2].split()) for part in text.split("# ")[1:])


@cache
def _given() -> frozenset[str]:
    return frozenset(map(_folded, _lists()[0]))
