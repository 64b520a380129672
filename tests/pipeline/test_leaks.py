"""The 56 leak cases: no planted value in any byte of a workspace, in any output, in any alphabet."""

import unicodedata
import zlib
from pathlib import Path

import pytest
import yaml

from governance import cli, pipeline
from governance.datatypes import Outcome
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
    54: "whole slides",
    55: "documents, meshes and video",
}
"""Cases of which nothing is published, because no policy covers their classes. All others must publish something."""


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
    context = pipeline.open_context(workspace, passphrase=None)
    published = sum(outcome.outcome is Outcome.PUBLISHED for outcome in pipeline.outcomes(context))
    assert (published == 0) == (number in HELD_BACK)
    if published:
        assert cli.main(["publish", "-w", str(workspace), "-p", "leak", "--dataset", "leak"]) == 0
    (workspace / "inner" / "printed").write_text("".join(capfd.readouterr()))
    assert leaks(workspace, case.markers) == []
    assert not any("internal error" in outcome.reason for outcome in pipeline.outcomes(context))
