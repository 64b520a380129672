"""Find in a text what is this study's own, however it is spelled, and however its parts are put together.

In free text also what a hurried hand makes of it: one typing error in a name (`near.py`), initials.

To compile what a study is searched for costs milliseconds, and an archive of radiographs has a study in each
file. So that is done when a text holds a part of it: the letters and digits of a name or number, or those of a
day's parts, in a row and without anything between.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import groupby
from typing import NamedTuple

from governance.datatypes import Confidential, Span
from governance.detect import patterns, vocabulary
from governance.detect.held import Held
from governance.detect.literals import (
    LONGEST_WORD,
    SHORTEST_NAME,
    digits_of,
    has_case,
    parts_of,
    says_nothing,
    spellings,
    together,
)
from governance.detect.near import Near, near

_BESIDE, _BESIDE_OF_MACHINES = r"\d", r"[^\W_]"
"""What does not stand beside an own number of up to four digits: machines write such into words, `B128f`."""

MANY = 150
"""Names, numbers and days. Of more, as a register of persons holds, few are in any one text."""
PART, OVER_ITS_END = 2_000, 1_000
"""Characters of a text that are then searched at once, and those behind them in which what begins there may go on."""

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
        self._many: _Many | None = None
        self._sought: tuple[_Sought, ...] = (_ages(ages),)
        if len(names) + len(numbers) + len(dates) > MANY:
            self._many = _many(names, numbers, dates, beside, free_text)
        else:
            exact = _names(names), _numbers(numbers, beside), _dates(dates), *self._sought
            self._sought = (*exact, _initials(names)) if free_text else exact
        self._near = _near(names) if free_text else None

    def find(self, text: str) -> Iterator[Span]:
        """Spans of `text`; they may overlap, and begin or end inside a word."""
        folded, spelled = _Folded.of(text), spelled_out(text)
        bare = "\0".join((_bare(folded.text), *(word for _, word in spelled)))
        if self._near is not None:
            yield from (folded.span(match, "NAME") for match in self._near.find(folded.text))
        for sought in self._sought:
            if not sought.may_be_in(bare):
                continue
            yield from (folded.span(match, sought.kind) for match in sought.pattern.finditer(folded.text))
            for match, word in spelled:
                if sought.pattern.search(word):
                    yield Span(match.start(), match.end(), sought.kind)
        if self._many is not None:
            yield from (folded.span(match, kind) for match, kind in self._many.find(folded.text))
            for match, word in spelled:
                yield from (Span(match.start(), match.end(), kind) for _, kind in self._many.find(word))


own_of = lru_cache(maxsize=64)(Own)


@lru_cache(maxsize=64)
def spelled_out(text: str) -> tuple[tuple[re.Match[str], str], ...]:
    """Runs of single letters, and the folded word that they spell."""
    found = _SPELLED.finditer(text)
    return tuple((match, vocabulary.fold("".join(filter(str.isalpha, match[0])))) for match in found)


class _Sought(Confidential):
    """Identifiers of one kind: expressions that find them, and what a text must hold for any of them to match."""

    def __init__(self, kind: str, expressions: Iterable[str], needed: Iterable[tuple[str, ...]] = ()) -> None:
        """needed: `_bare` strings; all of one tuple, of any, are in a text that holds one of the identifiers."""
        self.kind = kind
        self.expressions = tuple(expressions)
        every = frozenset(needed)
        self._needed = tuple({parts[0] for parts in every if len(parts) == 1})
        self._needed_together = tuple(parts for parts in every if len(parts) != 1)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Of folded text."""
        return re.compile("|".join(self.expressions))

    def may_be_in(self, bare: str) -> bool:
        """Whether the pattern can match a text with these letters and digits."""
        if not self.expressions:
            return False
        if any(map(bare.__contains__, self._needed)):
            return True
        return any(all(map(bare.__contains__, parts)) for parts in self._needed_together)


