"""Files of a folder, in the order of their names, each once."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from governance.datatypes import Outcome, SourceOutcome
from governance.errors import Misconfigured
from governance.ingest import dicomdir

Entry = Path | SourceOutcome


def files(roots: Iterable[Path]) -> Iterator[Entry]:
    """Every disk file under `roots`, in a fixed order, each once.

    A root that is a DICOMDIR brings the files that it lists. Links are followed inside
    their root only.

    Raises:
        Misconfigured: a root does not exist.
    """
    seen: set[Path] = set()
    for root in roots:
        if not root.exists():
            raise Misconfigured("a source does not exist", hint="check the paths before the options")
        for entry in _root(root):
            if isinstance(entry, SourceOutcome):
                yield entry
                continue
            place = Path(os.path.normpath(entry.absolute()))
            if place not in seen:
                seen.add(place)
                yield entry


def _root(root: Path) -> Iterator[Entry]:
    if root.is_dir():
        yield from _folder(root, within=root.resolve(), above=(root.resolve(),))
        return
    yield from _file(root)
    if root.is_file() and dicomdir.is_directory_file(root):
        yield from dicomdir.listed(root)


def _folder(folder: Path, *, within: Path, above: tuple[Path, ...]) -> Iterator[Entry]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        yield unreadable(folder, "the folder cannot be listed")
        return
    for name in names:
        path = folder / name
        if not path.is_symlink():
            yield from _folder(path, within=within, above=(*above, path.resolve())) if path.is_dir() else _file(path)
            continue
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links that point at each other
            yield unreadable(path, "the symbolic link leads nowhere")
            continue
        if not target.is_relative_to(within):
            yield unreadable(path, "the symbolic link leaves the source")
        elif not target.is_dir():
            yield from _file(path)
        elif target in above:
            yield unreadable(path, "the symbolic link leads back to a folder above it")
        else:
            yield from _folder(path, within=within, above=(*above, target))


def _file(path: Path) -> Iterator[Entry]:
    try:
        mode = path.stat().st_mode
    except OSError:
        yield unreadable(path, "the file cannot be opened")
        return
    if stat.S_ISREG(mode):
        yield path
    else:
        yield unreadable(path, "not a regular file")


def unreadable(path: Path, reason: str) -> SourceOutcome:
    """The outcome of a path that cannot be read."""
    return SourceOutcome(printable(str(path)), Outcome.UNREADABLE, reason)


def printable(name: str) -> str:
    """`name` with undecodable bytes spelled out, so that it can be stored and shown."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
