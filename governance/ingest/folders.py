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

Entry = Path | SourceOutcome

_WORKSPACE = {storage.MARKER, "inner", "curated"}


def files(roots: Iterable[Path]) -> Iterator[Entry]:
    """Every disk file under `roots`, in a fixed order, each once even where roots overlap.

    A root that is a DICOMDIR brings the files that it lists. Links to files are followed
    inside their root; links to folders never: what lies inside is listed in its own place.

    Raises:
        Misconfigured: a root does not exist.
    """
    given = list(roots)
    for root in given:
        if not os.path.lexists(root):
            raise Misconfigured("source does not exist", hint="check the paths before the options")
    walked: list[str] = []
    single: set[str] = set()
    for root in given:
        place = os.path.realpath(root)
        for entry in _root(root):
            if not isinstance(entry, Path):
                yield entry
                continue
            # The root's links are resolved, a link at the end is not: it is a source of its own.
            there = os.path.normpath(os.path.join(place, os.path.relpath(entry, root))) if entry != root else place
            if there in single or any(there.startswith(folder) for folder in walked):
                continue
            if not os.path.isdir(place):
                single.add(there)
            yield entry
        if os.path.isdir(place):
            walked.append(os.path.join(place, ""))


def _root(root: Path) -> Iterator[Entry]:
    if os.path.isdir(root):
        yield from _folder(root)
        return
    entry = disk.regular(root)
    if isinstance(entry, Path) and dicomdir.is_directory(root):
        yield from dicomdir.files(root)
    else:
        yield entry


def _folder(root: Path) -> Iterator[Entry]:
    within = disk.resolved(root)
    if not isinstance(within, Path):
        yield within
        return
    # A stack, not recursion: folders may lie deeper in each other than Python calls itself.
    stack: list[Iterator[Path]] = [iter([root])]
    while stack:
        path = next(stack[-1], None)
        if path is None:
            stack.pop()
            continue
        status = disk.status(path, follow=path == root)
        if isinstance(status, SourceOutcome):
            yield status
        elif stat.S_ISLNK(status.st_mode):
            yield _link(path, within)
        elif stat.S_ISDIR(status.st_mode):
            names = _names(path)
            if isinstance(names, SourceOutcome):
                yield names
            else:
                stack.append(iter([path / name for name in names]))
        else:
            yield path if stat.S_ISREG(status.st_mode) else unreadable(str(path), disk.NOT_REGULAR)


def _names(folder: Path) -> Sequence[str] | SourceOutcome:
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
