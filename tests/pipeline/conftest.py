"""What holds for every test of the order of the work."""

import pytest

from governance.pipeline import memo


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files go through the memo, whether it is of use or not."""
    monkeypatch.setattr(memo, "KNOWN", 0)
