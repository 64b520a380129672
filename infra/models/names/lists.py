"""Write lists of names of people and places: `names/` to train with, others to measure with.

    python -m infra.models.names.lists infra/models/names/names tests/benchmarks/names

A list is what the package faker has for one locale: a line `given:`, one `family:`, one `places:`,
names separated by ` | `. Locales are either trained with or measured with, never both.
"""

import argparse
import importlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

TRAINED = (
    "az_AZ cs_CZ da_DK de_CH de_DE en en_CA en_GB en_IN en_KE en_NZ en_TH en_US es_AR es_CL es_ES fi_FI fr_BE fr_FR"
    " ha_NG hr_HR hu_HU id_ID is_IS it_IT ja_JP ko_KR nl_NL pl_PL pt_BR ro_RO sv_SE th_TH tr_TR tw_GH vi_VN zh_TW zu_ZA"
)
MEASURED = (
    "de_AT de_LI de_LU en_IE en_NG en_PK es_CO es_MX et_EE fr_CA fr_CH fr_DZ ga_IE ig_NG lt_LT lv_LV nl_BE no_NO pt_PT"
    " sk_SK sl_SI sw uz_UZ yo_NG zh_CN"
)

_LATIN = re.compile(r"[^\W\d_](?:[^\W\d_]|['’ .-](?=[^\W\d_]))*")
_PARTS = {
    part: re.compile(expression)
    for part, expression in {
        "given": r"(?:^|_)first_(?:romanized_)?names?",
        "family": r"(?:^|_)last_(?:romanized_)?names?",
        "places": r"^(?:cities|city_names?|towns?|villages?)$",
    }.items()
}
MOST = 1200
"""Of one kind and locale; of more, every second or third and so on is taken."""


def names(locale: str) -> dict[str, list[str]]:
    """What faker has for a locale, in Latin letters."""
    found: dict[str, set[str]] = {part: set() for part in _PARTS}
    for provider in ("person", "address"):
        try:
            module = importlib.import_module(f"faker.providers.{provider}.{locale}")
        except ModuleNotFoundError:
            continue
        for attribute in dir(module.Provider):
            for part, expression in _PARTS.items():
                if expression.search(attribute) and (part != "places") == (provider == "person"):
                    found[part].update(_texts(getattr(module.Provider, attribute)))
    latin = {part: sorted(filter(_is_latin, texts)) for part, texts in found.items()}
    return {part: texts[:: -(-len(texts) // MOST) or 1] for part, texts in latin.items()}


def _texts(values: object) -> Iterator[str]:
    if isinstance(values, dict | list | tuple | set | frozenset):
        for value in values:
            yield from _texts(value)
    elif isinstance(values, str):
        yield values


def _is_latin(text: str) -> bool:
    return (
        len(text) > 1
        and _LATIN.fullmatch(text) is not None
        and all(unicodedata.name(letter).startswith("LATIN") for letter in text if letter.isalpha())
    )


def write(locales: list[str], folder: Path) -> None:
    """One file a locale that has given and family names."""
    folder.mkdir(parents=True, exist_ok=True)
    for locale in locales:
        found = names(locale)
        if found["given"] and found["family"]:
            lines = (f"{part}: {' | '.join(texts)}\n" for part, texts in found.items() if texts)
            (folder / f"{locale}.txt").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Write both sets of lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path)
    parser.add_argument("measured", type=Path)
    arguments = parser.parse_args()
    write(TRAINED.split(), arguments.trained)
    write(MEASURED.split(), arguments.measured)


if __name__ == "__main__":
    main()
