"""Data flows sideways, imports point down: the contract in pyproject.toml holds."""

from tests.house.programs import complaints


def test_the_import_contract_holds() -> None:
    assert complaints("lint-imports", "--no-cache") == ""
