"""What `make check` checks, as tests."""

import pytest

from tests.house.programs import complaints


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("ruff", "check", "."), id="lint"),
        pytest.param(("ruff", "format", "--check", "."), id="format"),
        pytest.param(("mypy",), id="types"),
    ],
)
def test_the_checker_is_content(command: tuple[str, ...]) -> None:
    assert complaints(*command) == ""
