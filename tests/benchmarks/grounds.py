"""Real images: which of them show text, their frames decoded, and uncompressed files with other frames in them.

They come from the collection beside the checkout; where it is not, those without text from the pydicom package.
"""

import csv
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from governance import read
from governance.errors import GovernanceError
from tests.benchmarks.scoring import Box, Kind, Line
from tests.conftest import BUNDLED, CORPUS
from tests.phantoms.archive import PEOPLE
from tests.phantoms.bundled import plant, unchecked

BOXES = Path(__file__).with_name("corpus_boxes.csv")
MISMARKED = {
    "sc_ot/dcm4che__test16signed.dcm": "a test pattern with captions",
    "sc_ot/pydicom-data__mlut_18.dcm": "a test pattern with captions",
    "sc_ot/pydicom-data__vlut_04.dcm": "a test pattern with captions",
    "sc_ot/weasis-dicom-tools__signed-raw-9bit.dcm": "a test pattern with captions",
    "sc_ot/fo-dicom__JPEGwithIcon.dcm": "a photograph of an object with writing on it",
}
"""Files that INDEX.csv says have no text, and what they show that is some; they belong to no set."""

_BUNDLED, _ENLARGED = ("CT_small.dcm", "MR_small.dcm", "SC_rgb_rle.dcm"), 512
"""What stands in for the collection: small images of the pydicom package, and the side that they are brought to."""
_PIXEL_GROUPS = (0x5400, 0x6000, 0x7FE0)
"""Waveforms, overlays and pixels: what would not fit other frames."""
_OF_FRAMES = ("NumberOfFrames", "FrameIncrementPointer", "IconImageSequence", "PerFrameFunctionalGroupsSequence")

Frame = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Ground:
    """A real image, decoded: its header, and one of its frames in stored values."""

    name: str
    header: Dataset
    frame: Frame

    @property
    def inverted(self) -> bool:
        """Whether low values are bright."""
        return str(self.header.PhotometricInterpretation) == "MONOCHROME1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images a set is made of. plain: grey or RGB, where letters of one value are letters."""

    smallest: int = 1
    largest: int = 1 << 14
    modality: str = ""
    plain: bool = False

    def fits(self, header: Dataset) -> bool:
        """Whether an image is worth decoding."""
        sides = [int(header.get(keyword) or 0) for keyword in ("Rows", "Columns")]
        colours = str(header.get("PhotometricInterpretation", ""))
        return (
            self.smallest <= min(sides)
            and max(sides) <= self.largest
            and self.modality in ("", header.get("Modality", ""))
            and (not self.plain or colours in ("MONOCHROME1", "MONOCHROME2", "RGB"))
        )


def index(says: str) -> list[str]:
    """Paths in the collection whose `burned_in_text` is `says`, without those that are marked wrongly."""
    if not (CORPUS / "INDEX.csv").is_file():
        return []
    with (CORPUS / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["path"] for row in rows if row["burned_in_text"] == says and row["path"] not in MISMARKED]


def boxes() -> dict[str, list[Line]]:
    """The lines of text in real images, checked by eye, by path in the collection."""
    found: dict[str, list[Line]] = {}
    with BOXES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            box = Box(*(int(row[name]) for name in ("frame", "left", "top", "right", "bottom")))
            found.setdefault(row["path"], []).append(Line(box, Kind(row["kind"]), "real"))
    return found


