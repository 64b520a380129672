"""Find in a text what is this study's own, however it is spelled, and however its parts are put together.

To compile what a study is searched for costs milliseconds, and an archive of radiographs has a study in each
file. So that is done when a text holds a part of it: the letters and digits of a name or number, or those of a
day's parts, in a row and without anything between.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

from governance.datatypes import Confidential, Span
from governance.detect import patterns, vocabulary
from governance.detect.literals import LONGEST_WORD, digits_of, has_case, says_nothing, spellings, together

_BESIDE, _BESIDE_OF_MACHINES = r"\d", r"[^\W_]"
"""What does not stand beside an own number of up to four digits: machines write such into words, `B128f`."""

_LETTER = r"[^\W\d_]"
# Three single letters and more with the same between all of them: "M U E L L E R", "M.u.e.l.l.e.r".
_SPELLED = re.compile(rf"(?<![^\W_]){_LETTER}([\W_]{{1,2}}?)\1*{_LETTER}(?:\1+{_LETTER})+(?![^\W_])")


class Own(Confidential):
    """Everything of one study that a text is searched for. free_text: what people write, not machines."""

    def __init__(
        self,
        free_text: bool,
        names: frozenset[str],
        numbers: frozenset[str],
        dates: frozenset[str],
        ages: frozenset[str],
    ) -> None:
        beside = _BESIDE if free_text else _BESIDE_OF_MACHINES
        self._sought = (_names(names), _numbers(numbers, beside), _dates(dates), _ages(ages))

    def find(self, text: str) -> Iterator[Span]:
        """Spans of `text`; they may overlap, and begin or end inside a word."""
        folded, spelled = _Folded.of(text), list(spelled_out(text))
        bare = "\0".join((_bare(folded.text), *(word for _, word in spelled)))
        for sought in self._sought:
            if not sought.may_be_in(bare):
                continue
            yield from (folded.span(match, sought.kind) for match in sought.pattern.finditer(folded.text))
            for match, word in spelled:
                if sought.pattern.search(word):
                    yield Span(match.start(), match.end(), sought.kind)


own_of = lru_cache(maxsize=64)(Own)


def spelled_out(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Runs of single letters, and the folded word that they spell."""
    for match in _SPELLED.finditer(text):
        yield match, vocabulary.fold("".join(filter(str.isalpha, match[0])))


class _Sought(Confidential):
    """Identifiers of one kind: expressions that find them, and what a text must hold for any of them to match."""

    def __init__(self, kind: str, expressions: Iterable[str], needed: Iterable[tuple[str, ...]]) -> None:
        """needed: `_bare` strings; all of one tuple, of any, are in a text that holds one of the identifiers."""
        self.kind = kind
        self._expressions = tuple(expressions)
        self._needed = frozenset(needed)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of folded text."""
        return re.compile("|".join(self._expressions))

    def may_be_in(self, bare: str) -> bool:
        """Whether the pattern can match a text with these letters and digits."""
        return bool(self._expressions) and any(all(part in bare for part in parts) for parts in self._needed)


def _bare(folded: str) -> str:
    """Letters and digits alone, so that nothing stands between what belongs together."""
    return folded if folded.isalnum() else "".join(filter(str.isalnum, folded))


class _Folded(NamedTuple):
    """A text without case and diacritics, and where each of its characters came from."""

    text: str
    origin: list[int] | None

    @classmethod
    def of(cls, text: str) -> "_Folded":
        if text.isascii():
            return cls(text.lower(), None)
        parts = [vocabulary.fold(character) for character in text]
        return cls("".join(parts), [place for place, part in enumerate(parts) for _ in part])

    def span(self, match: re.Match[str], kind: str) -> Span:
        if self.origin is None:
            return Span(match.start(), match.end(), kind)
        return Span(self.origin[match.start()], self.origin[match.end() - 1] + 1, kind)


@lru_cache(maxsize=64)
def _names(names: frozenset[str]) -> _Sought:
    folded = {vocabulary.fold(part) for name in names for parts in together(name) for part in parts}
    return _Sought("NAME", _name_expressions(names), ((_bare(form),) for form in folded | _name_forms(names)))


@lru_cache(maxsize=64)
def _numbers(numbers: frozenset[str], beside: str) -> _Sought:
    runs = {run for number in numbers for run in digits_of(number)}
    needed = ((_bare(vocabulary.fold(number)).lstrip("0"),) for number in numbers | runs)
    return _Sought("ID", _number_expressions(numbers, beside=beside), needed)


@lru_cache(maxsize=64)
def _dates(dates: frozenset[str]) -> _Sought:
    parts = ((str(int(date[4:6])), str(int(date[6:8]))) for date in dates)
    return _Sought("DATE", _date_expressions(dates), parts)


@lru_cache(maxsize=64)
def _ages(ages: frozenset[str]) -> _Sought:
    return _Sought("AGE", _age_expressions(ages), ((age,) for age in ages))


def _either(words: Iterable[str]) -> str:
    """An alternation, longest first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word))) + ")"


