"""What several tests share: real files, a workspace, and the rule about missing programs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import settings

from governance import pipeline

# A test says what is true, never how fast; the machine may be busy.
settings.register_profile("here", deadline=None)
settings.load_profile("here")

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


@pytest.fixture
def context(tmp_path: Path) -> pipeline.Context:
    """A fresh workspace whose root key is a file of mode 0600."""
    return pipeline.create(tmp_path / "workspace", passphrase=None)


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Find a system program, or skip with a reason; in CI a missing one is a failure."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} must be installed in CI")
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find
