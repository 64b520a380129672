"""Invented identifiers of people and places in the forms in which reports have them."""

import random
import re
from functools import cached_property
from pathlib import Path

from infra.models.names import words
from infra.models.names.templates import lists, part_of

PARTICLES = {
    "de": ("von", "zu", "von der", "vom"),
    "fr": ("de", "du", "le", "de la", "d'"),
    "es": ("de", "de la", "del", "de los"),
    "it": ("di", "de", "della", "lo"),
    "nl": ("van", "van der", "van den", "de", "ter"),
    "pt": ("da", "dos", "de", "do"),
    "en": ("Mc", "O'", "Mac", "St. "),
}
LOCALES = {
    "en": "en en_AU en_CA en_GB en_IN en_KE en_NZ en_US",
    "de": "de_CH de_DE",
    "fr": "fr_BE fr_FR",
    "es": "es_AR es_CL es_ES",
    "it": "it_IT",
    "nl": "nl_NL",
    "pt": "pt_BR",
}
_OFTEN = (*[6] * 24, 1, 1, 1, 1)
OF_MANY = {"given": 0.15, "family": 0.3, "places": 0.5}
"""How often a name is drawn from the long lists, whatever the language."""
_MONTHS = {
    "en": "January February March April May June July August September October November December Jan Feb Sept Oct Dec",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember Jan Feb Okt Dez",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre janv févr sept déc",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre ene feb sept dic",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
}
_FIELD = re.compile(r"\{(\w+)\}")
_ONSETS = "b br c ch d dr f fl g gr h j k kl kr l m n p pr r s sch sh sl st t tr v w z zh th ts ph dj ny"
_VOWELS = "a a e e i i o o u ai au ea ee ei ia ie oa oo ou ue y á é í ö ü å ó"
_CODAS = "b ck d dt f g k l ld ll lm m n nd ng nn ns nt r rd rg rk rn rt s sk ss st t tz v x z c sch th ş ł ň"
_ENDS = (
    "son sen sson ova ov ev eva ski ska wicz czyk enko uk ian yan idis poulos akis ez es a o i ini etti elli ulu oglu"
    " li man mann berg stein feld bach hofer ler er ner meier ham ton ley worth by field wood shaw more ford ard eau"
    " ier ault et ot in ette esh ush an kar kumar swamy pur wala abad ei oh ng ong wong ae una ele ola adi ike chi moto"
    " yama da shi ko mi ro to aho nen la lainen ar ur dottir"
)


