"""The disk, asked in such a way that no entry of it can stop a run.

What the system refuses is the outcome of that entry: a path that is too long, a folder
that may be listed and not searched, links that lead to each other.
"""

import os
import stat
from pathlib import Path

from governance.datatypes import SourceOutcome
from governance.ingest.budget import unreadable

_REFUSALS = (OSError, ValueError, RuntimeError)  # RuntimeError: links that lead to each other, or on and on
NOT_REGULAR = "not a regular file"


def status(path: Path, *, follow: bool = True) -> os.stat_result | SourceOutcome:
    """What `path` is; with `follow`, what a link at its end leads to."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except _REFUSALS as error:
        return _refused(path, error)


def resolved(path: Path) -> Path | SourceOutcome:
    """Where `path` leads to, which exists."""
    try:
        return path.resolve(strict=True)
    except _REFUSALS as error:
        return _refused(path, error)


def regular(path: Path) -> Path | SourceOutcome:
    """`path`, if it is a regular file or a link to one."""
    found = status(path)
    if isinstance(found, SourceOutcome):
        return found
    return path if stat.S_ISREG(found.st_mode) else unreadable(str(path), NOT_REGULAR)


def _refused(path: Path, error: Exception) -> SourceOutcome:
    if os.path.islink(path):
        return unreadable(str(path), "broken symbolic link")
    code = error.errno if isinstance(error, OSError) else None
    # The system's words for a code name no path; those of the exception do.
    return unreadable(str(path), "cannot be looked at" + (f": {os.strerror(code).lower()}" if code else ""))
