"""The policies that come with the project."""

import re
from collections.abc import Mapping
from pathlib import Path

import governance


def profiles() -> Mapping[str, Path]:
    """The profiles that come with the project, by name."""
    return _shipped("profiles")


def named() -> Mapping[str, Path]:
    """What a policy can be called by instead of by its file: the profiles, and the layers for devices over them."""
    return {**_shipped("devices"), **profiles()}


def _shipped(part: str) -> Mapping[str, Path]:
    package = Path(governance.__file__).parent
    for folder in (package.parent / "policies" / part, package / "_policies" / part):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml")) if re.fullmatch(r"[a-z0-9-]+", path.stem)}
    return {}
