"""The fonts and words that text is made of: half of a dozen scripts, a fifth of all held out for the evaluation."""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from random import Random

from PIL import ImageFont

HERE = Path(__file__).parent
ROOT = Path("/usr/share/fonts")
"""Where Debian's font packages put them; `requirements.txt` names the packages."""
HELD_OUT = 5
"""One in so many fonts, backgrounds and syllables is seen in the evaluation only."""
LARGEST_STRIKE = 33

SCRIPTS = {
    "cyrillic": "абвгдежзиклмнопрстуфхцчшщыэюяАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ",
    "greek": "αβγδεζηθικλμνξοπρστυφχψωΑΒΓΔΕΖΗΘΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ",
    "cjk": "患者検査胸部病院医師放射線科男女年月日前後左右心肺肝腎脳骨張王李趙陳田中山本佐藤鈴木高橋",
    "hangul": "김이박최정강조윤장임병원환자흉부검사남여의사",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
    "devanagari": "कखगघचछजझटठडढतथदधनपफबभमयरलवशषसह",
}
_SCRIPT_FONTS = {
    "cyrillic": ("dejavu", "liberation", "FreeSans", "NotoSans-", "Roboto", "OpenSans"),
    "greek": ("dejavu", "liberation", "FreeSans", "NotoSans-", "Roboto", "OpenSans"),
    "cjk": ("wqy", "VL-", "vlgothic"),
    "hangul": ("unfonts", "UnDotum", "UnBatang"),
    "arabic": ("Arabic",),
    "hebrew": ("Hebrew",),
    "devanagari": ("Devanagari",),
}
_LATIN = (
    "dejavu",
    "liberation",
    "freefont",
    "hack",
    "inconsolata",
    "lato",
    "open-sans",
    "roboto",
    "NotoSans-",
    "NotoSerif-",
)
_STRIKE = re.compile(
    r"(?:\d+x\d+[BO]?|ter-u\d+[nb]_unicode|clR\d+x\d+|(?:helv|cour|tim|lu|char|ncen)[A-Z]{1,2}\d+)\.pcf\.gz"
)

WORDS = (HERE / "words.txt").read_text("utf-8").split()
_SYLLABLES = (HERE / "syllables.txt").read_text("utf-8").split()


def is_held_out(name: str) -> bool:
    """Whether something of this name belongs to the evaluation; the same on every machine."""
    return blake2b(name.encode(), digest_size=4).digest()[0] % HELD_OUT == 0


@dataclass(frozen=True, slots=True)
class Fonts:
    """Paths of scalable fonts by script, and bitmap fonts with the one size in pixels that each has."""

    scalable: dict[str, list[Path]]
    bitmap: list[tuple[Path, int]]


def collect(*, held_out: bool) -> Fonts:
    """Fonts installed here that are, or are not, held out."""
    files = [path for path in sorted(ROOT.rglob("*")) if is_held_out(path.name) is held_out]
    outlines = [path for path in files if path.suffix in (".ttf", ".otf", ".ttc")]
    scalable = {"latin": [path for path in outlines if _is_of(path, _LATIN) and "Math" not in path.name]}
    for script, names in _SCRIPT_FONTS.items():
        scalable[script] = [path for path in outlines if _is_of(path, names)]
    strikes = [(path, size) for path in files if _STRIKE.fullmatch(path.name) and (size := _strike(path))]
    return Fonts({script: paths for script, paths in scalable.items() if paths}, strikes)


def _is_of(path: Path, names: tuple[str, ...]) -> bool:
    return any(name in str(path) for name in names)


def _strike(path: Path) -> int:
    """The one size that a bitmap font has, 0 if it cannot be used."""
    for size in range(5, LARGEST_STRIKE):
        try:
            if ImageFont.truetype(str(path), size).getmask("Ab").getbbox():
                return size
        except (OSError, ValueError):
            continue
    return 0


@lru_cache(maxsize=4096)
def load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """A font of one size; layout "basic", so that no other library decides what is drawn."""
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


class Phrases:
    """Names, days, numbers, words and single letters as devices and people burn them in."""

    def __init__(self, *, held_out: bool) -> None:
        self.syllables = [part for part in _SYLLABLES if is_held_out(part) is held_out] + ["a", "e", "o"]

    def one(self, rng: Random) -> str:
        """A phrase in Latin letters and digits."""
        kind = rng.random()
        if kind < 0.16:
            return rng.choice(
                ("L", "R", "L", "R", "P", "H", "F", "A", "S", "I", "M", "W", *"BCDEGJKNOQTUVXYZ", *"0123456789")
            )
        if kind < 0.42:
            return self._cased(rng, self._name(rng))
        if kind < 0.58:
            return self._day(rng)
        if kind < 0.72:
            return self._number(rng)
        if kind < 0.88:
            return self._cased(rng, " ".join(rng.choice(WORDS) for _ in range(rng.choice((1, 1, 2, 3)))))
        word, number = rng.choice(WORDS), self._number(rng)
        return rng.choice(
            (f"{word}: {number}", f"{word} {number}", f"{number} {word}", f"{word}={number}", f"[{word}]")
        )

    def foreign(self, rng: Random, script: str) -> str:
        """Letters of another script, one to three words."""
        letters = SCRIPTS[script]
        return " ".join("".join(rng.choices(letters, k=rng.randint(2, 7))) for _ in range(rng.choice((1, 1, 2, 3))))

    def _name(self, rng: Random) -> str:
        parts = ["".join(rng.choices(self.syllables, k=rng.randint(1, 4))) for _ in range(rng.choice((1, 2, 2, 3)))]
        return rng.choice((" ", " ", ", ", "^")).join(part.capitalize() for part in parts)

    def _day(self, rng: Random) -> str:
        year, month, day = rng.randint(1920, 2039), rng.randint(1, 12), rng.randint(1, 28)
        clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}" + rng.choice(("", f":{rng.randint(0, 59):02}"))
        sign = rng.choice("/-.")
        dates = (
            f"{day:02}{sign}{month:02}{sign}{year}",
            f"{year}{sign}{month:02}{sign}{day:02}",
            f"{year}{month:02}{day:02}",
        )
        return rng.choice(
            (*dates, clock, f"{rng.choice(dates)} {clock}", f"{day} {rng.choice(('Jan', 'MAR', 'Oct'))} {year}")
        )

    def _number(self, rng: Random) -> str:
        digits = "".join(rng.choices("0123456789", k=rng.choice((1, 2, 2, 3, 4, 6, 7, 8, 10))))
        return rng.choice(
            (
                digits,
                digits,
                f"{digits[:2]}.{digits[-1]}",
                f"{digits}{rng.choice(('cm', 'mm', '%', 'Hz', 'Y', 's'))}",
                f"#{digits}",
            )
        )

    def _cased(self, rng: Random, words: str) -> str:
        return rng.choice((words, words.upper(), words.upper(), words.lower()))
