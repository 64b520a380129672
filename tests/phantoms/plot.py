"""One leak case while it is built: where its files go, and which markers are in them.

Each marker is an invented word that ends in `zq` and two letters for its case, a number that
begins with 97 and the case, a date before 1980, or a UID below 1.2.826.0.1.3680043.9.7771.
So a raw search that finds one knows where it comes from.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydicom.dataset import Dataset

from governance.datatypes import Outcome
from tests.phantoms import plant

ROOT_UID = "1.2.826.0.1.3680043.9.7771"

PUBLISHED = frozenset({Outcome.PUBLISHED})
HELD = frozenset({Outcome.QUARANTINED, Outcome.UNREADABLE})
EITHER = PUBLISHED | HELD
"""Published without the marker, or held back: both are right."""


@dataclass(slots=True)
class Plot:
    """The files of one case, and everything planted in them."""

    number: int
    folder: Path
    strings: list[str] = field(default_factory=list)
    strict: list[str] = field(default_factory=list)
    blobs: list[bytes] = field(default_factory=list)
    inks: dict[str, list[plant.Ink]] = field(default_factory=dict)

    def mark(self, text: str) -> str:
        """Plant exactly this text."""
        self.strings.append(text)
        return text

    def word(self, stem: str) -> str:
        """An invented word of this case."""
        return self.mark(f"{stem}zq{chr(97 + self.number // 26)}{chr(97 + self.number % 26)}")

    def name(self, family: str, given: str) -> str:
        """A name as in a PN."""
        return f"{self.word(family)}^{self.word(given)}"

    def digits(self, which: int = 0) -> str:
        """A number of nine digits."""
        return self.mark(f"97{self.number:02d}4{which:02d}83")

    def day(self, which: int = 0) -> str:
        """A DA. Those of one case lie further apart than any shift, so that none is shifted onto another."""
        return self.mark(f"{1922 + 11 * which}{1 + self.number % 12:02d}{11 + self.number % 17:02d}")

    def uid(self, which: int = 0) -> str:
        """A UID that a hospital could have made."""
        return self.mark(f"{ROOT_UID}.{self.number}.{which}.1")

    def kept(self, text: str) -> str:
        """Plant what `research` keeps by one of its options and `basic` must remove."""
        self.strings.remove(text)
        self.strict.append(text)
        return text

    def blob(self, data: bytes) -> bytes:
        """Plant bytes that are no text."""
        self.blobs.append(data)
        return data

    def image(self, source: str = "CT_small.dcm", *, variant: int = 0, patient: bool = True) -> Dataset:
        """A real file with UIDs of its own, about this case's patient unless the case plants another one."""
        dataset = plant.bundled(source)
        plant.own_uids(dataset, f"case {self.number} {variant}", study=f"case {self.number}")
        if patient:
            dataset.PatientName = self.name("Quillfeather", "Oda")
            dataset.PatientID = self.digits(99)
        return dataset

    def write(self, dataset: Dataset, name: str = "image.dcm", *, ink: list[plant.Ink] | None = None) -> Path:
        """Write an image; `ink` is what was drawn into its pixels."""
        if ink:
            self.inks[name] = ink
        return self.file(name, plant.encode(dataset))

    def file(self, name: str, data: bytes) -> Path:
        """Write any file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


Builder = Callable[[Plot], None]


@dataclass(frozen=True)
class LeakCase:
    """One of the 56 cases.

    `expects` are the outcomes that are right for its DICOM sources; other files in it end as
    unreadable or filtered. `check` says what besides the absence of markers must hold.
    """

    number: int
    title: str
    builder: Builder
    expects: frozenset[Outcome]
    check: str = ""

    def build(self, folder: Path) -> None:
        """Write the case's files into an existing folder; always the same bytes."""
        self.plot(folder)

    def plot(self, folder: Path) -> Plot:
        """Write the case's files, and tell what was planted."""
        plot = Plot(self.number, folder)
        self.builder(plot)
        return plot

    @cached_property
    def _planted(self) -> Plot:
        with tempfile.TemporaryDirectory() as folder:
            return self.plot(Path(folder))

    @property
    def markers(self) -> list[str]:
        """Texts that must be absent from everything written, under every policy."""
        return list(dict.fromkeys(self._planted.strings))

    @property
    def strict(self) -> list[str]:
        """Texts that must be absent as well under `basic`, which retains nothing; `research` keeps them on purpose."""
        return list(dict.fromkeys(self._planted.strict))

    @property
    def blobs(self) -> list[bytes]:
        """Bytes that must be absent from everything written."""
        return self._planted.blobs

    @property
    def inks(self) -> dict[str, list[plant.Ink]]:
        """Text drawn into pixels, by file name; see `legible`."""
        return self._planted.inks


def case(
    number: int, title: str, expects: frozenset[Outcome] = PUBLISHED, *, check: str = ""
) -> Callable[[Builder], LeakCase]:
    """Make a builder a case."""
    return lambda builder: LeakCase(number, title, builder, expects, check)
