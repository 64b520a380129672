"""Which code ran, and in which environment: for the event of each batch, never for a receipt.

Nothing is asked of a network, and what is not known is left out:

    commit       of a checkout, or of the repository that pip installed from (PEP 610)
    tree         whether that checkout was `clean` or `changed` when this process began its first batch
    environment  SHA-256 over the sorted `name==version` of what is installed, Python and platform, a line each
    python, platform
    image        digest of the container's image, which GOVERNANCE_IMAGE_DIGEST says: nobody inside can know it
"""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import governance
from governance.errors import Misconfigured

IMAGE = "GOVERNANCE_IMAGE_DIGEST"
NAMES = ("commit", "tree", "environment", "python", "platform", "image")
"""What an event may say of it, in the order in which it is shown."""

_IMAGE = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_DISTRIBUTION = re.compile(r"([A-Za-z0-9._]+)-([^-]+)(?:-.*)?\.(?:dist|egg)-info", re.ASCII)
_SECONDS = 10


@lru_cache(maxsize=1)
def made_by() -> Mapping[str, str]:
    """What is known, asked once for each process.

    Raises:
        Misconfigured: what the environment says of the image is no digest.
    """
    image = os.environ.get(IMAGE, "")
    if image and not _IMAGE.fullmatch(image):
        raise Misconfigured(f"{IMAGE} is not a digest", hint="sha256: and 64 hexadecimal digits, lower case")
    commit, tree = _code(Path(governance.__file__).resolve().parent)
    python = platform.python_version()
    machine = f"{sys.platform} {platform.machine()}"
    lines = [*sorted(installed()), f"{platform.python_implementation()} {python}", machine]
    found = {
        "commit": commit,
        "tree": tree,
        "environment": sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest(),
        "python": python,
        "platform": machine,
        "image": image,
    }
    return {name: found[name] for name in NAMES if found[name]}


def installed() -> Iterator[str]:
    """`name==version` of every distribution, the first on the path of each name.

    Read from the names of folders (PEP 376), since opening every one of them would take a tenth of a second.
    """
    seen: set[str] = set()
    for place in sys.path:
        try:
            names = sorted(os.listdir(place or "."))
        except OSError:
            continue
        for found in filter(None, map(_DISTRIBUTION.fullmatch, names)):
            name = re.sub(r"[-_.]+", "-", found[1]).lower()
            if name not in seen:
                seen.add(name)
                yield f"{name}=={found[2]}"


def _code(package: Path) -> tuple[str, str]:
    """The commit that the code is of, and whether it was changed since; empty where that is not known."""
    if (package.parent / ".git").exists():
        commit = _git(package.parent, "rev-parse", "--verify", "HEAD")
        if commit is not None and _COMMIT.fullmatch(commit):
            changed = _git(package.parent, "status", "--porcelain", "--", package.name)
            return commit, "" if changed is None else "changed" if changed else "clean"
        return "", ""
    return _installed_from(), ""


def _installed_from() -> str:
    """The commit of the repository that pip installed this from, or empty."""
    try:
        said = json.loads(metadata.distribution("governance").read_text("direct_url.json") or "{}")
        commit = said["vcs_info"]["commit_id"]
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return ""
    return commit if isinstance(commit, str) and _COMMIT.fullmatch(commit) else ""


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, without a program that the checkout's settings name; None if it does not."""
    place = [f"--git-dir={folder / '.git'}", f"--work-tree={folder}"]  # none that lies around it
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *place, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
