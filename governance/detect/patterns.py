"""Identifiers that can be told by their form: dates, numbers, contacts, places, ages.

Expressions in the form in which Presidio's pattern recognisers take them, searched without it: it takes two
seconds to import, and five times as long to ask as the expressions themselves. Nothing here looks anything up.

Every pattern is linear: no repetition holds another one that matches the same text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate

import regex

from governance import dicom
from governance.datatypes import Span
from governance.detect import vocabulary

_MONTH = (
    r"(?:jan(?:uary|uar|uari|vier)?|feb(?:ruary|ruar|ruari)?|f[ée]v(?:rier|ereiro)?|mar(?:ch|s|zo|t|ço)|märz|maart|apr(?:il|ile)?|avril|abril"
    r"|mai|mayo|maggio|maio|may|jun[ie]?|juin|junio|giugno|junho|jul[iy]?|juillet|julio|luglio|julho|aug(?:ust|ustus)?|août|agosto"
    r"|sept?(?:ember|iembre|embre)?|settembre|setembro|o[ck]t(?:ober|obre|ubre)?|ottobre|outubro|nov(?:ember|embre|iembre|embro)?"
    r"|d[eé][cz](?:ember|embre)|dicembre|diciembre|dezembro|enero|ene|gennaio|janeiro|febrero|febbraio|fevereiro)"
)
_MONTH_ABBREVIATED = r"(?:mar|dec|dez|déc|dic|mrz|mei)"
_YEAR = r"(?:1[89]|20)\d\d"
_NUMBER = r"(?:0?[1-9]|[12]\d|3[01])"
_DAY = rf"{_NUMBER}(?:st|nd|rd|th|er)?"
_UNIT = r"(?:ms|s|hu|mm|cm|m|kv|ma|mas|hz|px|ml|mgy|cgy|gy|bit|x|\*)"
MEASURES = r"(?:%|(?:ms|s|sec|min|hu|mm|cm|kv|kvp|ma|mas|hz|px|ml|cc|mg|kg|lbs?|mgy|cgy|gy|mbq|mci|bit|x|deg)(?!\w))"
"""What follows a number between 90 and 119 that is no age. A lone "m" may stand for a man."""
_OLD = r"(?:9\d|1[01]\d)"

_YEARS = r"years?|yrs?|yo|y/o|y|jahre?n?|j(?:ä|ae)hrig(?:e[mnrs]?)?|j|ans?|años?|anni|jaar|anos"
_CALL = r"(?:tel|telefon|telephone|t[ée]l|tlf|phone|mobile|mob|handy|cell|fax|call)"

PATTERNS = {
    "DATE": (
        rf"(?<!\d){_YEAR}([-./])\d{{1,2}}\1\d{{1,2}}(?!\d)",
        rf"(?<![\d.])(?<!\bv){_NUMBER}([-./]){_NUMBER}\1(?:{_YEAR}|\d\d)(?!\.?\d)",
        # With blanks: 13. 12. 1981, 13 / 12 / 1981, 13.12. 1981, 1981 12 13; without a century 13. 12. 81 alone.
        rf"(?<![^\W_])(?<!\.){_NUMBER}(?:([-./ ]{{1,3}}){_NUMBER}\1|\. ?{_NUMBER}\. ?){_YEAR}(?!\.?\d)",
        rf"(?<![^\W_])(?<!\.){_NUMBER}\. {_NUMBER}\. ?\d\d(?!\.?\d)",
        rf"(?<!\d){_YEAR}[-./ ]{{1,3}}(?:0[1-9]|1[0-2])[-./ ]{{1,3}}(?:0[1-9]|[12]\d|3[01])(?!\d)",
        rf"(?<!\d)(?:0?[1-9]|1[0-2])[-./]{_YEAR}(?!\d)",
        rf"(?<!\d){_YEAR}[-./](?:0?[1-9]|1[0-2])(?!\d)",
        rf"(?<!\d){_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{2}}){{0,3}}(?!\d)",
        rf"(?<![^\W_]){_DAY}[ \-/.]{{0,3}}(?:(?:de|of) )?(?:{_MONTH}|{_MONTH_ABBREVIATED})(?![^\W\d_])"
        rf"(?:[ \-/.,']{{0,3}}(?:de )?(?:{_YEAR}|\d\d))?(?!\d)",
        rf"(?<![^\W\d_]){_MONTH}[ \-/.]{{0,3}}{_DAY}(?!\d)(?:[ \-/.,]{{0,3}}{_YEAR})?",
        rf"(?<![^\W\d_])(?:{_MONTH}|{_MONTH_ABBREVIATED})[ \-/.,']{{0,3}}(?:del? )?{_YEAR}(?!\d)",
        # German: am 24.7., vom 3.4.; neither 9 am 3.4. nor PSA bis 2.5. and what follows.
        rf"(?<=(?<!\d ?)\b(?-i:[Aa]m|[Vv]om|[Zz]um|[Ss]eit|[Dd]en) ){_NUMBER}\.(?:0?[1-9]|1[0-2])\.(?!\d)"
        rf"(?! ?(?:{_UNIT}|ssw)(?!\w))",
        rf"(?<![\w.=])(?<!jpeg )(?:19\d|20[0-3])\d(?!\w)(?!\.\d)(?! ?{_UNIT}(?!\w))",
    ),
    "ID": (
        # A word with five digits or more; neither the fraction of a short decimal number nor a matrix, 512x512.
        r"(?<![^\W_])(?<!(?<![\d.])\d{1,4}\.)(?!(?<=(?<![\w.,])\d{1,3},)\d{5,6}(?![\w,]))(?=(?:[^\W\d_]*\d){5})(?!\d{1,5}(?:x\d{1,5}){1,3}(?![^\W_]))[^\W_]+",
        r"(?<![\d.])\d+(?:\.\d+){4,}",
        r"(?<![\d.])2\.25\.\d{6,}",
        # Numbers of national insurance: British, French, German, Spanish.
        r"(?<!\w)[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D](?!\w)",
        r"(?<![\d.,])[12] ?\d\d ?\d\d ?\d[\dAB] ?\d{3} ?\d{3}(?: ?\d\d)?(?!\w)",
        r"(?<![\d.,])\d\d ?\d{6} ?[A-Z] ?\d{3}(?!\w)",
        r"(?<![\d.,])\d\d/\d{7,8}/\d\d(?!\d)",
        r"(?<!\d)(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2}(?![\d.])",
    ),
    "CONTACT": (
        r"\+\d(?:[ ()./\-]{0,2}\d){6,}",
        r"\(\d{2,5}\)[ \-]?\d{3,}(?:[ \-]\d{2,})*",
        r"(?<![\d.])(?=(?:[ \-/]?\d){7})\d{2,5}(?:[ \-/]\d{2,5}){2,}(?!\d)",
        r"(?<![\d.\-])\d{3}-\d{4}(?!\d)",
        r"(?<!\d)\d{3}\.\d{3}\.\d{4}(?!\d)(?:x\d+)?",
        r"(?<!\d)0\d(?:[. ]\d\d){4}(?!\d)",
        r"(?<![\w.])0\d{1,4}[ /\-]{1,3}\d{5,8}(?!\d)",
        r"(?<![\w.,])[2-9]\d{3} \d{4}(?![\w.,])",
        rf"(?<=\b{_CALL}\.?:? ?)(?=(?:[^\d\n]{{0,2}}\d){{6}})\d[\d ()./\-]{{4,20}}\d(?!\w)",
        r"(?<=\b(?:durchwahl|apparat|poste|pager|bleep|beeper)\.?:? ?)\d{3,}(?!\w)",
        # Not what a joint does: ext. 120.
        r"(?<!\w)ext(?:ension)?\.?:? ?[-#]? ?(?!1\d0(?!\d))\d{3,}(?!\w)",
        r"(?<![\w.+\-])[\w.+\-]{1,64}(?:['’][\w.+\-]{1,64}){0,2}@[\w\-]+(?:\.[\w\-]+)*",
        r"(?:https?|ftps?|file|dicom|smb)://\S+",
        r"(?<!\w)www\.\S+",
        r"(?<![\w.\-])[\w\-]{1,63}(?:\.[\w\-]{1,63}){0,4}\.(?:com|org|net|edu|gov|mil|int|io|info|de|at|ch|fr|es|it|nl|be|uk|eu|pt|br|pl|se|no|dk|fi|jp|cn|kr|in|ca|au|local|lan)(?![\w.])(?:/\S*)?",
    ),
    "AGE": (
        rf"(?<![\d.])0?(?:9\d|1[0-4]\d)(?= ?-? ?(?:{_YEARS})(?![^\W_]))",
        r"(?<=\b(?:aged?|alter|âge|edad|età|leeftijd|idade)[ :=]{0,3})(?:9\d|1[0-4]\d)(?!\d)",
        # 97F, 97 F, 97/F, 97 M; 99m is technetium, 90 m minutes or a length, B90f a kernel.
        r"(?<![^\W_])(?<!\d[.,])(?<!tc.)(?:9\d ?/? ?f|9[0-8] ?/? ?(?-i:M)|9[1-8]m)(?![^\W_])",
        r"(?<![^\W_])[fm] ?/ ?9\d(?!\w)(?!\.\d)",
        rf"(?<=\b(?:s?he|patient|pt) (?:is|was) ){_OLD}(?!\w)(?!\.\d)(?! ?{MEASURES})",
        rf"(?<=\b(?:woman|man|lady|gentleman|female|male)(?:,| is| was)? ){_OLD}(?!\w)(?!\.\d)(?! ?{MEASURES})",
    ),
}
"""Regular expressions by kind, compared without case.

