"""Move dates that people write in texts, in the form in which they stand there.

What stays: the order of day and month, the language and length of the month's name, separators, leading zeros, two
or four digits of a year. A month and a year move as the middle of that month does.

What cannot be moved without a guess is not: a year alone, which may be a number of something else, a day without a
year, and `03/04/2021` where nothing tells day from month.
A date before it or behind it in the same text tells that, and a full stop between its parts, which nobody puts between
month and day in that order.

>>> from governance.pseudonymise.dates import DateShift
>>> move("12. März 2024", DateShift(days=-20), order_in("12. März 2024"))
'21. Februar 2024'
>>> move("03/04/2021", DateShift(days=-20), None) is None
True
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from enum import Enum

from governance.pseudonymise.dates import DateShift

_NAMES = (
    "January February March April May June July August September October November December",
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Jän Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
)
_LISTS = tuple(tuple(names.split()) for names in _NAMES)
_BETWEEN = r"[ .,/'-]{0,3}(?:de |del )?"
_NAME, _ENDING = r"(?P<name>[^\W\d_]{3,10})\.?", r"(?P<ending>st|nd|rd|th|er)?"
_DAY, _MONTH, _YEAR = r"(?P<day>\d{1,2})", r"(?P<month>\d{1,2})", r"(?P<year>\d{4}|\d\d)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?P<year>\d{{4}})(?P<sign>[-./ ]{{1,3}}){_MONTH}(?P=sign){_DAY}",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<one>\d{1,2})(?P<sign>[-./ ]{1,3})(?P<other>\d{1,2})(?:(?P=sign)|(?<=\.\d)\. ?|(?<=\.\d\d)\. ?)"
        r"(?P<year>\d{4}|\d\d)",
        rf"{_DAY}{_ENDING}{_BETWEEN}{_NAME}{_BETWEEN}{_YEAR}",
        rf"{_NAME}{_BETWEEN}{_DAY}{_ENDING}[ .,/'-]{{1,3}}{_YEAR}",
        rf"{_NAME}{_BETWEEN}(?P<year>\d{{4}})",
        rf"{_MONTH}[-./](?P<year>\d{{4}})",
        rf"(?P<year>\d{{4}})[-./]{_MONTH}",
    )
)
_MIDDLE = 15
_FIRST_YEAR, _LAST_YEAR = 1850, 2100
_CENTURY_TURNS = 50
"""Years of two digits below it are of this century; the two that come out are the same in any."""


class Order(Enum):
    """Which of two numbers before a year is the day."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


_NUMBERS = re.compile(r"(?<![\d.])(\d{1,2})([-./])(\d{1,2})\2(?:\d{4}|\d\d)(?!\.?\d)", re.ASCII)


def order_in(text: str, known: Iterable[str] = ()) -> Order | None:
    """The order of all dates of a text, if any of them tells it and none the other one.

    known: days of this study (YYYYMMDD); one of them in either order is a date that tells.
    """
    days = {(int(day[4:6]), int(day[6:8])) for day in known}
    told = set()
    for first, separator, second in _NUMBERS.findall(text):
        pair = int(first), int(second)
        if pair[0] > 12 >= pair[1] or separator == ".":
            told.add(Order.DAY_FIRST)
        elif pair[1] > 12 >= pair[0]:
            told.add(Order.MONTH_FIRST)
        elif pair[0] != pair[1] and ((pair in days) != (pair[::-1] in days)):
            told.add(Order.MONTH_FIRST if pair in days else Order.DAY_FIRST)
    return told.pop() if len(told) == 1 else None


def move(written: str, shift: DateShift, order: Order | None) -> str | None:
    """A date as it is written, moved; None where that would be a guess, or is no date.

    order: of day and month in the text that it stands in.
    """
    match = next(filter(None, (form.fullmatch(written) for form in _FORMS)), None)
    parts = None if match is None else _parts(match, order)
    if match is None or parts is None:
        return None
    numbers = {part: int(match[group]) for part, group in parts.items() if part != "name"}
    names = _names(match["name"], written) if "name" in parts else ()
    if names:
        numbers["month"] = [name.casefold() for name in names].index(match["name"].casefold()) + 1
    elif "name" in parts:
        return None
    try:
        moved = date(_whole(numbers["year"]), numbers["month"], numbers.get("day", _MIDDLE)) + timedelta(
            days=shift.days
        )
    except (ValueError, OverflowError):
        return None
    if not _FIRST_YEAR <= moved.year <= _LAST_YEAR:
        return None
    return _written(match, parts, moved, names)


def _parts(match: re.Match[str], order: Order | None) -> dict[str, str] | None:
    """The group of each part of a date, or None: it cannot be told which number is the day."""
    groups = {group for group, text in match.groupdict().items() if text}
    if "one" not in groups:
        return {part: part for part in ("day", "month", "name", "year") if part in groups}
    one, other = int(match["one"]), int(match["other"])
    if one > 12 or "." in match["sign"]:
        order = Order.DAY_FIRST
    elif other > 12:
        order = Order.MONTH_FIRST
    if order is None and one != other:
        return None
    day, month = ("other", "one") if order is Order.MONTH_FIRST else ("one", "other")
    return {"day": day, "month": month, "year": "year"}


def _whole(year: int) -> int:
    return year if year >= 100 else year + (2000 if year < _CENTURY_TURNS else 1900)


def _names(name: str, written: str) -> tuple[str, ...]:
    """The months of the language that a date is probably in, or nothing: no language has such a month."""
    lists = [names for names in _LISTS if name.casefold() in map(str.casefold, names)]
    as_here = [names for names in lists if name in names or name.isupper()]
    german = [names for names in as_here if re.match(r"\d{1,2}\.", written) and names in (_LISTS[2], _LISTS[3])]
    # "04May2024" is how programs write months in short.
    short = [names for names in as_here if re.match(r"\d{1,2}[^\W\d_]", written) and len(names[0]) == len(names[1])]
    return next(iter(german or short or as_here or lists), ())


def _written(match: re.Match[str], parts: dict[str, str], moved: date, names: tuple[str, ...]) -> str:
    padded = any(match[group].startswith("0") for part, group in parts.items() if part in ("day", "month"))
    width = 2 if padded else 1
    new = {"day": f"{moved.day:0{width}}", "month": f"{moved.month:0{width}}", "year": f"{moved.year:04}"}
    new["year"] = new["year"][-len(match["year"]) :]
    if len(match[0]) == 8 == len(re.sub(r"\D", "", match[0])):
        new |= {"day": f"{moved.day:02}", "month": f"{moved.month:02}"}
    if names:
        name, old = names[moved.month - 1], match["name"]
        new["name"] = name.upper() if old.isupper() else name.lower() if old.islower() else name.title()
    replaced = [(match.span(group), new[part]) for part, group in parts.items()]
    if "ending" in match.groupdict() and match["ending"]:
        replaced.append((match.span("ending"), _ending(moved.day, match["ending"])))
    text = match[0]
    for (start, stop), instead in sorted(replaced, reverse=True):
        text = text[:start] + instead + text[stop:]
    return text


def _ending(day: int, ending: str) -> str:
    if ending == "er":  # only the first of a month has one in French
        return "er" if day == 1 else ""
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