class _Many(Confidential):
    """So many identifiers that each part of a text is searched for those alone that it holds a part of."""

    def __init__(
        self,
        names: frozenset[str],
        numbers: frozenset[str],
        dates: frozenset[str],
        beside: str,
        free_text: bool,
    ) -> None:
        self._beside = beside
        forms = ((_bare(form), name) for name in names for form in _name_forms(frozenset({name})))
        parts = ((_bare(vocabulary.fold(part)), name) for name in names for each in together(name) for part in each)
        self._names = Held((*forms, *parts))
        self._numbers = Held((needed, number) for number in numbers for needed in _needed_of_number(number))
        by_day = groupby(sorted(dates, key=_month_and_day), key=_month_and_day)
        self._days = {day: _Sought("DATE", _date_expressions(frozenset(same))) for day, same in by_day}
        self._others: dict[str, set[str]] = {}
        self._initials: set[str] = set()
        for whole in _whole_names(names) if free_text else ():
            self._initials |= _initials_of(whole)
            for place, part in enumerate(whole):
                self._others.setdefault(part, set()).update(each[0] for at, each in enumerate(whole) if at != place)
        self._parts = Held((_bare(part), part) for part in self._others if len(part) >= SHORTEST_NAME)
        self._lengths = sorted({len(letters) for letters in self._initials})

    def find(self, folded: str) -> Iterator[tuple[re.Match[str], str]]:
        """What there is of them, with its kind; what is found of one kind overlaps no more than in a text of few."""
        reached: dict[object, int] = {}
        for start in range(0, len(folded), PART):
            stop = start + PART
            for what, sought in self._sought_in(folded[start : stop + OVER_ITS_END]):
                begin = max(start, reached.get(what, 0))
                for match in sought.pattern.finditer(folded, begin, stop + OVER_ITS_END) if sought.expressions else ():
                    if match.start() >= stop:
                        break
                    reached[what] = match.end()
                    yield match, sought.kind

    def _sought_in(self, part: str) -> Iterator[tuple[object, _Sought]]:
        bare = _bare(part)
        yield "names", _names(frozenset(name for _, name in self._names.in_text(bare)))
        yield "numbers", _numbers(frozenset(number for _, number in self._numbers.in_text(bare)), self._beside)
        initials = *self._beside_initials(part, bare), *map(_behind_a_word, _longest_first(self._behind_words(part)))
        yield "initials", _Sought("NAME", initials)
        yield from self._days_in(part)

    def _days_in(self, part: str) -> Iterator[tuple[object, _Sought]]:
        """Days whose month and number are there."""
        said = {
            int(match[place:stop]) for match in _DIGITS.findall(part) for place, stop in _PAIRS if match[place:stop]
        }
        months = said | {_ROMAN.index(match) for match in _ROMANS.findall(part)}
        return (each for each in self._days.items() if each[0][0] in months and each[0][1] in said)

    def _beside_initials(self, part: str, bare: str) -> Iterator[str]:
        single = set(_SINGLE.findall(part))
        for name in sorted({name for _, name in self._parts.in_text(bare)}) if single else ():
            if not single.isdisjoint(self._others[name]):
                yield from _beside_initials(name, self._others[name])

    def _behind_words(self, part: str) -> set[str]:
        """Initials that stand behind a word that says whose they are."""
        behind = (_bare(part[context.end() : context.end() + OVER_ITS_END]) for context in _CONTEXT.finditer(part))
        return {said[:length] for said in behind for length in self._lengths} & self._initials


_many = lru_cache(maxsize=8)(_Many)


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
        start, stop = match.span(match.lastindex or 0)  # a group is what counts of what stands around it
        if self.origin is None:
            return Span(start, stop, kind)
        return Span(self.origin[start], self.origin[stop - 1] + 1, kind)