def load(path: Path, name: str, *, frame: int = 0, wanted: Wanted | None = None) -> Ground | None:
    """A frame of a file, None if it is not wanted, or no picture of whole numbers that can be decoded."""
    try:
        with unchecked():
            header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            if "PhotometricInterpretation" not in header or "SOPClassUID" not in header:
                return None
            if int(header.get("BitsAllocated", 1)) < 8 or (wanted is not None and not wanted.fits(header)):
                return None
            pixels = next(islice(read.frames(read.parse(path.read_bytes())), frame, None), None)
            for element in header.iterall():  # values that stay as they were read would keep their byte order
                if element.VR == "OW" and not header.original_encoding[1] and isinstance(element.value, bytes):
                    element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
    except (GovernanceError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        return None
    return None if pixels is None or pixels.dtype.kind not in "iu" else Ground(name, header, pixels)


@lru_cache(maxsize=1)
def clean_files() -> dict[str, list[tuple[str, Path]]]:
    """Files without text by folder: of the collection if it is here, else a few that the pydicom package has."""
    every = [(path, CORPUS / path) for path in index("no")] or [
        (f"pydicom/{name}", BUNDLED / name) for name in _BUNDLED
    ]
    folders: dict[str, list[tuple[str, Path]]] = {}
    for name, path in every:
        if path.suffix not in (".zip", ".svs", ".nii", ".gz", ".pdf", ".ndpi", ".png", ".jpg"):
            folders.setdefault(name.partition("/")[0], []).append((name, path))
    return folders


def clean(rng: np.random.Generator, wanted: Wanted | None = None) -> Iterator[Ground]:
    """Real images without text in a random order, kinds of image in turn, each picture once whatever its encoding."""
    queues = [[every[number] for number in rng.permutation(len(every))] for every in clean_files().values()]
    seen: set[bytes] = set()
    while any(queues):
        for queue in filter(None, queues):
            name, path = queue.pop()
            ground = _enlarged(path, name, wanted) if path.is_relative_to(BUNDLED) else load(path, name, wanted=wanted)
            if ground is None or np.ptp(ground.frame) == 0:
                continue
            digest = sha256(np.ascontiguousarray(ground.frame).data).digest()
            if digest not in seen:
                seen.add(digest)
                yield ground


def _enlarged(path: Path, name: str, wanted: Wanted | None) -> Ground | None:
    ground = load(path, name)
    if ground is None:
        return None
    ground.header.Rows = ground.header.Columns = _ENLARGED
    is_wanted = wanted is None or wanted.fits(ground.header)
    return replace(ground, frame=square(ground.frame, _ENLARGED)) if is_wanted else None


def clean_again(rng: np.random.Generator, wanted: Wanted) -> Iterator[Ground]:
    """The same without end: a small collection has fewer images than are asked for."""
    kept = []
    for ground in clean(rng, wanted):
        kept.append(ground)
        yield ground
    while kept:
        yield from kept


def write(folder: Path, name: str, ground: Ground, frames: Sequence[Frame], *, person: int | None = None) -> int:
    """An uncompressed file with the header of `ground` and these frames; how many pixels it has.

    person: whose it becomes, by number; None leaves it whose it is.
    """
    ds = deepcopy(Dataset(ground.header))
    for tag in [
        element.tag
        for element in ds
        if element.tag.group & 0xFF00 in _PIXEL_GROUPS or element.tag.group in _PIXEL_GROUPS
    ]:
        del ds[tag]
    with unchecked():
        for keyword in _OF_FRAMES:
            if keyword in ds:
                delattr(ds, keyword)
        _describe(ds, frames)
        ds.SOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[name, ground.name])
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.ImplementationClassUID = pydicom.uid.PYDICOM_IMPLEMENTATION_UID
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        if person is not None:
            plant(ds, PEOPLE[person % len(PEOPLE)])
        folder.mkdir(parents=True, exist_ok=True)
        ds.save_as(folder / name, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return len(frames) * int(ds.Rows) * int(ds.Columns)


def _describe(ds: Dataset, frames: Sequence[Frame]) -> None:
    first = frames[0]
    ds.Rows, ds.Columns = first.shape[:2]
    ds.SamplesPerPixel = 1 if first.ndim == 2 else first.shape[2]
    ds.BitsAllocated = first.dtype.itemsize * 8
    ds.BitsStored = min(int(ds.get("BitsStored") or ds.BitsAllocated), ds.BitsAllocated)
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(first.dtype.kind == "i")
    if first.ndim == 3:
        # Chroma is at full resolution once it is decoded, and JPEG 2000 has undone its own transforms.
        decoded = {"YBR_FULL_422": "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB"}
        ds.PlanarConfiguration = 0
        ds.PhotometricInterpretation = decoded.get(str(ds.PhotometricInterpretation), str(ds.PhotometricInterpretation))
    if len(frames) > 1:
        ds.NumberOfFrames = len(frames)
    stack = np.stack(frames).astype(first.dtype.newbyteorder("<"))
    ds.add_new(0x7FE00010, "OB" if ds.BitsAllocated == 8 else "OW", stack.tobytes() + bytes(stack.nbytes % 2))


def window(frame: Frame, side: int, rng: np.random.Generator) -> Frame:
    """A random part of a frame, no side longer than this."""
    rows, columns = frame.shape[:2]
    top, left = (int(rng.integers(0, max(1, length - side + 1))) for length in (rows, columns))
    return frame[top : top + side, left : left + side]


def square(frame: Frame, side: int) -> Frame:
    """The middle of a frame, brought to `side` squared."""
    rows, columns = frame.shape[:2]
    length = min(rows, columns)
    top, left = (rows - length) // 2, (columns - length) // 2
    middle = frame[top : top + length, left : left + length].astype(np.float32)
    how = cv2.INTER_AREA if length > side else cv2.INTER_LINEAR
    return np.asarray(np.round(cv2.resize(middle, (side, side), interpolation=how)), frame.dtype)
