"""Memory does not grow with a file: what is large is passed over piece by piece."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from struct import pack

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_encoder, iter_pixels
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

from governance import pipeline
from governance.datatypes import Outcome
from tests.phantoms import many

FRAME = 512 * 512 * 2
MOST_MASKED = 700
"""Megabytes where an engine has looked at the pixels as well."""
MOST = 200
"""Megabytes that a process may take, whatever the size of a file."""
PADDING = b"\xfc\xff\xfc\xffOB\0\0\x02\0\0\0\0\0"


def multi_frame(path: Path, frames: int, *, unused: bytes = b"", behind: bytes = b"") -> Path:
    """A nuclear medicine image of so many frames, all zero, which take no room on the disk."""
    made = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    made.pop("DataSetTrailingPadding")
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.20"
    made.Modality, made.Rows, made.Columns, made.NumberOfFrames = "NM", 512, 512, frames
    made.BitsStored, made.HighBit, made.PixelRepresentation = 12, 11, 0
    made.PixelData = b""
    made.save_as(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4)
        file.write((frames * FRAME).to_bytes(4, "little") + unused)
        file.truncate(size + frames * FRAME)
        file.seek(0, os.SEEK_END)
        file.write(behind)
    return path


def jpeg_frames(path: Path, frames: int, *, comment: bytes = b"", size: int = FRAME) -> Path:
    """As many JPEG frames of `size` bytes, with a comment each; what would be decoded is zero, and takes no room."""
    made = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_dcmtk.dcm"))
    frame = generate_frames(made.PixelData, number_of_frames=1).__next__()
    scan = frame.index(b"\xff\xda")
    made.pop("ConversionType", None)
    made.ImageType = ["ORIGINAL", "PRIMARY"]
    opening = frame[:2] + comment + frame[2 : scan + 2 + int.from_bytes(frame[scan + 2 : scan + 4])]
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.20"
    made.Modality, made.NumberOfFrames, made.PixelData = "NM", frames, encapsulate([b"xx"], has_bot=False)
    made.save_as(path)
    with path.open("r+b") as file:
        file.seek(-18, os.SEEK_END)  # over the one fragment, and what ends the sequence
        for _ in range(frames):
            file.write(b"\xfe\xff\x00\xe0" + size.to_bytes(4, "little") + opening)
            file.seek(size - len(opening) - 2, os.SEEK_CUR)
            file.write(b"\xff\xd9")
        file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
    return path


def ultrasound(path: Path, frames: int, *, syntax: str = ExplicitVRLittleEndian) -> Path:
    """A loop of frames of a quarter of a megabyte; a name is in the second and in the last one, at two places."""
    made = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    made.pop("DataSetTrailingPadding")
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    made.file_meta.TransferSyntaxUID = syntax
    made.Modality, made.Rows, made.Columns, made.NumberOfFrames = "US", 512, 512, frames
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    empty, *written = (named(place) for place in (None, *PLACES))
    shown = [written[0] if number == 1 else written[1] if number == frames - 1 else empty for number in range(frames)]
    if syntax == ExplicitVRLittleEndian:
        made.PixelData = b"".join(picture.tobytes() for picture in shown)
    else:
        if syntax == JPEGBaseline8Bit:  # colours that say RGB are not compressed again: all frames become native
            made.SamplesPerPixel, made.PlanarConfiguration, made.PhotometricInterpretation = 3, 0, "RGB"
        streams = {picture.tobytes(): compressed(picture, syntax) for picture in (empty, *written)}
        made.PixelData = encapsulate([streams[picture.tobytes()] for picture in shown])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = syntax != ExplicitVRLittleEndian
    made.save_as(path)
    return path


PLACES = ((40, 60), (200, 400))
"""left, top"""


def named(place: tuple[int, int] | None) -> np.ndarray:
    picture = Image.new("L", (512, 512))
    if place is not None:
        ImageDraw.Draw(picture).text(place, "QUILLFEATHER ADA", 255, font=ImageFont.load_default(28))
    return np.asarray(picture)


def compressed(picture: np.ndarray, syntax: str) -> bytes:
    if syntax == JPEGBaseline8Bit:
        file = BytesIO()
        Image.fromarray(picture).convert("RGB").save(file, "JPEG", quality=95)
        return file.getvalue()
    options = {"rows": 512, "columns": 512, "number_of_frames": 1, "samples_per_pixel": 1, "bits_allocated": 8}
    options |= {"bits_stored": 8, "pixel_representation": 0, "photometric_interpretation": "MONOCHROME2"}
    return bytes(get_encoder(syntax).encode(picture, **options))


def run(tmp_path: Path, source: Path, *, policy: str = "research-headers") -> int:
    """Megabytes of memory that one run takes at most."""
    workspace = tmp_path / f"workspace-{source.stem}"
    pipeline.create(workspace, passphrase=None)
    return peak("run", str(source), "-w", str(workspace), "-p", "demo", "--policy", policy, "--processes", "0")


MEASURED = """
import re, sys
from pathlib import Path
from struct import pack
from governance import cli
code = cli.main(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""
"""The system adds to what a process took at most what the one took that started it; this is what it took itself."""


def peak(*words: str) -> int:
    """Megabytes of memory that one command takes at most."""
    command = [sys.executable, "-c", MEASURED, *words]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    return int(said.splitlines()[-1]) // 1024


COMMENT = b"\xff\xfe\0\x12Quillfeather^Ada"

MADE = {
    "native": multi_frame,
    "native, with more behind the data set": partial(multi_frame, behind=PADDING),
    "native, with unused bits set": partial(multi_frame, unused=b"\x01\x10"),
    "compressed": jpeg_frames,
    "compressed, with a comment in each frame": partial(jpeg_frames, comment=COMMENT),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE.keys())
def test_five_times_the_pixels_take_no_more_memory(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    small, large = (make(tmp_path / f"{frames}.dcm", frames) for frames in (60, 300))

    assert run(tmp_path, large) < min(run(tmp_path, small) + 20, MOST)


def test_many_small_frames_take_no_more_memory(tmp_path: Path) -> None:
    """A page that is read comes with its neighbours: who only looks for where frames begin reads everything."""
    few, many_frames = (jpeg_frames(tmp_path / f"{frames}.dcm", frames, size=1 << 16) for frames in (60, 2400))

    assert run(tmp_path, many_frames) < min(run(tmp_path, few) + 20, MOST)


MASKED = {
    "native": (ExplicitVRLittleEndian, 700),
    "compressed again": (RLELossless, 700),
    "without an encoder": (JPEGBaseline8Bit, 240),  # in colours
}
"""The frames take 175 MB and more when they are decoded."""


@pytest.mark.parametrize(("syntax", "most"), MASKED.values(), ids=MASKED.keys())
def test_masking_more_frames_takes_no_more_memory(tmp_path: Path, syntax: str, most: int) -> None:
    few, many_frames = (ultrasound(tmp_path / f"{frames}.dcm", frames, syntax=syntax) for frames in (20, most))

    took = run(tmp_path, few, policy="research"), run(tmp_path, many_frames, policy="research")

    assert took[1] < min(took[0] + 120, MOST_MASKED)
    for source in (few, many_frames):
        (written,) = (tmp_path / f"workspace-{source.stem}" / "curated").rglob("*.dcm")
        ds = pydicom.dcmread(written)
        brightest = [int(np.atleast_3d(frame)[..., 0].max()) for frame in iter_pixels(ds, raw=True)]
        assert len(brightest) == int(source.stem)
        assert max(brightest) < 8  # of a letter nothing is left, of a codec a little


SHOWN = [("plan", "--diff", "basic", "research-headers"), ("survey",)]


@pytest.mark.parametrize("command", SHOWN)
def test_what_is_shown_before_a_run_takes_no_more_memory_either(tmp_path: Path, command: tuple[str, ...]) -> None:
    small, large = (multi_frame(tmp_path / f"{frames}.dcm", frames) for frames in (60, 600))

    assert peak(*command, str(large)) < peak(*command, str(small)) + 20


@pytest.mark.parametrize("command", SHOWN)
def test_memory_does_not_grow_with_the_number_of_files_that_are_shown(tmp_path: Path, command: tuple[str, ...]) -> None:
    for name, content in many.images(1500):
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    # Of three people, and of fifteen: what there is of each is held once.
    few = [str(path) for path in sorted((tmp_path / "raw").iterdir())[:3]]
    assert peak(*command, str(tmp_path / "raw")) < peak(*command, *few) + 20


def test_a_frame_that_a_wrong_table_hides_is_looked_at_as_it_was_written(tmp_path: Path) -> None:
    """Both entries of the table point to the first frame; the second one has a name in it."""
    path = ultrasound(tmp_path / "2.dcm", 2, syntax=RLELossless)
    ds = pydicom.dcmread(path)
    first = next(generate_frames(ds.PixelData, number_of_frames=2))
    ds.PixelData = encapsulate(list(generate_frames(ds.PixelData, number_of_frames=2)), has_bot=False)
    ds["PixelData"].is_undefined_length = True
    ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = pack("<2Q", 0, 0), pack("<2Q", len(first), len(first))
    ds.save_as(path)
    context = pipeline.create(tmp_path / "workspace", passphrase=None)

    pipeline.run(context, [path], project="demo", policy_name="research", processes=0)

    (ended,) = pipeline.outcomes(context)
    assert (ended.outcome, ended.output) == (Outcome.QUARANTINED, None)
    assert "burned-in text" in ended.reason
