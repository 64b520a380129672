"""One damaged file after the other, and what must hold for each."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from signal import ITIMER_REAL, SIGALRM, setitimer, signal
from types import FrameType
from typing import NamedTuple

import pydicom

from governance import read
from governance.datatypes import Instance, Outcome
from governance.detect import identifiers
from governance.pipeline.instance import Worker
from tests.conftest import BUNDLED
from tests.fuzz.mutate import damaged
from tests.phantoms.cases import CASES
from tests.pipeline.test_leaks import spellings
from tests.pipeline.worker import Ended, process
from tests.strategies import MACHINE_TEXT

LIMIT = 10.0
"""Seconds for one file of a few thousand bytes, on a busy machine."""
LARGEST = 60_000
PLANTED = (*range(1, 9), *range(13, 45), 56)
"""Leak cases whose places are in the header."""


class HangError(BaseException):
    """Raised in the middle of whatever takes too long; no handler of errors catches it."""


class Seed(NamedTuple):
    """A file to damage, and what must not come out of it."""

    name: str
    data: bytes
    planted: tuple[str, ...]


@cache
def seeds() -> tuple[Seed, ...]:
    """The files of the leak cases with their answer key, and real ones."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in PLANTED:
            place = Path(folder) / str(number)
            place.mkdir()
            CASES[number].build(place)
            for path in sorted(place.rglob("*.dcm")):
                if path.is_file() and not path.is_symlink():
                    name = f"case {number} {path.name}"
                    found.append(Seed(name, path.read_bytes(), tuple(CASES[number].markers)))
    found += [
        Seed(path.name, path.read_bytes(), ())
        for path in sorted(BUNDLED.glob("*.dcm"))
        if path.stat().st_size < LARGEST
    ]
    return tuple(found)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises HangError where the program is when the time is over."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal(SIGALRM, stop)
    setitimer(ITIMER_REAL, seconds)
    try:
        yield
    finally:
        setitimer(ITIMER_REAL, 0)
        signal(SIGALRM, before)


def input_of(seed: str) -> tuple[Seed, bytes]:
    """The damaged file of one seed, always the same."""
    random = Random(seed)
    chosen, other = random.choice(seeds()), random.choice(seeds())
    return chosen, damaged(chosen.data, other.data, random)


def failure(worker: Worker, staging: Path, seed: Seed, data: bytes) -> str:
    """What is wrong with how a damaged file ends; empty if nothing is. Quotes no value."""
    try:
        with time_limit(LIMIT):
            ended = process(worker, data)
    except HangError:
        return "takes too long"
    if any(words in ended.reason for words in ("internal error", "memory", "does not read back")):
        return ended.reason
    if any(staging.iterdir()):
        return "leaves a file in the staging area"
    if (ended.outcome is Outcome.PUBLISHED) == bool(ended.reason):
        return "no reason, or one too many"
    if ended.outcome is Outcome.PUBLISHED:
        return _unsound(data, ended) or _leak(seed, data, ended)
    return "quotes a value" if any(form in ended.said for text in seed.planted for form in spellings(text)) else ""


def _unsound(data: bytes, ended: Ended) -> str:
    """Whether what was written is damaged, or unreadable for others who could read the source."""
    written = read.parse(ended.data)
    if written.repaired or written.trailing:
        return "what was written is not well formed"
    return "pydicom read the source and not the output" if _opens(data) and not _opens(ended.data) else ""


def _opens(data: bytes) -> bool:
    """Whether pydicom opens a file; it raises whatever the values lead it to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pydicom.dcmread(BytesIO(data), force=True)
        except Exception:
            return False
    return True


def _leak(seed: Seed, data: bytes, ended: Ended) -> str:
    """Where a planted value is left, unless damage put it where it tells nothing any more."""
    written = read.parse(ended.data)
    own = identifiers.collect(read.parse(data))
    known = {*own.names, *own.numbers, *own.uids, *own.dates}
    for text in seed.planted:
        forms = spellings(text)
        places = list(_places(written, forms))
        if not places and any(form in bytes(written.buffer) for form in forms):
            return "a planted value is in no element's value"
        for place, vr in places:
            if text in known or not _stays(text, place, vr):
                return f"a planted value is in {place}"
        if not places and any(form in ended.said for form in forms):
            return "a planted value is in the receipt"
    return ""


def _stays(text: str, place: str, vr: str) -> bool:
    """What a stranger's device is called; a number among numbers; what became pixels."""
    number = vr in ("DS", "IS") and text.lstrip("-").replace(".", "", 1).isdecimal()
    return number or place in MACHINE_TEXT or place == "PixelData"


def _places(instance: Instance, forms: set[bytes]) -> Iterator[tuple[str, str]]:
    """Keyword and VR of the elements whose value holds one of these."""
    for element in instance.walk():
        if element.items is None and any(form in instance.value(element) for form in forms):
            yield pydicom.datadict.keyword_for_tag(element.tag) or "a private element", element.vr