Years up to 2039 are marked (2048 is a matrix), times of day are not.
"""

POSTCODES = (
    r"(?<!\w)[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}(?!\w)",
    r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d(?!\w)",
    r"(?<![\w.])[1-9]\d{3} [A-Z]{2}(?!\w)",
)
"""British, Canadian and Dutch ones; others are numbers of five digits. In capitals only."""

_ANCHOR = re.compile(r"[\d@]|://|www\.|\.[^\W\d_]{2}", re.IGNORECASE)
"""Every form holds one of these; what is farther than `_REACH` from them is no part of it, or of the same word."""
_REACH = 32
_BESIDE = 2
_BREAK = "\n"
"""No form goes beyond it."""
_MONTHS = (
    r"jan|feb|f[ée]v|m[aä]r|ma[aiy]|mag|mrz|mei|a[pbv]r|ju[iln]|giu|lug|au?g|ao[uû]|se[pt]|o[cktu]t|nov|d[eéi][cz]"
    r"|ene|gen"
)
_WORTH_A_LOOK = {
    "DATE": re.compile(
        rf"\d[-./ ]{{1,3}}\d{{1,2}}[-./ ]{{1,3}}\d|\d\.\d\d?\.|(?:1[89]|20)\d\d"
        rf"|\d.{{0,8}}(?:{_MONTHS})|(?:{_MONTHS}).{{0,12}}\d",
        re.IGNORECASE | re.DOTALL,
    ),
    "ID": re.compile(r"(?:\d ?){6}|\d[^\W_]*\d[^\W_]*\d[^\W_]*\d[^\W_]*\d|\d(?:\.\d+){4}|\d\d?/\d{7}|(?:192|172)\.\d"),
    "CONTACT": re.compile(
        r"\d(?:[ ()./\-]{0,3}\d){4}|(?:[ltexblr]|call)[^\d\n]{0,5}\d[^\d\n]{0,2}\d[^\d\n]{0,2}\d|[@]|://|www\.|\.[^\W\d_]{2}",
        re.IGNORECASE,
    ),
    "AGE": re.compile(r"9\d|1[0-4]\d"),
    "POSTCODE": re.compile(r"\d[A-Z\d]? \d[A-Z]|\d[A-Z][ -]?\d|\d [A-Z]{2}"),
}
"""What a text must hold for any pattern of a kind to match."""


def find(text: str, *, near: Sequence[Span] | None = None) -> Iterator[Span]:
    """Spans of `text` that have the form of an identifier; they may overlap.

    near: only around words between which and one of these there are two characters at most; in order, disjoint.
    """
    worth = _worth_a_look(text, near)
    if not worth:
        return
    part = _BREAK.join(text[start:stop] for start, stop in worth)
    begins = [*accumulate((stop - start + 1 for start, stop in worth[:-1]), initial=0)]
    for kind, expressions in _compiled().items():
        if _WORTH_A_LOOK[kind].search(part) is None:
            continue
        found = [match.span() for expression in expressions for match in expression.finditer(part)]
        harmless = [(start, stop) for start, stop in found if _is_harmless(part[start:stop], kind)]
        for start, stop in found:
            if not any(first <= start and stop <= last for first, last in harmless):
                at = bisect_right(begins, start) - 1
                moved = worth[at][0] - begins[at]
                yield Span(start + moved, stop + moved, kind)


def _worth_a_look(text: str, near: Sequence[Span] | None) -> list[tuple[int, int]]:
    """Parts of `text` around what every form holds, cut at spaces."""
    found: list[tuple[int, int]] = []
    looked = 0
    for anchor in _ANCHOR.finditer(text):
        place = anchor.start()
        if place < looked or (found and place + _REACH <= found[-1][1]):
            continue
        if near is not None:
            start, stop = _word_around(text, place, place)
            before = bisect_right(near, stop + _BESIDE, key=lambda span: span.start)
            if not before or near[before - 1].stop < start - _BESIDE:
                looked = stop
                continue
        start, stop = _word_around(text, max(place - _REACH, 0), min(place + _REACH, len(text)))
        if found and start <= found[-1][1]:
            start = found.pop()[0]
        found.append((start, stop))
    return found


def _word_around(text: str, start: int, stop: int) -> tuple[int, int]:
    """The part from `start` to `stop`, with the rest of the words that it begins and ends in."""
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while stop < len(text) and not text[stop].isspace():
        stop += 1
    return start, stop


_OF_NOBODY = frozenset(
    {str(2**bits - one) for bits in (14, 15, 16) for one in (0, 1)} | {str(code) for code in range(113100, 113113)}
)
"""The limits of stored values, and the codes of de-identification (PS3.16, CID 7050)."""


def _is_harmless(text: str, kind: str) -> bool:
    """A number that is of nobody, a UID of the standard; or what looks like a contact and counts pixels.

    `1024 AX` is a matrix and a direction, no postcode; `2048 2048` are round numbers, no telephone.
    """
    if kind == "POSTCODE":
        return text[:4].isdecimal() and vocabulary.knows(text[-2:])
    if kind == "CONTACT" and len(text) == 9 and text[4] == " " and text[:4].isdecimal():
        return any(not int(part) % 10 or not int(part) % 32 for part in text.split() if part.isdecimal())
    return text in _OF_NOBODY or dicom.is_registered(text)


@cache
def _compiled() -> Mapping[str, tuple[regex.Pattern[str], ...]]:
    flags = regex.MULTILINE | regex.DOTALL
    made = {
        kind: tuple(regex.compile(one, flags | regex.IGNORECASE) for one in each) for kind, each in PATTERNS.items()
    }
    return made | {"POSTCODE": tuple(regex.compile(one, flags) for one in POSTCODES)}