def _name_forms(names: frozenset[str]) -> set[str]:
    """Folded spellings of what is looked for alone."""
    alone = {name for name in names if "^" not in name and not vocabulary.is_clinical(name)}
    forms = {vocabulary.fold(form) for name in alone for form in spellings(name)}
    # "mueller" is also written "Müller", which folds to "muller".
    forms |= {re.sub("([aou])e", r"\1", form) for form in forms}
    return {form for form in forms if len(form) >= 2}


def _name_expressions(names: frozenset[str]) -> Iterator[str]:
    """Names as whole words, also run together; long ones and those without capitals wherever they stand."""
    forms = _name_forms(names)
    anywhere = {form for form in forms if not has_case(form) or len(form) > LONGEST_WORD}
    if anywhere:
        yield _either(anywhere)
    if forms - anywhere:
        yield rf"(?<![^\W\d_]){_either(forms)}+(?![^\W\d_])"
    for name in names:
        for parts in together(name):
            folded = [vocabulary.fold(part) for part in parts]
            words, gap = _either(folded), "{1,3}" if vocabulary.knows("".join(folded)) else "{0,3}"
            yield rf"(?<![^\W\d_]){words}(?:[\W_]{gap}{words}){{{len(parts) - 1},}}(?![^\W\d_])"


def _number_expressions(numbers: frozenset[str], *, beside: str) -> Iterator[str]:
    """Numbers of three characters and more; longer ones also with separators or without leading zeros."""
    runs = {run for number in numbers for run in digits_of(number)}
    for number in sorted(numbers | runs, key=lambda number: (-len(number), number)):
        characters = [c for c in vocabulary.fold(number) if c.isalnum()]
        bare = "".join(characters)
        if len(bare) < 3 or says_nothing(number):
            continue
        significant = bare.lstrip("0")
        between, edge = (r"[\W_]{0,2}", r"\d") if len(significant) >= 5 else ("", beside)
        if bare.isdecimal():
            if len(significant) >= 3:
                yield rf"(?<!{edge})0*{between.join(significant)}(?!{edge})"
            yield rf"(?<!{edge}){between.join(bare)}(?!{edge})"
        elif any(c.isdecimal() for c in bare) and len(bare) >= 5:
            yield between.join(map(re.escape, characters))
        else:
            yield rf"(?<![^\W_]){between.join(map(re.escape, characters))}(?![^\W_])"


def _date_expressions(dates: frozenset[str]) -> Iterator[str]:
    """Own days without a year (03/04, 4-3, 4.3.), in six digits, and with anything between their parts.

    Other complete dates are found by their form.
    """
    gap = r"[\W_]{1,3}"
    for date in sorted(dates):
        month, day = int(date[4:6]), int(date[6:8])
        yy, mm, dd = date[2:4], date[4:6], date[6:8]
        year, m, d = rf"(?:{date[:2]})?{yy}", rf"0?{month}", rf"0?{day}"
        yield rf"(?<!\d)(?<!\d\.)(?:{m}[/-]{d}|{d}[/-]{m})(?!\d)(?!\.\d)"
        yield rf"(?<!\d)(?<!\d\.){d}\. ?{m}\.(?!\d)"
        yield rf"(?<!\d)(?:{yy}{mm}{dd}|{dd}{mm}{yy}|{mm}{dd}{yy})(?!\d)"
        yield rf"(?<!\d)(?:{d}{gap}{m}|{m}{gap}{d}){gap}{year}(?!\d)"
        yield rf"(?<!\d){year}{gap}{m}{gap}{d}(?!\d)"


def _age_expressions(ages: frozenset[str]) -> Iterator[str]:
    """Own ages above 89, which nobody may know (45 CFR 164.514), unless they measure something."""
    for age in sorted(ages):
        yield rf"(?<![^\W_])(?<!\d[.,])0?{age}(?![^\W_])(?![.,]\d)(?! ?{patterns.MEASURES})"
