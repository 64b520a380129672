"""Invented people and the ways their identifiers are written."""

import unicodedata

from hypothesis import strategies as st

from governance.datatypes import Identifiers

NAMES = (
    *("Müller", "Østergård", "Nguyễn", "García-Lorca", "O'Sullivan", "Škvorecký", "Łukasiewicz", "Łoś", "Strauß"),
    *("Papadopoulos", "Ivanova", "Иванова", "Θεοδώρου", "山田", "太郎", "김철수", "Zsófia", "İnönü"),
    *("Ada", "Jo", "Li", "Long", "White", "Maximiliane"),
)
NUMBERS = ("PX-77310042", "00123", "9981-223-5", "AB12CD", "MRN.4471009", "7310", "A1B2C3D4E5", "K/2291")
DATES = ("20210312", "19470829", "20191130")

people = st.builds(
    Identifiers,
    names=st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=4),
    numbers=st.frozensets(st.sampled_from(NUMBERS), max_size=3),
    dates=st.frozensets(st.sampled_from(DATES), max_size=2),
)

_UMLAUTS = str.maketrans({"ü": "ue", "ö": "oe", "ä": "ae", "ß": "ss"})

name_spellings = (
    str,
    str.upper,
    str.lower,
    str.title,
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c)),
    lambda name: name.lower().translate(_UMLAUTS),
    lambda name: " ".join(name) if len(name) >= 3 else name,
    lambda name: ".".join(name.upper()) if len(name) >= 3 else name,
)
number_spellings = (str, str.lower, lambda number: number.replace("-", " "), lambda number: number.replace("-", ""))
date_spellings = (
    str,
    lambda day: f"{day[:4]}-{day[4:6]}-{day[6:]}",
    lambda day: f"{day[6:]}.{day[4:6]}.{day[:4]}",
    lambda day: f"{int(day[4:6])}/{int(day[6:])}/{day[2:4]}",
    lambda day: f"{int(day[4:6])}/{int(day[6:])}",
    lambda day: f"{int(day[6:])}. {int(day[4:6])}. {day[:4]}",
    lambda day: f"{int(day[6:])} {day[4:6]} {day[2:4]}",
    lambda day: f"{day[6:]} / {day[4:6]} / {day[:4]}",
    lambda day: f"{int(day[6:])} {('Mar', 'Aug', 'Nov')[('03', '08', '11').index(day[4:6])]} {day[:4]}",
)


@st.composite
def spelled(draw: st.DrawFn, person: Identifiers) -> str:
    """One identifier of `person` as somebody could have typed it."""
    groups = ((person.names, name_spellings), (person.numbers, number_spellings), (person.dates, date_spellings))
    values, spellings = draw(st.sampled_from([group for group in groups if group[0]]))
    spelling = draw(st.sampled_from(spellings))
    return str(spelling(draw(st.sampled_from(sorted(values)))))
