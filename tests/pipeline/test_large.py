"""Memory does not grow with a file: what is large is passed over piece by piece."""

import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from governance import pipeline

FRAME = 512 * 512 * 2
PADDING = b"\xfc\xff\xfc\xffOB\0\0\x02\0\0\0\0\0"


def multi_frame(path: Path, frames: int, *, behind: bytes = b"") -> Path:
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
        file.write((frames * FRAME).to_bytes(4, "little"))
        file.truncate(size + frames * FRAME)
        file.seek(0, os.SEEK_END)
        file.write(behind)
    return path


def peak(tmp_path: Path, source: Path) -> int:
    """Megabytes of memory that one run takes at most."""
    workspace = tmp_path / f"workspace-{source.stem}"
    pipeline.create(workspace, passphrase=None)
    words = ["run", str(source), "-w", str(workspace), "-p", "demo", "--policy", "research-headers", "--processes", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "governance.cli", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss // 1024


@pytest.mark.parametrize("behind", [pytest.param(b"", id="copied"), pytest.param(PADDING, id="written anew")])
def test_ten_times_the_pixels_take_no_more_memory(tmp_path: Path, behind: bytes) -> None:
    small, large = (multi_frame(tmp_path / f"{frames}.dcm", frames, behind=behind) for frames in (60, 600))

    assert peak(tmp_path, large) < peak(tmp_path, small) + 20
