"""The images that tools are shown, written as files with their answer key.

Backgrounds are real images without text, from the collection beside the checkout and from the pydicom package.
Every file is uncompressed and holds what one decoded file holds, so that every tool can read it.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import grounds, planted
from tests.benchmarks.grounds import Frame, Ground, Wanted
from tests.benchmarks.planted import Words
from tests.benchmarks.scoring import Box, Case, Kind, Line
from tests.phantoms.archive import PEOPLE
from tests.phantoms.bundled import capture, save

SEED = 20261126

LARGE, SMALL = (8, 9, 10, 12, 14, 18, 24, 40), (5, 6, 7)
"""Rows of ink of planted lines, in turn; those of one frame are five large ones and three small ones."""
TRAITS = ("plain", "plain", "turned", "faint", "outlined", "cut")
SLICES = {"CT": 512, "MR": 256}
"""Sides of the slices of a series."""
TURN, GROW, SHIFT = 6.0, 0.2, 0.02
"""Degrees, and shares of the side, by which the first and last slices differ from the one in the middle."""
NOISE = 0.004
"""Deviation of the noise in each slice, as a share of the range."""
IN_ONE = 3
"""Lines in the one slice of a series that has some."""


def lines(folder: Path, count: int) -> list[Case]:
    """Frames with planted lines of an invented person, every second one with clutter."""
    rng = np.random.default_rng(SEED)
    scripts = planted.foreign()
    cases = []
    source = grounds.clean_again(rng, Wanted(smallest=200, largest=3000, plain=True))
    for number, ground in enumerate(islice(source, count)):
        frame = grounds.window(ground.frame, 640, rng)
        if number % 2:
            frame = planted.clutter(frame, rng, inverted=ground.inverted)
        said = planted.captions(PEOPLE[number % len(PEOPLE)])
        every = [
            Words(
                said[(number + at) % len(said)],
                planted.faces()[(number * 3 + at) % len(planted.faces())],
                LARGE[(number + at) % len(LARGE)] if at < 5 else SMALL[(number + at) % len(SMALL)],
                TRAITS[(number + at) % len(TRAITS)] if at < 5 else "plain",
            )
            for at in range(8)
        ]
        if scripts:
            text, face = scripts[number % len(scripts)]
            every.append(Words(text, face, 14, "other script"))
        # the longest first: they need most room
        every.sort(key=lambda words: -words.height * len(words.text))
        frame, made = planted.plant(frame, every, rng, inverted=ground.inverted)
        name = f"{number:03}.dcm"
        pixels = grounds.write(folder, name, ground, [frame], person=number)
        cases.append(Case(name, tuple(made), pixels, "clutter" if number % 2 else "bare"))
    return cases


def phantoms(folder: Path) -> list[Case]:
    """Captures with the captions of the invented people, as leak cases have them."""
    cases = []
    for number, person in enumerate(PEOPLE):
        ds, bare = (capture(person, "bench", size=(256, 512)[number % 2], caption=said) for said in (None, " "))
        name = f"{number:03}.dcm"
        folder.mkdir(parents=True, exist_ok=True)
        save(ds, folder / name)
        ink = (ds.pixel_array > 200) & (bare.pixel_array <= 200)
        cases.append(Case(name, tuple(_rows_of(ink)), ink.size, "phantom"))
    return cases


def _rows_of(ink: NDArray[np.bool_]) -> Iterator[Line]:
    """A line for each block of rows with ink."""
    rows = np.flatnonzero(ink.any(axis=1))
    for block in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
        columns = np.flatnonzero(ink[block[0] : block[-1] + 1].any(axis=0))
        box = Box(0, int(columns[0]), int(block[0]), int(columns[-1]) + 1, int(block[-1]) + 1)
        yield Line(box, Kind.IDENTIFIER, "phantom")


def real(folder: Path, count: int) -> list[Case]:
    """Real images with text, at the frame of which the boxes are known; evenly spread if they are not all."""
    known = sorted(grounds.boxes().items())
    cases = []
    for number, (path, said) in enumerate(_spread(known, count)):
        frame = said[0].box.frame
        ground = grounds.load(grounds.CORPUS / path, path, frame=frame) if (grounds.CORPUS / path).is_file() else None
        if ground is None:
            continue
        name = f"{number:03}.dcm"
        shown = tuple(line._replace(box=line.box._replace(frame=0)) for line in said if line.box.frame == frame)
        pixels = grounds.write(folder, name, ground, [ground.frame])
        cases.append(Case(name, shown, pixels, path))
    return cases


def _spread(every: Sequence[Any], count: int) -> list[Any]:
    picked = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int) if every else []
    return [every[number] for number in picked]


def clean(folder: Path, count: int) -> list[Case]:
    """Real images without text, one frame each, kinds of image in turn."""
    cases = []
    for number, ground in enumerate(islice(grounds.clean(np.random.default_rng(SEED + 1)), count)):
        name = f"{number:03}.dcm"
        cases.append(Case(name, (), grounds.write(folder, name, ground, [ground.frame]), ground.name))
    return cases


def markers(folder: Path, count: int) -> list[Case]:
    """Real images with two clinical markers each and, apart from them, a line that identifies."""
    rng = np.random.default_rng(SEED + 2)
    cases = []
    source = grounds.clean_again(rng, Wanted(smallest=380, largest=3000, plain=True))
    for number, ground in enumerate(islice(source, count)):
        frame = grounds.window(ground.frame, 640, rng)
        texts = [planted.MARKERS[(2 * number + at) % len(planted.MARKERS)] for at in range(2)]
        faces = [face for face in planted.faces() if face != "bitmap"]
        half = frame.shape[0] // 2
        above, made = planted.plant(
            frame[: half - 40],
            [
                Words(text, faces[(number + at) % len(faces)], (16, 20, 26)[number % 3], kind=Kind.MARKER)
                for at, text in enumerate(texts)
            ],
            rng,
            inverted=ground.inverted,
        )
        name_line = Words(planted.captions(PEOPLE[number % len(PEOPLE)])[0], faces[number % len(faces)], 14)
        below, named = planted.plant(frame[half + 40 :], [name_line], rng, inverted=ground.inverted)
        frame = np.concatenate([above, frame[half - 40 : half + 40], below])
        moved = [line._replace(box=_down(line.box, half + 40)) for line in named]
        file = f"{number:03}.dcm"
        pixels = grounds.write(folder, file, ground, [frame], person=number)
        cases.append(Case(file, (*made, *moved), pixels, "markers"))
    return cases


def _down(box: Box, rows: int) -> Box:
    return box._replace(top=box.top + rows, bottom=box.bottom + rows)


def sized(folder: Path, side: int, count: int) -> list[Case]:
    """Real images without text, brought to `side` squared: the middle of larger ones, smaller ones enlarged."""
    rng = np.random.default_rng(SEED + 3)
    cases = []
    source = grounds.clean_again(rng, Wanted(smallest=min(side // 2, 1000), plain=True))
    for number, ground in enumerate(islice(source, count)):
        frame = grounds.square(ground.frame, side)
        # what comes again because the collection is small is turned, so that nobody remembers it
        frame = np.ascontiguousarray(np.rot90(frame, number))
        name = f"{number:03}.dcm"
        cases.append(Case(name, (), grounds.write(folder, name, ground, [frame]), f"{side}"))
    return cases


def stack(modality: str, count: int) -> tuple[Ground, list[Frame]]:
    """A series of slices without text: a real one, moved, turned and scaled a little from each to the next, with noise.

    Raises:
        LookupError: there is no real slice of this kind.
    """
    rng = np.random.default_rng(SEED + 4)
    side = SLICES[modality]
    found = grounds.clean(rng, Wanted(smallest=side, largest=1024, modality=modality, plain=True))
    ground = next((ground for ground in found if ground.frame.ndim == 2), None)
    if ground is None:
        raise LookupError(f"no slices of {modality}")
    whole = grounds.square(ground.frame, side).astype(np.float32)
    low, high = float(whole.min()), float(whole.max())
    slices = []
    for part in np.linspace(-1, 1, count):
        turn = cv2.getRotationMatrix2D((side / 2, side / 2), TURN * part, 1 + GROW * part**2)
        turn[:, 2] += part * SHIFT * side
        moved = cv2.warpAffine(whole, turn, (side, side), borderValue=low)
        noisy = moved + rng.normal(0, NOISE * (high - low), moved.shape)
        slices.append(np.clip(np.round(noisy), low, high).astype(ground.frame.dtype))
    return ground, slices


def series(folder: Path, modality: str, count: int) -> list[Case]:
    """A series without text: CT as files of one slice, MR as one file of many frames."""
    ground, slices = stack(modality, count)
    if modality == "MR":
        return [Case("all.dcm", (), grounds.write(folder, "all.dcm", ground, slices), modality, count)]
    return [
        Case(f"{number:03}.dcm", (), grounds.write(folder, f"{number:03}.dcm", ground, [one]), modality)
        for number, one in enumerate(slices)
    ]


def one_slice(whole: Path, alone: Path, count: int, times: int) -> tuple[list[Case], list[Case]]:
    """Series of `count` slices in one file, one slice of which has text, and the same slices alone."""
    rng = np.random.default_rng(SEED + 5)
    series_of, slices_of = list[Case](), list[Case]()
    for modality in SLICES:
        ground, slices = stack(modality, count)
        for number in range(times):
            at = int(rng.integers(count))
            said = planted.captions(PEOPLE[number % len(PEOPLE)])
            faces = planted.faces()
            every = [
                Words(said[(number + n) % len(said)], faces[(number + n) % len(faces)], LARGE[(number + n) % 5])
                for n in range(IN_ONE)
            ]
            frame, made = planted.plant(slices[at], every, rng, number=at, inverted=ground.inverted)
            name = f"{modality}{number:02}.dcm"
            frames = [*slices[:at], frame, *slices[at + 1 :]]
            series_of.append(
                Case(name, tuple(made), grounds.write(whole, name, ground, frames, person=number), modality)
            )
            shown = tuple(line._replace(box=line.box._replace(frame=0)) for line in made)
            slices_of.append(Case(name, shown, grounds.write(alone, name, ground, [frame], person=number), modality))
    return series_of, slices_of
