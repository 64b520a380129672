"""Masked rectangles are black on the screen, and nothing else of a frame changes."""

from struct import pack

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space

from governance.datatypes import Region
from governance.errors import Refused
from governance.scrub import regions
from tests.scrub.build import dataset, saved

edges = st.integers(-5, 60)
GREY = numpy.random.default_rng(1).integers(100, 4000, (32, 48), "uint16")
COLOUR = numpy.random.default_rng(2).integers(40, 200, (32, 48, 3), "uint8")


def region(left, top, right, bottom):
    return Region(left, top, right, bottom, 0, "test", 1.0)


def instance(photometric, pixels=GREY, **changes):
    bits = {"BitsAllocated": pixels.itemsize * 8, "BitsStored": pixels.itemsize * 8, "HighBit": pixels.itemsize * 8 - 1}
    colour = {"SamplesPerPixel": 3, "PlanarConfiguration": 0} if pixels.ndim == 3 else {}
    return saved(dataset(pixels, PhotometricInterpretation=photometric, **(bits | colour | changes)))


@settings(max_examples=60, deadline=None)
@given(left=edges, top=edges, right=edges, bottom=edges)
def test_only_the_rectangle_changes_and_the_frame_given_does_not(left, top, right, bottom):
    before = GREY.copy()
    masked = regions.mask(instance("MONOCHROME2"), before, [region(left, top, right, bottom)])
    inside = numpy.zeros(GREY.shape, bool)
    for row in range(32):
        for column in range(48):
            inside[row, column] = top <= row < bottom and left <= column < right
    assert numpy.array_equal(before, GREY)
    assert numpy.array_equal(masked[~inside], GREY[~inside])
    assert (masked[inside] == GREY.min()).all()


@pytest.mark.parametrize(
    ("photometric", "pixels", "black"),
    [
        pytest.param("MONOCHROME2", GREY, GREY.min(), id="MONOCHROME2: the smallest value"),
        pytest.param("MONOCHROME1", GREY, GREY.max(), id="MONOCHROME1: the largest value"),
        pytest.param("MONOCHROME2", GREY.astype("int16") - 2000, int(GREY.min()) - 2000, id="signed"),
        pytest.param("RGB", COLOUR, (0, 0, 0), id="RGB"),
        pytest.param("YBR_FULL", COLOUR, (0, 128, 128), id="YBR_FULL: without colour"),
        pytest.param("YBR_FULL", COLOUR.astype("uint16") << 8, (0, 32768, 32768), id="YBR_FULL of 16 bits"),
        pytest.param("YBR_RCT", COLOUR, (0, 0, 0), id="YBR_RCT: decoders give RGB"),
    ],
)
def test_black_is_what_a_screen_shows_black(photometric, pixels, black):
    signed = {"PixelRepresentation": 1} if pixels.dtype.kind == "i" else {}
    masked = regions.mask(instance(photometric, pixels, **signed), pixels, [region(3, 4, 9, 11)])
    assert (masked[4:11, 3:9] == numpy.array(black)).all()
    assert masked.dtype == pixels.dtype


def test_black_of_full_range_colour_is_black_in_rgb():
    masked = regions.mask(instance("YBR_FULL", COLOUR), COLOUR, [region(0, 0, 48, 32)])
    assert not convert_color_space(masked, "YBR_FULL", "RGB").any()


@pytest.mark.parametrize("first", [0, 10])
def test_black_of_a_palette_is_its_darkest_colour(first):
    table = numpy.random.default_rng(3).integers(20000, 60000, (3, 16), "uint16")
    table[:, 11] = 300
    changes = {}
    for name, row in zip(("Red", "Green", "Blue"), table, strict=True):
        changes[f"{name}PaletteColorLookupTableDescriptor"] = [16, first, 16]
        changes[f"{name}PaletteColorLookupTableData"] = pack("<16H", *row)
    indices = numpy.full((32, 48), first + 2, "uint8")
    masked = regions.mask(instance("PALETTE COLOR", indices, **changes), indices, [region(0, 0, 5, 5)])
    shown = Dataset()
    for keyword, value in changes.items():
        setattr(shown, keyword, value)
    assert (apply_color_lut(masked, shown)[:5, :5] == 300).all()


def test_single_bits_and_unknown_colours_are_refused():
    with pytest.raises(Refused, match="one bit"):
        regions.mask(instance("MONOCHROME2", BitsAllocated=1, BitsStored=1, HighBit=0), GREY, [region(0, 0, 5, 5)])
    with pytest.raises(Refused, match="no known black"):
        regions.mask(instance("CMYK"), GREY, [region(0, 0, 5, 5)])
