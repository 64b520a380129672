"""Pictures without text, taken from real images: what the network must stay silent on.

    python -m infra.models.burned_in.backgrounds IMAGES OUT.npz

IMAGES is a folder with INDEX.csv, whose column `burned_in_text` says which images show none.
"""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from governance import read
from governance.detect import rendering
from governance.errors import Refused

MISLABELLED = ("dcm4che__test16signed", "mlut_18", "vlut_04", "signed-raw-9bit", "JPEGwithIcon")
"""Parts of the names of images that the index says show no text, and that do."""
FRAMES, PICTURES, SIDE = 6, 3, 1024
"""Frames of an image, pictures of a frame, and the side that pictures are cut to, at most."""
DEEP, DEEP_SIDE, DEEP_FRAMES = 1000, 512, 1
"""A frame with more different levels is taken as levels too: of so many frames of an image, cut to this side."""


def main(images: Path, out: Path) -> None:
    """Write every usable picture, named by its file."""
    found: dict[str, np.ndarray] = {}
    known: set[bytes] = set()
    with (images / "INDEX.csv").open() as index:
        rows = [row for row in csv.DictReader(index) if row["burned_in_text"] == "no"]
    for row in rows:
        if any(part in row["path"] for part in MISLABELLED):
            continue
        for number, picture in enumerate(_pictures(images / row["path"])):
            small = cv2.resize(picture, (12, 12), interpolation=cv2.INTER_AREA)
            thumbnail = small // (16 if picture.dtype == np.uint8 else 4096)
            if thumbnail.tobytes() not in known:  # the same image in another transfer syntax
                known.add(thumbnail.tobytes())
                found[f"{Path(row['path']).name}#{number}"] = picture
        print(f"\r{len(found)} pictures", end="", file=sys.stderr)
    np.savez_compressed(out, **found)


def _levels(frame: np.ndarray) -> np.ndarray:
    """16 bits from the lowest to the highest value."""
    low, high = float(frame.min()), float(frame.max())
    return ((frame.astype(np.float64) - low) / max(high - low, 1) * 65535).astype(np.uint16)


def _pictures(path: Path) -> list[np.ndarray]:
    """Grey pictures of a few frames, in the renderings in which they would be looked at, and levels."""
    pictures: list[np.ndarray] = []
    try:
        instance = read.parse(path.read_bytes())
        frames = list(read.frames(instance))
        step = max(1, len(frames) // FRAMES)
        for number, frame in enumerate(frames[::step][:FRAMES]):
            if frame.ndim == 2 and number < DEEP_FRAMES and len(np.unique(frame)) > DEEP:
                pictures.append(_levels(frame[:DEEP_SIDE, :DEEP_SIDE]))
            for picture in list(rendering.render(instance, frame))[:PICTURES]:
                gray = rendering.grey(picture[:SIDE, :SIDE])
                if min(gray.shape) >= 32 and gray.std() > 1:
                    pictures.append(gray)
    except (Refused, ValueError, OSError, NotImplementedError, RuntimeError) as error:
        print(f"\n{path.name}: {type(error).__name__}", file=sys.stderr)
    return pictures


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
