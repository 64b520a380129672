"""Contact sheets show what is in a box, its kind and its place, and hide nothing of it."""

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from governance import draw
from governance.datatypes import Region, TextKind

ROWS, COLUMNS = 40, 60
PICTURE = np.random.default_rng(7).integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)


def tile(*boxes: draw.Box) -> Image.Image:
    return draw.tile(draw.Tile("frame 1 of 1", PICTURE, boxes), alone=False)


def box(left: int, top: int, right: int, bottom: int, kind: str = "unsure") -> draw.Box:
    return draw.Box(Region(left, top, right, bottom, 0, "engine", 1.0), kind)


@settings(max_examples=25)
@given(st.integers(0, COLUMNS - 2), st.integers(0, ROWS - 2), st.integers(1, 30), st.integers(1, 30))
def test_a_box_lies_around_what_it_holds(left: int, top: int, width: int, height: int) -> None:
    right, bottom = min(COLUMNS, left + width), min(ROWS, top + height)
    scale = draw.AMONG // COLUMNS
    inside = tuple(draw.RULER + scale * edge for edge in (left, top, right, bottom))

    bare, boxed = (np.asarray(each.crop(inside)) for each in (tile(), tile(box(left, top, right, bottom))))

    assert np.array_equal(bare, boxed)


def test_the_picture_keeps_its_colours_and_its_pixels() -> None:
    scale = draw.AMONG // COLUMNS
    size = (draw.RULER, draw.RULER, draw.RULER + COLUMNS * scale, draw.RULER + ROWS * scale)

    assert np.array_equal(PICTURE[:, :, ::-1], np.asarray(tile().crop(size))[::scale, ::scale])


def test_every_kind_of_text_has_a_colour_of_its_own() -> None:
    assert {kind.value for kind in TextKind} < set(draw.COLOURS)
    assert len(set(draw.COLOURS.values())) == len(draw.COLOURS)
    for kind, colour in draw.COLOURS.items():
        found = {tuple(pixel) for pixel in np.asarray(tile(box(10, 10, 30, 20, kind))).reshape(-1, 3).tolist()}
        assert colour in found


def test_what_may_identify_is_written_out_before_markers() -> None:
    kinds = ["marker", "identifier", "marker", "person", "unsure", "known", "identifier"]
    found = draw.in_order([box(left, 1, left + 5, 9, kind) for left, kind in enumerate(kinds)])

    assert [each.kind for each in found] == ["identifier", "identifier", "unsure", "person", "known", *["marker"] * 2]
    assert [each.region.left for each in found if each.kind == "identifier"] == [1, 6]


def test_boxes_are_written_out_below_a_picture_or_not() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    boxes = (box(1, 1, 9, 9), box(11, 11, 19, 19))
    tiles = [draw.tile(draw.Tile("frame", picture, boxes, listed=listed), alone=False) for listed in (False, True)]

    assert tiles[1].height - tiles[0].height == 2 * draw.LINE


def test_a_sheet_is_a_png_without_words_in_its_bytes() -> None:
    page = draw.sheet([tile(box(1, 1, 9, 9))] * 4, title="0123456789abcdef  quarantined")

    with Image.open(io.BytesIO(page)) as opened:
        assert opened.format == "PNG"
        assert opened.info == {}
        assert opened.width > 2 * draw.AMONG
