"""What a package offers is what a type checker reads of it, whatever was imported before."""

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

from governance import lazily

PACKAGES = ("audit", "keys", "pipeline", "policy", "provenance", "pseudonymise", "release")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_that_a_package_lists_is_there_and_no_module(name: str) -> None:
    package = import_module(f"governance.{name}")

    for each in package.__all__:
        assert not isinstance(getattr(package, each), ModuleType)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_lists_all_that_it_offers(name: str) -> None:
    package = import_module(f"governance.{name}")

    assert set(package.__all__) == lazily._offered[package.__name__].keys()


def test_what_a_package_does_not_offer_is_missed() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        import_module("governance.policy").nothing  # noqa: B018


def test_a_function_is_not_hidden_by_the_module_of_its_name() -> None:
    code = "import governance.policy.plan, governance.audit.verify\n"
    code += "from governance import audit, policy; print(callable(policy.plan), callable(audit.verify))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "True True\n"