@lru_cache(maxsize=64)
def _names(names: frozenset[str]) -> _Sought:
    folded = {vocabulary.fold(part) for name in names for parts in together(name) for part in parts}
    return _Sought("NAME", _name_expressions(names), ((_bare(form),) for form in folded | _name_forms(names)))


@lru_cache(maxsize=64)
def _near(names: frozenset[str]) -> Near:
    return near(frozenset(_name_forms(names)))


@lru_cache(maxsize=64)
def _initials(names: frozenset[str]) -> _Sought:
    whole = _whole_names(names)
    needed = ((_bare(part),) for parts in whole for part in parts if len(part) >= SHORTEST_NAME)
    in_context = ((letters,) for parts in whole for letters in _initials_of(parts))
    return _Sought("NAME", _initial_expressions(whole), (*needed, *in_context))


def _whole_names(names: Iterable[str]) -> set[tuple[str, ...]]:
    """Folded parts of those that have several, in scripts with initials."""
    whole = {tuple(vocabulary.fold(part) for part in parts_of(name)) for name in names}
    return {parts for parts in whole if len(parts) > 1 and all(has_case(part[0]) for part in parts)}


@lru_cache(maxsize=64)
def _numbers(numbers: frozenset[str], beside: str) -> _Sought:
    needed = ((form,) for number in numbers for form in _needed_of_number(number))
    return _Sought("ID", _number_expressions(numbers, beside=beside), needed)


def _needed_of_number(number: str) -> Iterator[str]:
    return (_bare(vocabulary.fold(form)).lstrip("0") for form in {number, *digits_of(number)})


@lru_cache(maxsize=64)
def _dates(dates: frozenset[str]) -> _Sought:
    parts = ((month, str(int(date[6:8]))) for date in dates for month in (str(int(date[4:6])), _ROMAN[int(date[4:6])]))
    return _Sought("DATE", _date_expressions(dates), parts)


@lru_cache(maxsize=64)
def _ages(ages: frozenset[str]) -> _Sought:
    return _Sought("AGE", _age_expressions(ages), ((age,) for age in ages))


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted(set(words), key=lambda word: (-len(word), word))


def _either(words: Iterable[str]) -> str:
    """An alternation, longest first."""
    return "(?:" + "|".join(map(re.escape, _longest_first(words))) + ")"


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


_SAYING_SOMETHING = "lrctapsihfm"
"""Initials that are also left, right, a level of the spine, a view or a sex: alone they count with a full stop."""
_BEFORE_INITIALS = (
    "pt|pat|patient|patientin|paciente|paziente|initials|initialen|initiales|iniciales|name|by|dr|prof|tech|technologist"
    "|technician|operator|radiographer|mta|mtr|mtra|mfa|sonographer|signed|gez|dict|dictated"
)
_FULL_STOP = r"\.[ _]?"


