"""Reports and tag values with planted identifiers, and where these are: what `make bench-text` measures with.

The texts in `texts/` were written for this and nothing was trained with them; names are of locales that nothing was
trained with either. The same seed gives the same texts.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path

from governance.datatypes import Identifiers
from infra.models.names.templates import fill, lines, lists

HERE = Path(__file__).parent
LANGUAGES = ("en", "de", "fr", "es")
BETWEEN_REPORTS = "%%"
_LOCALES = {
    "en": "en_IE en_NG en_PK no_NO sk_SK yo_NG sw",
    "de": "de_AT de_LI de_LU sl_SI uz_UZ",
    "fr": "fr_CA fr_CH fr_DZ lv_LV",
    "es": "es_CO es_MX pt_PT",
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
PEOPLE = frozenset({"PATIENT", "DOCTOR", "PERSON", "FIRST", "LAST"})
"""Slots that hold names of persons."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, what of it identifies (start, stop, slot), and what the header of its study would tell."""

    language: str
    kind: str
    text: str
    spans: tuple[tuple[int, int, str], ...]
    own: Identifiers


def reports(count: int, seed: int) -> Iterator[Text]:
    """Every report of every language, filled `count` times."""
    for language in LANGUAGES:
        whole = (HERE / "texts" / f"reports_{language}.txt").read_text(encoding="utf-8")
        for number, template in enumerate(part.strip("\n") for part in whole.split(f"\n{BETWEEN_REPORTS}\n")):
            heading, _, body = template.partition("\n")
            for turn in range(count):
                yield _filled(body, language, heading.strip("# ") or "report", f"{seed} {number} {turn}")


def values(count: int, seed: int) -> Iterator[Text]:
    """Every tag value of every language, filled `count` times."""
    for language in LANGUAGES:
        for number, template in enumerate(lines(HERE / "texts" / f"values_{language}.txt")):
            for turn in range(count):
                yield _filled(template, language, "value", f"{seed} {number} {turn}")


def _filled(template: str, language: str, kind: str, seed: str) -> Text:
    people = _Study(language, random.Random(f"{language} {kind} {seed}"))
    filled = fill(template, choose=people.chance.choice, value=people.value)
    return Text(language, kind, filled.text, tuple(filled.spans), people.own)


