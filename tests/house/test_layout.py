"""The house is where the map says: five folders, a page in each, and no module that outgrew its page."""

import subprocess

import pytest

from tests.house.programs import ROOT

FOLDERS = ("flows", "governance", "infra", "policies", "tests")
FILES = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"}
MOST_LINES = 450
IN_ONE_FILE = {"governance/audit/offline.py": 750}  # an auditor gets it as one file, which reads from top to bottom


def ours() -> list[str]:
    """Paths that git tracks or would track: a virtual environment or a demo is none of them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for path in done.stdout.splitlines() if (ROOT / path).exists()]


def test_the_top_holds_what_the_map_says_and_nothing_else() -> None:
    top = {path.partition("/")[0] for path in ours()}

    assert {name for name in top if not name.startswith(".")} - FILES - set(FOLDERS) == set()


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_its_page(folder: str) -> None:
    assert (ROOT / folder / "README.md").is_file()


def test_no_module_outgrew_its_page() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in ours() if path.endswith(".py")}

    assert lengths
    assert {path: n for path, n in lengths.items() if n > IN_ONE_FILE.get(path, MOST_LINES)} == {}
