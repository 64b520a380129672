"""The text that a release brings along tells the truth: its commands are run as they stand."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from governance.release import layout
from tests.release.world import World


def commands(folder: Path) -> list[str]:
    """The indented blocks of the text."""
    text = (folder / layout.README).read_text()
    return [block.replace("\n    ", "\n").strip() for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)]


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def tools(program: Callable[[str], str]) -> None:
    for name in ("sh", "openssl", "python3", "sha256sum", "od", "tail", "tr"):
        program(name)


def test_its_line_loads_a_table_whose_paths_lead_to_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, pa.Table] = {}

    exec(commands(folder)[0], names)

    paths = names["table"]["path"].to_pylist()
    assert len(paths) == 10
    assert all(Path("objects/" + path).is_file() for path in paths)
    assert names["table"].schema.field("KVP").metadata[b"description"]


@pytest.mark.usefixtures("tools")
def test_its_check_passes_on_what_was_released_and_names_what_was_changed(folder: Path) -> None:
    assert shell(folder, commands(folder)[1]).returncode == 0
    changed = next(folder.glob("objects/**/*.dcm"))
    changed.write_bytes(b"another object")

    done = shell(folder, commands(folder)[1])

    assert done.returncode != 0
    assert changed.name in done.stdout


@pytest.mark.usefixtures("tools")
def test_its_check_finds_a_manifest_that_was_changed(folder: Path) -> None:
    manifest = folder / layout.MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b'"version":1', b'"version":2'))

    assert shell(folder, commands(folder)[1]).returncode != 0


@pytest.mark.usefixtures("tools")
def test_it_prints_the_key_as_verify_takes_it(made: World, folder: Path) -> None:
    assert shell(folder, commands(folder)[2]).stdout == made.keyring.public_key.hex()


def test_it_names_every_place_in_the_release(folder: Path) -> None:
    text = (folder / layout.README).read_text()

    assert [place.name for place in folder.iterdir() if f"`{place.name}" not in text] == [layout.README]
