"""What is installed with this program may be passed on under licences that ask for nothing, but for what is named."""

import re
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement

COPYLEFT = re.compile(r"GPL|GNU |EUPL|SSPL", re.ASCII)  # LGPL and AGPL among them
KNOWN = {
    "pylibjpeg-libjpeg": "GPL-3.0: see pyproject.toml",
    "text-unidecode": "the Artistic License, or GPL: the first is taken",
}


def installed(name: str, found: dict[str, str], extras: frozenset[str] = frozenset()) -> None:
    """Everything that a package needs without being asked for more, and what it says of its licence."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    try:
        package = distribution(name)
    except PackageNotFoundError:  # of another system, or of another Python
        return
    if key in found and not extras:
        return
    said = package.metadata
    classified = [each for each in said.get_all("Classifier", []) if each.startswith("License")]
    found[key] = " ".join([*classified, said.get("License-Expression") or "", (said.get("License") or "")[:200]])
    for line in package.requires or []:
        needed = Requirement(line)
        asked = [{"extra": extra} for extra in ("", *extras)]
        if needed.marker is None or any(needed.marker.evaluate(environment) for environment in asked):
            installed(needed.name, found, frozenset(needed.extras))


def test_no_default_dependency_is_copyleft_but_for_those_that_are_named() -> None:
    found: dict[str, str] = {}
    installed("governance", found)

    assert len(found) > 50
    assert {name for name, said in found.items() if COPYLEFT.search(said)} == set(KNOWN)