class People:
    """Draws names and places from lists; the same seed draws the same."""

    def __init__(self, folder: Path, forms: Path, chance: random.Random, *, held_out: bool) -> None:
        self._chance = chance
        self._forms = {language: lists(forms / language / "places.txt") for language in LOCALES}
        self._lists = {
            path.stem: {part: part_of(names, held_out=held_out) for part, names in lists(path).items()}
            for path in sorted(folder.glob("*.txt"))
        }
        self._many = {
            part: part_of(names, held_out=held_out)
            for part, names in (("given", words.given()), ("family", words.family()), ("places", words.cities()))
        }
        self._of_language = {language: names.split() for language, names in LOCALES.items()}

    def draw(self, slot: str, language: str) -> str | None:
        """A value for a slot that identifies, in a form of the language; None: no such slot."""
        draw = getattr(self, f"_{slot.lower()}", None)
        return None if draw is None else draw(language)

    @cached_property
    def _all(self) -> list[str]:
        return sorted(self._lists)

    def _from(self, part: str, language: str) -> str:
        if self._chance.random() < OF_MANY[part]:
            return self._chance.choice(self._many[part])
        own = self._of_language.get(language, [])
        locales = own if own and self._chance.random() < 0.55 else self._all
        values: list[str] = []
        while not values:
            values = self._lists.get(self._chance.choice(locales), {}).get(part, [])
            locales = self._all
        value = self._chance.choice(values)
        return value.title() if value.isupper() or value.islower() else value

    def _invented(self) -> str:
        choose = self._chance.choice
        syllables = [
            choose(_ONSETS.split()) + choose(_VOWELS.split()) + choose([*_CODAS.split(), "", "", "", ""])
            for _ in range(choose([1, 1, 1, 2]))
        ]
        return ("".join(syllables) + choose(_ENDS.split())).title()

    # ----------------------------------------------------------------- people

    def _first(self, language: str) -> str:
        chance = self._chance.random()
        name = self._invented() if chance < 0.12 else self._from("given", language)
        if 0.12 < chance < 0.16:
            return f"{name}{self._chance.choice('- ')}{self._from('given', language)}"
        return name

    def _last(self, language: str) -> str:
        chance = self._chance.random()
        name = self._invented() if chance < 0.3 else self._from("family", language)
        chance = self._chance.random()
        double = 0.3 if language in ("es", "pt") else 0.05
        if chance < double:
            return f"{name}{' ' if language in ('es', 'pt') else '-'}{self._from('family', language)}"
        if chance < double + 0.05:
            particle = self._chance.choice(PARTICLES.get(language, ("van",)))
            return f"{particle}{'' if particle[-1] in chr(39) + 'c ' else ' '}{name}"
        return name

    def _patient(self, language: str) -> str:
        given, family = self._first(language), self._last(language)
        initial = self._chance.choice("ABCDEFGHIJKLMNOPRSTVW")
        return self._chance.choice(
            (
                f"{given} {family}",
                f"{given} {family}",
                f"{given} {family}",
                f"{family}, {given}",
                f"{family.upper()}, {given}",
                f"{family.upper()}, {given.upper()}",
                f"{family.upper()} {given}",
                f"{given} {family.upper()}",
                f"{given} {initial}. {family}",
                f"{family}, {given} {initial}.",
                f"{given[0]}. {family}",
                f"{given[0]} {family}",
                f"{given[0]}. {initial}. {family}",
                f"{given[0]}.{initial}. {family}",
                f"{family}, {given[0]}.",
                f"{family}, {given[0]}",
                f"{family} {given[0]}",
                f"{family}, {given[0]}.{initial}.",
                f"{family} {given}",
                f"{family}^{given}",
                f"{family.upper()}^{given.upper()}",
            )
        )

    _doctor = _person = _patient

    def _initials(self, _language: str) -> str:
        letters = self._chance.choices("ABCDEFGHIJKLMNOPRSTUVWYZÁÖÜÓ", _OFTEN, k=self._chance.choice((2, 2, 2, 3)))
        return self._chance.choice(("".join(letters), ".".join(letters) + ".", "".join(letters).lower()))

    # ----------------------------------------------------------------- places

    def _city(self, language: str) -> str:
        return self._from("places", language) if self._chance.random() < 0.7 else self._invented()

    def _street(self, language: str) -> str:
        return self._place("STREET", language)

    def _hospital(self, language: str) -> str:
        return self._place("HOSPITAL", language)

    def _place(self, kind: str, language: str) -> str:
        values = {
            "city": self._city,
            "saint": lambda language: self._from("given", language),
            "name": self._last,
            "first": self._first,
            "whole": lambda language: f"{self._first(language)} {self._last(language)}",
            "number": lambda _language: str(self._chance.randint(1, 240)),
            "small": lambda _language: str(self._chance.randint(1, 24)),
        }
        form = self._chance.choice(self._forms[language][kind])
        return _FIELD.sub(lambda field: values[field[1]](language), form)

    # ----------------------------------------------------------------- numbers

    def _digits(self, count: int) -> str:
        return "".join(self._chance.choices("0123456789", k=count))

    def _mrn(self, _language: str) -> str:
        return self._chance.choice(("", "M", "MR", "H-")) + self._digits(self._chance.randint(6, 9))

    def _accession(self, _language: str) -> str:
        return self._chance.choice(("A", "RAD-", "S24-", "")) + self._digits(self._chance.randint(6, 10))

    def _nationalid(self, _language: str) -> str:
        return f"{self._digits(3)}-{self._digits(2)}-{self._digits(4)}"

    def _phone(self, _language: str) -> str:
        return self._chance.choice((f"({self._digits(3)}) {self._digits(3)}-{self._digits(4)}", f"0{self._digits(9)}"))

    def _email(self, language: str) -> str:
        return f"{self._last(language)}@{self._invented()}.org".lower().replace(" ", ".")

    def _url(self, _language: str) -> str:
        return f"www.{self._invented().lower()}.org"

    def _postcode(self, _language: str) -> str:
        return self._digits(5)

    def _date(self, language: str) -> str:
        day, month, year = self._chance.randint(1, 28), self._chance.randint(1, 12), self._chance.randint(1930, 2026)
        named = self._chance.choice(_MONTHS.get(language, _MONTHS["en"]).split())
        return self._chance.choice(
            (
                f"{day:02}.{month:02}.{year}",
                f"{month}/{day}/{year}",
                f"{year}-{month:02}-{day:02}",
                f"{day} {named} {year}" if language != "de" else f"{day}. {named} {year}",
                f"{named} {day}, {year}" if language == "en" else f"{day} de {named} de {year}",
            )
        )

    def _date_short(self, language: str) -> str:
        month, year = self._chance.randint(1, 12), self._chance.randint(1990, 2026)
        named = self._chance.choice(_MONTHS.get(language, _MONTHS["en"]).split())
        return self._chance.choice((f"{month:02}/{year}", f"{named} {year}", named.title(), f"{month}.{year % 100:02}"))

    def _oldage(self, _language: str) -> str:
        return str(self._chance.randint(90, 103))
