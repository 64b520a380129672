"""The 56 leak cases: no planted value in any byte of a workspace, in any output, in any alphabet."""

import subprocess
import sys
import unicodedata
import zlib
from pathlib import Path

import pytest

from governance import pipeline
from tests.phantoms.cases import CASES

CODECS = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "iso2022_jp",
    "shift_jis",
    "euc_kr",
    "gb18030",
    "koi8-r",
    "iso8859_7",
)


def spellings(marker: str) -> set[bytes]:
    """A marker in every encoding that can hold it, composed and decomposed, in three cases."""
    found = set()
    for text in {marker, marker.upper(), marker.lower(), unicodedata.normalize("NFD", marker)}:
        for codec in CODECS:
            try:
                found.add(text.encode(codec))
            except UnicodeEncodeError:
                continue
    return {spelling for spelling in found if len(spelling) >= 4}


def leaks(folder: Path, markers: list[str]) -> list[str]:
    """Where a marker is found: in names of files and folders, and in bytes, also of pages that SQLite freed."""
    wanted = {marker: spellings(marker) for marker in markers}
    found = []
    for path in sorted(folder.rglob("*")):
        haystacks = [str(path.relative_to(folder)).encode("utf-8", "surrogateescape")]
        if path.is_file() and not path.is_symlink():
            haystacks.append(path.read_bytes())
        for marker, forms in wanted.items():
            if any(form in haystack for form in forms for haystack in haystacks):
                found.append(f"{path.suffix or path.name} holds marker {zlib.crc32(marker.encode()):08x}")
    return found


@pytest.mark.parametrize("number", sorted(CASES))
def test_no_planted_value_survives(number: int, tmp_path: Path) -> None:
    case = CASES[number]
    raw = tmp_path / "raw"
    raw.mkdir()
    case.build(raw)
    workspace = tmp_path / "workspace"
    pipeline.create(workspace, passphrase=None)

    command = [
        sys.executable,
        "-m",
        "governance.cli",
        "run",
        str(raw),
        "-w",
        str(workspace),
        "-p",
        "leak",
        "--processes",
        "1",
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    assert done.returncode in (0, 3), done.stderr.decode()
    context = pipeline.open_context(workspace, passphrase=None)
    if list(context.workspace.curated.rglob("*.dcm")):
        pipeline.publish(context, project="leak", dataset="leak")
    (tmp_path / "workspace" / "inner" / "stdout").write_bytes(done.stdout + done.stderr)
    assert leaks(workspace, case.markers) == []
    assert not any("internal error" in outcome.reason for outcome in pipeline.outcomes(context))