def _initial_expressions(names: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Initials beside the rest of the name (`J. Smith`, `Smith, J`), and alone behind a word that says whose they are.

    names: folded parts of each.
    """
    every = sorted(names)
    for parts in every:
        for place, part in enumerate(parts):
            yield from _beside_initials(part, {other[0] for at, other in enumerate(parts) if at != place})
    yield from map(_behind_a_word, _longest_first(letters for parts in every for letters in _initials_of(parts)))


def _beside_initials(part: str, initials: Iterable[str]) -> Iterator[str]:
    if len(part) < SHORTEST_NAME:
        return
    others = sorted(initials)
    stopped = rf"(?:[{''.join(others)}]\.)"
    plain = "".join(letter for letter in others if letter not in _SAYING_SOMETHING)
    if vocabulary.is_clinical(part):  # beside a word of any report a letter says nothing
        before, behind = rf"(?:{stopped}[ _]?)+", rf",[ _]?{stopped}+"
    else:
        either = rf"(?:{stopped}|[{plain}](?![^\W_]))" if plain else stopped
        before, behind = rf"(?:{either}[ _]?)+", rf"(?:,?[ _]|[,^]){either}(?:[ _]?{either})*"
    yield rf"(?<![^\W_]){before}{re.escape(part)}(?![^\W\d_])"
    yield rf"(?<![^\W\d_]){re.escape(part)}{behind}(?![^\W_])"


_BEHIND = rf"(?<![^\W_])(?:{_BEFORE_INITIALS})(?:[.:] ?| )"
_CONTEXT = re.compile(_BEHIND)


def _behind_a_word(letters: str) -> str:
    said = _FULL_STOP.join(letters) + r"(?:\.|(?![^\W_]))"
    if not vocabulary.knows(letters):  # PA is a view, P.A. is somebody
        said += rf"|{letters}(?![^\W_])"
    return rf"{_BEHIND}({said})"


def _initials_of(parts: tuple[str, ...]) -> set[str]:
    """All of them, and those of the first and the last part; the family name, which stands first, first or last."""
    letters = "".join(part[0] for part in parts)
    return {letters, letters[1:] + letters[0], letters[:2], letters[1] + letters[0]}


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


_DIGITS, _SINGLE = re.compile(r"\d+", re.ASCII), re.compile(r"(?<![^\W_])[^\W\d_](?![^\W_])")
_PAIRS = ((0, 2), (2, 4), (4, 6))
"""Where a day and a month can stand in a run of up to six digits."""
_ROMAN = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_ROMANS = re.compile(r"\b(?:i{1,3}|i?v|vi{1,3}|i?x|xi{1,2})\b")
_SIGNS = tuple("(?:" + "|".join(map(vocabulary.fold, signs)) + ")" for signs in ("年년", "月월", "日일"))
"""Year, month and day in Chinese, Japanese and Korean."""


def _month_and_day(date: str) -> tuple[int, int]:
    return int(date[4:6]), int(date[6:8])


def _date_expressions(dates: frozenset[str]) -> Iterator[str]:
    """Own days without a year (03/04, 4-3, 4.3.), in six digits, and with anything between their parts.

    Other complete dates are found by their form. Those that differ in the year alone are one expression.
    """
    gap = r"[\W_]{1,3}"
    for (month, day), same in groupby(sorted(dates, key=_month_and_day), key=_month_and_day):
        years, mm, dd = sorted(date[:4] for date in same), f"{month:02}", f"{day:02}"
        yy = "(?:" + "|".join(sorted({year[2:] for year in years})) + ")"
        year, m, d = "(?:" + "|".join(rf"(?:{year[:2]})?{year[2:]}" for year in years) + ")", rf"0?{month}", rf"0?{day}"
        yield rf"(?<!\d)(?<!\d\.)(?:{m}[/-]{d}|{d}[/-]{m})(?!\d)(?!\.\d)"
        yield rf"(?<!\d)(?<!\d\.){d}\. ?{m}\.(?!\d)"
        yield rf"(?<!\d)(?:{yy}{mm}{dd}|{dd}{mm}{yy}|{mm}{dd}{yy})(?!\d)"
        yield rf"(?<!\d)(?:{d}{gap}{m}|{m}{gap}{d}){gap}{year}(?!\d)"
        yield rf"(?<!\d){year}{gap}{m}{gap}{d}(?!\d)"
        yield rf"(?<!\d){d}[./ -]{{1,2}}{_ROMAN[month]}[./ -]{{1,2}}{year}(?!\d)"
        yield rf"(?<!\d)(?:{year} ?{_SIGNS[0]} ?)?{m} ?{_SIGNS[1]} ?{d} ?{_SIGNS[2]}"


def _age_expressions(ages: frozenset[str]) -> Iterator[str]:
    """Own ages above 89, which nobody may know (45 CFR 164.514), unless they measure something."""
    for age in sorted(ages):
        yield rf"(?<![^\W_])(?<!\d[.,])0?{age}(?![^\W_])(?![.,]\d)(?! ?{patterns.MEASURES})"
