"""Files of a folder, in the order of their names, each once."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from governance import storage
from governance.datatypes import Outcome, SourceOutcome
from governance.errors import Misconfigured
from governance.ingest import dicomdir, disk
from governance.ingest.budget import printable, unreadable
from governance.ingest.disk import Entry, Found

_WORKSPACE = {storage.MARKER, "inner", "curated"}


def files(roots: Iterable[Path]) -> Iterator[Entry]:
    """Every disk file under `roots`, in a fixed order, and what is none; each once even where roots overlap.

    A root that is a DICOMDIR brings the files that it lists. Links to files are followed
    inside their root; links to folders never: what lies inside is listed in its own place.

    Raises:
        Misconfigured: a root does not exist.
    """
    given = list(roots)
    refuse_missing(given)
    places: dict[str, Path] = {}
    for root in given:
        places.setdefault(_place(root), root)
    walked: list[str] = []
    single: set[str] = set()
    for place, root in places.items():
        folder = os.path.isdir(root)
        start, base = (root, place) if folder else (root.parent, os.path.dirname(place))
        for found in _root(root):
            if found.path is not None:
                there = os.path.normpath(os.path.join(base, os.path.relpath(found.path, start)))
                if there in single or os.path.join(there, "").startswith(tuple(walked)):
                    continue
                if not folder:
                    single.add(there)
            yield found.entry
        if folder:
            walked.append(os.path.join(place, ""))


def refuse_missing(roots: Sequence[Path]) -> None:
    """Raise Misconfigured where a root does not exist. It is told by its place: paths name people."""
    for number, root in enumerate(roots, 1):
        if not os.path.lexists(root):
            which = "the source" if len(roots) == 1 else f"source {number} of {len(roots)}"
            raise Misconfigured(f"{which} does not exist", hint="check its path; nothing was done")


def _place(root: Path) -> str:
    """Where a root lies. A link to a file is a source of its own, as it is inside of a folder."""
    if os.path.isdir(root):
        return os.path.realpath(root)
    return os.path.join(os.path.realpath(root.parent), root.name)


def _root(root: Path) -> Iterator[Found]:
    if os.path.isdir(root):
        yield from _folder(root)
        return
    entry = disk.regular(root)
    if isinstance(entry, Path) and dicomdir.is_directory(root):
        yield from dicomdir.files(root)
    else:
        yield Found(root, entry)


def _folder(root: Path) -> Iterator[Found]:
    within = disk.resolved(root)
    if isinstance(within, SourceOutcome):
        yield Found(root, within)
        return
    # A stack, not recursion: folders may lie deeper in each other than Python calls itself.
    stack: list[Iterator[Path]] = [iter([root])]
    while stack:
        path = next(stack[-1], None)
        if path is None:
            stack.pop()
            continue
        entry = _entry(path, within, follow=path == root)
        if isinstance(entry, list):
            stack.append(iter([path / name for name in entry]))
        else:
            yield Found(path, entry)


def _entry(path: Path, within: Path, *, follow: bool) -> Entry | list[str]:
    """A source, or why it is none; of a folder, the names in it."""
    status = disk.status(path, follow=follow)
    if isinstance(status, SourceOutcome):
        return status
    if stat.S_ISLNK(status.st_mode):
        return _link(path, within)
    if stat.S_ISDIR(status.st_mode):
        return _names(path)
    return path if stat.S_ISREG(status.st_mode) else unreadable(str(path), disk.NOT_REGULAR)


def _names(folder: Path) -> list[str] | SourceOutcome:
    try:
        names = os.listdir(folder)
    except OSError:
        return unreadable(str(folder), "folder cannot be listed")
    if _WORKSPACE.issubset(names):  # its outputs would be sources again, and the next run's outputs, too
        return SourceOutcome(printable(str(folder)), Outcome.FILTERED, "a workspace of this program")
    return sorted(names)


def _link(path: Path, within: Path) -> Entry:
    target = disk.resolved(path)
    if isinstance(target, SourceOutcome):
        return target
    if not target.is_relative_to(within):
        return unreadable(str(path), "symbolic link leaves the source")
    if not os.path.isdir(target):
        return disk.regular(path)
    if Path(os.path.realpath(path.parent)).is_relative_to(target):
        return unreadable(str(path), "symbolic link loop")
    return SourceOutcome(printable(str(path)), Outcome.FILTERED, "symbolic link to a folder that is listed itself")
