"""Whatever a frame holds, its pictures show what differs in it, the same for every way of storing it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataset import Dataset

from governance import read
from governance.detect import rendering
from governance.errors import Refused
from tests.detect.test_burned_in import image
from tests.scrub.build import saved

WINDOW = {"WindowCenter": "100", "WindowWidth": "50"}
GREY = {"MONOCHROME1": True, "MONOCHROME2": False}


@st.composite
def frames(draw: st.DrawFn) -> np.ndarray:
    """Grey frames with a few different values of their whole range."""
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", "i2", "u4", "i4", "f4"])))
    every = st.floats(-1e6, 1e6, width=32) if dtype.kind == "f" else st.integers(*limits(dtype))
    few = draw(st.lists(every, min_size=1, max_size=4))
    return draw(arrays.arrays(dtype, (6, 9), elements=st.sampled_from(few), fill=st.nothing()))


def limits(dtype: np.dtype) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def pictures(frame: np.ndarray, **header: object) -> np.ndarray:
    """The views of a frame, with the header of an image that has these attributes."""
    return rendering.views(saved(image(np.zeros((6, 9), np.uint16), **header)), frame)


@given(frame=frames(), photometric=st.sampled_from(sorted(GREY)))
def test_the_whole_range_is_shown_from_black_to_white_in_its_order(frame: np.ndarray, photometric: str) -> None:
    views = pictures(frame, PhotometricInterpretation=photometric)

    order = np.argsort(frame, axis=None, kind="stable")
    shown = views[0].ravel()[order].astype(int)
    assert views.shape == (4, 6, 9)
    assert np.array_equal(views[0], views[1])
    assert (np.diff(-shown if GREY[photometric] else shown) >= 0).all()
    if frame.min() < frame.max():
        assert {views[0].min(), views[0].max()} <= {0, 1, 254, 255}
        assert views[0].max() - views[0].min() >= 254


@given(frame=frames())
def test_any_two_values_differ_in_a_view_of_ranks(frame: np.ndarray) -> None:
    ranks = pictures(frame)[2]

    order = np.argsort(frame, axis=None, kind="stable")
    assert (np.diff(ranks.ravel()[order].astype(int)) >= 0).all()
    values, counts = np.unique(frame, return_counts=True)
    if len(values) == 2 and frame.dtype.kind in "iu" and frame.itemsize <= 2:
        low, high = (int(ranks[frame == value][0]) for value in values)
        assert high - low >= 100
    assert len(np.unique(ranks)) <= len(counts)


@given(frame=arrays.arrays(np.int16, (5, 7)))
def test_signed_and_unsigned_values_look_alike(frame: np.ndarray) -> None:
    unsigned = (frame.astype(np.int32) + (1 << 15)).astype(np.uint16)

    assert np.array_equal(pictures(frame), pictures(unsigned))


def test_a_step_of_one_in_empty_ground_is_seen_near_it_alone() -> None:
    frame = np.full((6, 9), 100, np.uint16)
    frame[0], frame[3, 3] = 65_535, 101

    views = pictures(frame)

    assert views[0][3, 3] == views[0][3, 4]
    assert int(views[3][3, 3]) - int(views[3][3, 4]) >= 40


def test_the_default_window_is_a_view() -> None:
    frame = np.tile(np.arange(9, dtype=np.uint16) * 25, (6, 1))

    views = pictures(frame, **WINDOW)

    assert views[1][0].tolist()[:4] == [0, 0, 0, 0]
    assert views[1][0].tolist()[5:] == [255, 255, 255, 255]
    assert not np.array_equal(views[0], views[1])


@pytest.mark.parametrize(("window", "views"), [({}, 4), (WINDOW, 8)])
def test_of_a_palette_with_a_window_every_view_beside_the_next_is_seen(window: dict[str, str], views: int) -> None:
    frame = np.tile(np.arange(9, dtype=np.uint8) * 25, (6, 1))

    seen = rendering.views(saved(coloured(frame, **window)), frame)

    colours = seen[1]
    assert seen.shape == (views, 6, 9)
    assert colours[0].tolist() == [255 - 25 * at for at in range(9)]
    if window:
        assert np.array_equal(seen[4], colours)
        assert seen[5][0].tolist()[:4] == [0, 0, 0, 0]


def coloured(frame: np.ndarray, **header: object) -> Dataset:
    """An image whose palette turns every grey around."""
    ds = image(frame, PhotometricInterpretation="PALETTE COLOR", **header)
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        table = (np.arange(256, dtype="<u2")[::-1] * 257).tobytes()
        setattr(ds, f"{colour}PaletteColorLookupTableData", table)
    return ds


def test_blue_on_black_is_bright() -> None:
    blue = np.zeros((6, 9, 3), np.uint8)
    blue[:, :, 0] = 255

    assert rendering.grey(blue).min() >= 127


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(np.zeros((6, 9, 2), np.uint8), id="two samples"),
        pytest.param(np.zeros((0, 9), np.uint8), id="no rows"),
        pytest.param(np.full((6, 9), np.nan, np.float32), id="no numbers"),
    ],
)
def test_what_cannot_be_shown_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(Refused, match="cannot be looked at"):
        pictures(frame)


def test_no_picture_is_shown_twice() -> None:
    flat = image(np.full((40, 40), 7, np.uint16))
    instance = saved(flat)

    assert len(list(rendering.render(instance, next(read.frames(instance))))) == 1
