"""The 56 leak cases: no planted value in any byte of a workspace, in any output, in any alphabet.

The clinical words around planted values are in the outputs.
"""

import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from governance import cli, pipeline
from governance.datatypes import Outcome, SourceOutcome
from governance.policy import profiles
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

HELD_BACK = {
    9: {"ZQ09Wex07ford.tar!link.dcm"},  # no file
    21: {"one.dcm"},  # a document that nobody can read
    50: {"jpeg-xl.dcm"},  # nothing here can look into it
    53: {"eye.dcm", "photo.dcm"},
    54: {"label.dcm", "overview.dcm", "thumbnail.dcm"},
    55: {"obj.dcm", "stl.dcm", "video.dcm"},
}
"""DICOM files of a case that are not published. All others are, so that there is something to search."""


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


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and the values of a table, which are compressed in them."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pylist()).encode()


def leaks(folder: Path, markers: list[str]) -> list[str]:
    """Where a marker is found: in names of files and folders, and in bytes, also of pages that SQLite freed."""
    wanted = {marker: spellings(marker) for marker in markers}
    found = []
    for path in sorted(folder.rglob("*")):
        haystacks = [str(path.relative_to(folder)).encode("utf-8", "surrogateescape")]
        if path.is_file() and not path.is_symlink():
            haystacks += contents(path)
        for marker, forms in wanted.items():
            if any(form in haystack for form in forms for haystack in haystacks):
                found.append(f"{path.suffix or path.name} holds marker {zlib.crc32(marker.encode()):08x}")
    return found


def held_back(ended: Iterable[SourceOutcome]) -> set[str]:
    """Names of DICOM files that were not published."""
    kinds = (Outcome.QUARANTINED, Outcome.UNREADABLE)
    names = {PurePath(outcome.source).name for outcome in ended if outcome.outcome in kinds}
    return {name for name in names if name.endswith(".dcm")}


def holding(words: str, folder: Path) -> int:
    """How many DICOM files hold these words."""
    paths = [path for path in folder.rglob("*.dcm") if path.is_file() and not path.is_symlink()]
    return sum(words.encode() in path.read_bytes() for path in paths)


def test_a_marker_is_found_in_the_middle_of_a_table(tmp_path: Path) -> None:
    """Where neither the statistics of its column show it nor its compressed page."""
    told = [f"{number:03} {'of Quillfeather' if number == 50 else number * 7919}" for number in range(100)]
    pq.write_table(pa.table({"told": told}), tmp_path / "table.parquet", compression="zstd")

    assert len(leaks(tmp_path, ["Quillfeather", "Brannock"])) == 1


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`research`, less what keeps planted values on purpose: devices by name, and rare people's traits."""
    document = yaml.safe_load(profiles()["research"].read_text())
    retained = {"retain_device_identity", "retain_patient_characteristics"}
    document["options"] = [option for option in document["options"] if option["option"] not in retained]
    document["name"] = "research-strict"
    path = tmp_path_factory.mktemp("policy") / "strict.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("number", [pytest.param(n, id=f"{n} {CASES[n].title}") for n in sorted(CASES)])
def test_no_planted_value_survives(
    number: int, policy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = CASES[number]
    raw, workspace = tmp_path / "raw", tmp_path / "workspace"
    raw.mkdir()
    case.build(raw)
    assert cli.main(["init", str(workspace)]) == 0

    ran = cli.main(["run", str(raw), "-w", str(workspace), "-p", "leak", "--processes", "0", "--policy", str(policy)])

    assert ran in (0, 3)
    ended = list(pipeline.outcomes(pipeline.open_context(workspace, passphrase=None)))
    assert held_back(ended) == HELD_BACK.get(number, set())
    if any(outcome.outcome is Outcome.PUBLISHED for outcome in ended):
        assert cli.main(["publish", "-w", str(workspace), "-p", "leak", "--dataset", "leak"]) == 0
    (workspace / "inner" / "printed").write_text("".join(capfd.readouterr()))
    assert leaks(workspace, case.markers) == []
    assert {w: holding(w, raw) for w in case.kept} == {w: holding(w, workspace / "curated") for w in case.kept}
    assert not any("internal error" in outcome.reason for outcome in ended)
