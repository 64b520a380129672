"""Contact sheets of images that a person should look at: sources read again, every frame with what is found on it.

The engine looks again, by the run's policy as it is now, so that a sheet shows what the next run will find. One frame
is held at a time, and the tiles of a sheet.
"""

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from governance import draw, ingest, policy, read
from governance.buffers import Data
from governance.database import shards
from governance.datatypes import Confidential, Instance, Region, RulingKind, Source, TextKind
from governance.detect import burned_in, devices, identifiers, rendering
from governance.errors import Misconfigured, Refused, Unavailable
from governance.pipeline.context import Context, where
from governance.pipeline.instance import reason, source_digest
from governance.pipeline.reviewing import SHOWN_DIGITS, Reviewed
from governance.pipeline.runs import latest
from governance.pipeline.shards import FILE_SPAN, SHARD_SPAN, Request, find, keys_of
from governance.policy import classes
from governance.storage import FULL, MARKER

if TYPE_CHECKING:
    from PIL import Image

FOLDER = "review"
"""Of the inner zone: where sheets go unless a person names another place. What was in it is removed first."""
GONE = "its source is not where the run found it, or has other bytes now; run it again"


@dataclass(frozen=True, slots=True, repr=False)
class Sheets(Confidential):
    """The sheets of one image, and what is on them."""

    entry: Reviewed
    files: tuple[Path, ...] = ()
    found: tuple[draw.Box, ...] = ()
    problem: str = ""
    """Why there are none, or not of every frame."""

    def record(self) -> dict[str, Any]:
        """For JSON; frames are counted from 1."""
        found = [
            {"kind": box.kind, "box": [r.left, r.top, r.right, r.bottom, (r.frame or 0) + 1]}
            for box in self.found
            for r in (box.region,)
        ]
        said = {"sheets": [str(file) for file in self.files], "found": found, "problem": self.problem}
        return self.entry.record() | said

    def text(self) -> str:
        """The entry, and below it the sheets."""
        kinds = Counter(box.kind for box in self.found)
        counted = "  ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        shows = counted if kinds.keys() & set(TextKind) else "  ".join(filter(None, ["no text found", counted]))
        lines = [f"sheet {file}" for file in self.files] + [shows if self.files else f"no sheet: {self.problem}"]
        if self.files and self.problem:
            lines.append(f"not of every frame: {self.problem}")
        return "\n".join([self.entry.text(), *(f"{'':<{SHOWN_DIGITS}}  {line}" for line in lines)])