class _Study:
    """Whose text it is. The patient is one person in all of it; everybody else is somebody new."""

    def __init__(self, language: str, chance: random.Random) -> None:
        self.chance = chance
        self._language = language
        self._given, self._family = self._name("given"), self._name("family")
        self._number, self._order = self._digits(chance.randint(6, 9)), self._digits(chance.randint(7, 10))
        self._day = date(2016, 1, 1) + timedelta(days=chance.randrange(3300))
        self._born = self._day - timedelta(days=chance.randrange(6000, 32000))

    @cached_property
    def own(self) -> Identifiers:
        """As a header has them."""
        parts = {part for name in (self._given, self._family) for part in (name, *name.replace("-", " ").split())}
        return Identifiers(
            names=frozenset({*parts, f"{self._family}^{self._given}"}),
            numbers=frozenset({self._number, self._order}),
            dates=frozenset({f"{self._day:%Y%m%d}", f"{self._born:%Y%m%d}"}),
        )

    def value(self, slot: str) -> str:
        """A value of a slot."""
        value: str = getattr(self, f"a_{slot.lower()}")()
        return value

    # ----------------------------------------------------------------- people

    def _name(self, part: str) -> str:
        own = _LOCALES[self._language].split()
        found: list[str] = []
        while not found:
            locale = self.chance.choice(own if self.chance.random() < 0.6 else sorted(_names()))
            found = _names()[locale].get(part, [])
        return self.chance.choice(found)

    def _full(self, given: str, family: str) -> str:
        middle = self.chance.choice("ABCDEFGHJKLMPRST")
        forms = (
            f"{given} {family}",
            f"{given} {family}",
            f"{family}, {given}",
            f"{family.upper()} {given}",
            f"{family.upper()}, {given.upper()}",
            f"{given[0]}. {family}",
            f"{given} {middle}. {family}",
            f"{family} {given}",
            f"{given[0]}.{middle}. {family}",
            f"{family}, {given[0]}",
        )
        return self.chance.choice(forms)

    def a_patient(self) -> str:
        return self._full(self._given, self._family)

    def a_doctor(self) -> str:
        return self._full(self._name("given"), self._name("family"))

    a_person = a_doctor

    def a_first(self) -> str:
        return self._name("given")

    def a_last(self) -> str:
        return self._name("family")

    def a_initials(self) -> str:
        return self._name("given")[0].upper() + self._name("family")[0].upper()

    # ----------------------------------------------------------------- days

    def _any_day(self) -> date:
        near = self._day - timedelta(days=self.chance.randrange(1, 4000))
        return self.chance.choice((self._day, self._day, self._born, near, near))

    def a_date(self) -> str:
        day = self._any_day()
        month = _MONTHS[self._language].split()[day.month - 1]
        short = month[:3]
        forms = {
            "en": (
                f"{day.day}/{day.month}/{day:%y}",
                f"{day:%m/%d/%Y}",
                f"{day:%d/%m/%Y}",
                f"{month} {day.day}, {day.year}",
                f"{day.day} {month} {day.year}",
                f"{day.day}-{short}-{day.year}",
                f"{day:%d}{short.upper()}{day.year}",
                f"{month} {day.day}{_ordinal(day.day)}, {day.year}",
                f"{day:%m-%d-%y}",
            ),
            "de": (
                f"{day:%d.%m.%Y}",
                f"{day.day}.{day.month}.{day.year}",
                f"{day:%d.%m.%y}",
                f"{day.day}. {month} {day.year}",
            ),
            "fr": (f"{day:%d/%m/%Y}", f"{day:%d/%m/%y}", f"{day.day} {month} {day.year}", f"{day:%d-%m-%Y}"),
            "es": (
                f"{day:%d/%m/%Y}",
                f"{day.day}/{day.month}/{day:%y}",
                f"{day.day} de {month} de {day.year}",
                f"{day:%d-%m-%y}",
            ),
        }
        return self.chance.choice((*forms[self._language], f"{day:%Y-%m-%d}", f"{day:%Y%m%d}"))

    def a_date_short(self) -> str:
        day = self._any_day()
        month = _MONTHS[self._language].split()[day.month - 1]
        forms = {
            "en": (f"{month} {day.year}", f"{month} {day.day}", f"{day.day} {month}", f"{month[:3]} {day.year}"),
            "de": (f"{month} {day.year}", f"{day.day}. {month}", f"{day.day}.{day.month}."),
            "fr": (f"{month} {day.year}", f"{day.day} {month}"),
            "es": (f"{month} de {day.year}", f"{day.day} de {month}"),
        }
        return self.chance.choice((*forms[self._language], f"{day:%m/%Y}", f"{day.month}/{day.year}"))

    def a_oldage(self) -> str:
        return str(self.chance.randint(90, 104))

    # ----------------------------------------------------------------- numbers and places

    def _digits(self, count: int) -> str:
        return self.chance.choice("123456789") + "".join(self.chance.choices("0123456789", k=count - 1))

    def a_mrn(self) -> str:
        return self.chance.choice((self._number, self._number, f"0{self._number}", self._digits(8)))

    def a_accession(self) -> str:
        other = f"{self.chance.choice('ARXH')}{self._digits(7)}"
        return self.chance.choice((self._order, self._order, other))

    def a_nationalid(self) -> str:
        d = self._digits
        forms = {
            "en": (f"{d(3)}-{d(2)}-{d(4)}", f"{d(3)} {d(3)} {d(4)}", f"QQ {d(2)} {d(2)} {d(2)} C"),
            "de": (f"{self.chance.choice('ACHMT')}{d(9)}", f"{d(2)} {d(6)} M {d(3)}", d(11)),
            "fr": (f"1 {d(2)} 05 {d(2)} {d(3)} {d(3)} {d(2)}", f"2{d(12)}{d(2)}"),
            "es": (f"{d(8)}{self.chance.choice('TRWAGMY')}", f"{d(2)}/{d(8)}/{d(2)}"),
        }
        return self.chance.choice(forms[self._language])

    def a_phone(self) -> str:
        d = self._digits
        forms = {
            "en": (
                f"({d(3)}) {d(3)}-{d(4)}",
                f"{d(3)}-{d(3)}-{d(4)}",
                f"0{d(4)} {d(6)}",
                f"+44 {d(4)} {d(6)}",
                f"ext. {d(4)}",
            ),
            "de": (f"0{d(3)}/{d(6)}", f"0{d(2)}-{d(7)}", f"+49 {d(3)} {d(7)}", f"0{d(3)} {d(4)}-{d(3)}"),
            "fr": (
                f"0{d(1)} {d(2)} {d(2)} {d(2)} {d(2)}",
                f"0{d(1)}.{d(2)}.{d(2)}.{d(2)}.{d(2)}",
                f"+33 {d(1)} {d(2)} {d(2)} {d(2)} {d(2)}",
            ),
            "es": (f"9{d(2)} {d(3)} {d(3)}", f"6{d(2)} {d(2)} {d(2)} {d(2)}", f"+34 9{d(2)} {d(2)} {d(2)} {d(2)}"),
        }
        return self.chance.choice(forms[self._language])

    def a_email(self) -> str:
        given, family = self._name("given").lower(), self._name("family").lower().replace(" ", "")
        host = self.chance.choice(
            ("nhs.net", "klinikum-example.de", "chu-example.fr", "hospital.example", "example.edu")
        )
        return f"{given[0]}.{family}@{host}"

    def a_url(self) -> str:
        name = self._name("family").lower().replace(" ", "")
        return self.chance.choice((f"www.{name}-radiology.com", f"https://portal.{name}.org/view?id={self._digits(6)}"))

    def a_street(self) -> str:
        name, number = self._name("family"), self.chance.randint(1, 180)
        forms = {
            "en": (
                f"{number} {name} Close",
                f"{number} {name} Road",
                f"{number} {name} Avenue",
                f"Flat 3, {number} {name} Terrace",
            ),
            "de": (f"{name}gasse {number}", f"{name}-Straße {number}", f"An der {name}mühle {number}"),
            "fr": (f"{number} rue {name}", f"{number} bis, impasse {name}", f"{number}, chemin de {name}"),
            "es": (f"Calle {name} {number}", f"Plaza {name}, {number}", f"Paseo de {name} {number}"),
        }
        return self.chance.choice(forms[self._language])

    def a_city(self) -> str:
        return self._name("places")

    def a_postcode(self) -> str:
        letters = "".join(self.chance.choices("ABDEFGHJLN", k=4))
        english = (
            f"{letters[:2]}{self.chance.randint(1, 9)} {self.chance.randint(1, 9)}{letters[2:]}",
            self._digits(5),
        )
        return self.chance.choice(english) if self._language == "en" else self._digits(5)

    def a_hospital(self) -> str:
        city, name = self._name("places"), self._name("family")
        forms = {
            "en": (
                f"{city} Infirmary",
                f"{city} Regional Hospital",
                f"{name} Eye Institute",
                f"{name} and {city} NHS Trust",
            ),
            "de": (f"Krankenhaus {city}", f"Kreisklinik {city}", f"MVZ {name}", f"Gemeinschaftspraxis {name}"),
            "fr": (f"Centre hospitalier de {city}", f"Polyclinique {name}", f"Hôpital {name}"),
            "es": (f"Hospital Universitario de {city}", f"Centro de Salud {city}", f"Policlínica {name}"),
        }
        return self.chance.choice(forms[self._language])


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


@cache
def _names() -> dict[str, dict[str, list[str]]]:
    return {path.stem: lists(path) for path in sorted((HERE / "names").glob("*.txt"))}
