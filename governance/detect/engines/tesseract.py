"""Tesseract, the system's program. Pictures go to it through a pipe: no temporary file holds one.

It misses more than the others, above all what is turned, faint or on structures; it is there to verify.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from governance.datatypes import Step, TextEngine
from governance.detect.engines import Line, Located
from governance.detect.rendering import Picture
from governance.errors import Misconfigured

SURE = 80.0
"""What it says of a word, from 0 to 100, from which on there is one: with less it reads words into anatomy."""
APART = 2.0
"""Words of a line that are this many heights apart stand in boxes of their own."""
LEAST_HEIGHT = 48
"""Pixels up to which a line to be read is enlarged: what it was trained on is about as high."""
MOST_SECONDS = 300
SPARSE, ONE_LINE = "11", "7"
"""Its page segmentation modes: text anywhere, in no order; and a single line."""
HINT = "install it with the data for English, on Debian as tesseract-ocr, or name another engine in burned_in_text"


class Word(NamedTuple):
    """A word of its TSV output: the line that it is in, left, top, right, bottom, confidence from 0 to 100."""

    line: tuple[str, ...]
    left: int
    top: int
    right: int
    bottom: int
    confidence: float
    text: str


class Tesseract:
    """The program on the path, with its data for English.

    Raises:
        Misconfigured: one of the two is missing.
    """

    name = TextEngine.TESSERACT

    def __init__(self) -> None:
        program = shutil.which("tesseract")
        if program is None:
            raise Misconfigured("the text engine tesseract is not installed", hint=HINT)
        self._program = program
        self._version = _first(self._said("--version"), r"^tesseract v?(\S+)")
        self._data = Path(_first(self._said("--list-langs"), r'"(.+)"')) / "eng.traineddata"
        if not self._data.is_file():
            raise Misconfigured("the text engine tesseract has no data for English", hint=HINT)
        self._sha256 = sha256(self._data.read_bytes()).hexdigest()

    def step(self) -> Step:
        """See `Engine`; it locates and reads with the same data."""
        named: dict[str, str | int | float | bool] = {"model": self._data.name, "sha256": self._sha256}
        return Step("burned-in text", self.name.value, self._version, named)

    def locate(self, picture: Picture) -> Sequence[Located]:
        """See `Engine`; one box for words beside each other, if one of them is surely a word."""
        return [
            (
                min(word.left for word in words),
                min(word.top for word in words),
                max(word.right for word in words),
                max(word.bottom for word in words),
                max(word.confidence for word in words) / 100,
            )
            for words in _beside(self._words(picture, SPARSE))
            if any(word.confidence >= SURE for word in words)
        ]

    def read(self, picture: Picture) -> Line:
        """See `Engine`; as sure as of the word that it is least sure of."""
        import cv2

        factor = LEAST_HEIGHT / picture.shape[0]
        if factor > 1:
            larger = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            picture = np.asarray(larger, np.uint8)
        words = list(self._words(picture, ONE_LINE))
        surest = min((word.confidence for word in words), default=0.0) / 100
        return " ".join(word.text for word in words), surest

    def _words(self, picture: Picture, mode: str) -> Iterator[Word]:
        height, width = picture.shape[:2]
        pixels = b"P6 %d %d 255\n" % (width, height) + picture[:, :, ::-1].tobytes()  # BGR, and a pixmap is RGB
        options = ("--tessdata-dir", str(self._data.parent), "-l", "eng", "--psm", mode, "--dpi", "96")
        table = self._said("stdin", "stdout", *options, "-c", "tessedit_create_tsv=1", given=pixels)
        for row in table.splitlines()[1:]:
            level, *cells = row.split("\t")
            if level == "5" and any(map(str.isalnum, cells[10])):
                left, top, across, down = map(int, cells[5:9])
                line = tuple(cells[:4])
                yield Word(line, left, top, left + across, top + down, float(cells[9]), cells[10].strip())

    def _said(self, *arguments: str, given: bytes = b"") -> str:
        """What the program prints when it is run with these arguments, on one thread: images run in processes."""
        done = subprocess.run(
            [self._program, *arguments],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            timeout=MOST_SECONDS,
            check=True,
        )
        return done.stdout.decode()


def _first(said: str, pattern: str) -> str:
    found = re.search(pattern, said, re.MULTILINE)
    if found is None:
        raise Misconfigured("the text engine tesseract answers otherwise than version 4 or 5 does", hint=HINT)
    return found[1]


def _beside(words: Iterator[Word]) -> Iterator[list[Word]]:
    """The words of each line, parted where there is more room than between words."""
    for _, line in groupby(words, key=lambda word: word.line):
        run: list[Word] = []
        for word in sorted(line, key=lambda word: word.left):
            height = word.bottom - word.top
            if run and word.left - max(each.right for each in run) > APART * height:
                yield run
                run = []
            run.append(word)
        yield run
