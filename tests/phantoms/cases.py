"""The 56 leak cases, by number: each has leaked from a real tool.

A case is right if none of its markers is anywhere in what was written, under the policy
that is asked for; `strict` ones count under `basic` alone. Cases in pixels have inks as
well, which must not be legible in what was published.
"""

import io
import warnings

import numpy
import pydicom

from tests.phantoms import container, documents, nested, pixels, plant, private, texts
from tests.phantoms.plot import LeakCase

CASES: dict[int, LeakCase] = {
    case.number: case for module in (container, texts, nested, private, pixels, documents) for case in module.CASES
}


def legible(ink: plant.Ink, before: bytes, after: bytes, *, share: float = 0.25) -> bool:
    """Whether a drawn text still stands out in a published file.

    It does if its strokes differ from what is around them by more than `share` of what they
    did before. before, after: the file as built, and as published.
    """
    was, now = (_contrast(ink, data) for data in (before, after))
    return bool(now > share * was)


def _contrast(ink: plant.Ink, data: bytes) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(data))
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            dataset.decompress(as_rgb=False)
    rows, columns = ink.mask.shape
    box = plant.pixels(dataset)[ink.frame, ink.row : ink.row + rows, ink.column : ink.column + columns]
    values = box.astype(float).mean(axis=-1)
    return abs(float(numpy.mean(values[ink.mask]) - numpy.mean(values[~ink.mask])))