def sheets(
    context: Context, entries: Iterable[Reviewed], *, folder: Path | None = None, run_id: str | None = None
) -> Iterator[Sheets]:
    """Write the sheets of each entry, in order; run_id: of the run that the entries are of, the latest by default.

    Raises:
        Misconfigured: the folder lies in a zone of a workspace that others may read, or they may read it itself;
            the run's policy does not load.
    """
    run = find(context, latest(context) if run_id is None else run_id)
    rules = policy.load(Request.unseal(run.sealed_request, context.keyring).policy)
    target = _private_folder(context.workspace.inner / FOLDER if folder is None else folder)
    if folder is None:
        for old in target.glob("*.png"):  # of what was decided since, nothing stays
            old.unlink()
    keys = keys_of(context, run)
    for place, group in groupby(entries, key=lambda entry: entry.position // FILE_SPAN):
        wanted = {entry.digest: entry for entry in group}
        done: set[str] = set()
        for source in _sources(context, run.run_id, place):
            data = ingest.bytes_of(source)
            if isinstance(data, Data):
                digest = source_digest(keys, data)
                if digest in wanted and digest not in done:
                    done.add(digest)
                    yield _of(wanted[digest], data, target, rules)
        for digest, entry in wanted.items():
            if digest not in done:
                yield Sheets(entry, problem=GONE)


def source_of(context: Context, entry: Reviewed) -> Data | None:
    """The bytes of a source of the latest run, None if they are not where the run found them."""
    run = find(context, latest(context))
    keys = keys_of(context, run)
    for source in _sources(context, run.run_id, entry.position // FILE_SPAN):
        data = ingest.bytes_of(source)
        if isinstance(data, Data) and source_digest(keys, data) == entry.digest:
            return data
    return None


def _sources(context: Context, run_id: str, place: int) -> Iterator[Source]:
    """The sources in one disk file of a run. place: its number among all files of all shards."""
    number, index = divmod(place, SHARD_SPAN // FILE_SPAN)
    mine = (shards.c.run_id == run_id) & (shards.c.number == number)
    with context.engine.connect() as connection:
        sealed = connection.execute(select(shards.c.sealed).where(mine)).scalar_one()
    file = json.loads(context.keyring.unseal(sealed, purpose="shard"))[index]
    for entry in ingest.sources([Path(file)]):
        if isinstance(entry, Source):
            yield entry


def _of(entry: Reviewed, data: Data, folder: Path, rules: policy.Rules) -> Sheets:
    """The sheets of one image; what cannot be drawn is told, and keeps no other image from being drawn."""
    files: list[Path] = []
    found: list[draw.Box] = []
    problem = ""
    try:
        instance = read.parse(data)
        drawn = _drawn(entry)
        for number, page in enumerate(_pages(instance, rules, drawn, found), 1):
            path = folder / f"{entry.digest[:SHOWN_DIGITS]}-{number:03}.png"
            _write_private(path, draw.sheet(page, title=f"{entry.digest[:SHOWN_DIGITS]}  {entry.outcome.value}"))
            files.append(path)
    except Refused as error:
        problem = reason(error)
    except MemoryError:
        problem = "larger than the memory that is left"
    except OSError:
        raise
    except Exception as error:  # our bug: this image has no sheet, the others have
        problem = f"internal error: {where(error)}"
    return Sheets(entry, tuple(files), tuple(found), problem)


def _private_folder(folder: Path) -> Path:
    """A folder for what is confidential: its owner's alone, and in no part of a workspace but one.

    Raises:
        Misconfigured: it is not, or cannot be made.
    """
    real = Path(os.path.realpath(folder))
    for outer in (real, *real.parents):
        if os.path.lexists(outer / MARKER) and not real.is_relative_to(outer / "inner" / FOLDER):
            raise Misconfigured("original pixels may not lie there", hint="in a workspace they belong in inner/review")
    with suppress(OSError):
        real.mkdir(mode=0o700, parents=True, exist_ok=True)
        if real.stat().st_mode & 0o077 == 0:
            return real
        raise Misconfigured("others than its owner may read the folder", hint="chmod 700, or name a new folder")
    raise Misconfigured("the folder cannot be made", hint="name one in a folder of yours")


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone may read, in place of one that is there, which is not followed if it is a link.

    Raises:
        Unavailable: the disk is full.
    """
    beside = path.with_name(f".{secrets.token_hex(8)}")
    full = False
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        os.replace(beside, path)
    except OSError as error:
        full = error.errno in FULL
        beside.unlink(missing_ok=True)
        if not full:
            raise
    if full:
        raise Unavailable("the disk is full", hint="make room, and run the same command again")


def _drawn(entry: Reviewed) -> tuple[Region, ...]:
    """The boxes of the decision that is in force."""
    last = entry.decided[-1].ruling if entry.decided else None
    return last.boxes if last is not None and last.kind is RulingKind.MASK else ()


def _pages(
    instance: Instance, rules: policy.Rules, drawn: Sequence[Region], found: list[draw.Box]
) -> "Iterator[list[Image.Image]]":
    """Tiles of all frames in all renderings, as many as a sheet takes; what is found on them is added to `found`."""
    own, device = identifiers.collect(instance), devices.known(instance)
    known = classes.known_regions(instance, rules, device)
    seen_by_person = bool(drawn) or classes.is_distrusted(instance, rules)
    likely = bool(known) or seen_by_person or classes.text_is_likely(instance, classes.iod_of(instance), device)
    engine, _ = rules.burned_in_text.engines
    count = instance.text("NumberOfFrames").strip() or "1"
    page: list[Image.Image] = []
    for number, frame in enumerate(read.frames(instance)):
        seen = burned_in.look(instance, [frame], own, engine=engine, likely=likely).texts
        marked = [draw.Box(text.region, text.kind.value) for text in seen]
        marked += [draw.Box(region, "known") for region in known] + _on(drawn, number)
        boxes = draw.in_order(replace(box, region=replace(box.region, frame=number)) for box in marked)
        found += boxes
        tiles = _tiles(instance, frame, f"frame {number + 1} of {count}", boxes)
        alone = count == "1" and len(tiles) == 1
        for place, tile in enumerate(tiles):
            # Once a frame, and again where it goes on on another sheet.
            page.append(draw.tile(replace(tile, listed=place == 0 or not page), alone=alone))
            if len(page) == draw.ACROSS * draw.DOWN:
                yield page
                page = []
    if page:
        yield page


def _on(drawn: Iterable[Region], number: int) -> list[draw.Box]:
    return [draw.Box(box, box.detector) for box in drawn if box.frame in (None, number)]


def _tiles(instance: Instance, frame: rendering.Frame, title: str, boxes: tuple[draw.Box, ...]) -> list[draw.Tile]:
    """One for each rendering: what one window hides another shows."""
    pictures = [rendering.as_colours(picture) for picture in rendering.render(instance, frame)]
    titles = [title, *(f"{title}, rendering {number}" for number in range(2, len(pictures) + 1))]
    return [draw.Tile(title, picture, boxes) for title, picture in zip(titles, pictures, strict=True)]
