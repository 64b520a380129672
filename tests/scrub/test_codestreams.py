"""No marker segment, box or gap of a codestream holds what its decoder does not read."""

from contextlib import suppress
from struct import pack, unpack_from

import numpy
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless, RLELossless

from governance import read
from governance.errors import Refused
from governance.scrub import containers
from tests.scrub.build import (
    HIDDEN,
    MARKER,
    PIXELS,
    cleaned_and_compared,
    dataset,
    jpeg,
    jpeg_2000,
    jpeg_2000_instance,
    jpeg_instance,
    rewritten,
    saved,
    segment,
)

# ------------------------------------------------------------ JPEG and JPEG-LS


@pytest.mark.parametrize("label", HIDDEN)
def test_nothing_hides_in_a_jpeg_frame(label):
    _, dropped = cleaned_and_compared(jpeg_instance(HIDDEN[label](jpeg())))
    assert dropped == label


@pytest.mark.parametrize("marker", [0xC0, 0xC4, 0xDA, 0xDB])
def test_a_jpeg_segment_that_holds_more_than_it_says_is_refused(marker):
    frame = jpeg()
    place = frame.index(bytes([0xFF, marker])) + 2
    length = int.from_bytes(frame[place : place + 2])
    longer = pack(">H", length + len(MARKER)) + frame[place + 2 : place + length] + MARKER + frame[place + length :]
    with pytest.raises(Refused, match="does not parse"):
        containers.clean(jpeg_instance(frame[:place] + longer))


@pytest.mark.parametrize("marker", [0x01, 0x02, 0xBF, 0xCC, 0xDC, 0xDD, 0xDE, 0xDF])
def test_text_in_a_jpeg_segment_that_holds_numbers_is_refused(marker):
    with pytest.raises(Refused, match="does not parse"):
        containers.clean(jpeg_instance(jpeg()[:2] + segment(marker, MARKER + b"!") + jpeg()[2:]))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLSNearLossless])
def test_nothing_hides_in_a_jpeg_ls_frame(syntax):
    ds = dataset()
    ds.compress(JPEGLSLossless)
    frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    assert containers.clean(saved(dataset(encapsulate([frame]), syntax=syntax))) is None
    hidden = frame[:2] + segment(0xF9, MARKER) + frame[2:]
    _, dropped = cleaned_and_compared(saved(dataset(encapsulate([hidden]), syntax=syntax)))
    assert dropped == "reserved segment"
    palette = frame[:2] + segment(0xF8, b"\2\1\1" + MARKER) + frame[2:]
    with pytest.raises(Refused, match="does not parse"):
        containers.clean(saved(dataset(encapsulate([palette]), syntax=syntax)))


def test_a_clean_jpeg_frame_stays_as_it_is():
    assert containers.clean(jpeg_instance(jpeg())) is None
    assert containers.clean(jpeg_instance(jpeg(progressive=True))) is None


def test_a_jfif_thumbnail_is_dropped_and_its_size_with_it():
    thumbnail = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2" + MARKER + bytes(2))
    after, _ = cleaned_and_compared(jpeg_instance(jpeg()[:2] + thumbnail + jpeg()[20:]))
    assert b"JFIF\0\1\1\0\0\1\0\1\0\0" in bytes(after.buffer)


@pytest.mark.parametrize("stop", [1, 3, 30, 200])
def test_a_jpeg_frame_that_breaks_off_before_its_scan_is_refused(stop):
    with pytest.raises(Refused, match="does not parse") as caught:
        containers.clean(jpeg_instance(jpeg()[:stop]))
    assert caught.value.__context__ is None


# ------------------------------------------------------------------- JPEG 2000


def test_nothing_hides_in_a_jpeg_2000_codestream():
    frame = jpeg_2000()
    comment = b"\0\1" + MARKER
    for hidden in (
        with_main_segment(frame, 0xFF64, comment),
        with_tile_segment(frame, 0xFF64, comment),
        frame.rstrip(b"\0") + MARKER,
    ):
        cleaned_and_compared(jpeg_2000_instance(hidden))


def j2k_segment(marker, content):
    return pack(">HH", marker, len(content) + 2) + content


def with_main_segment(frame, marker, content):
    place = 4 + int.from_bytes(frame[4:6])
    return frame[:place] + j2k_segment(marker, content) + frame[place:]


def with_tile_segment(frame, marker, content):
    tile, data, new = frame.index(b"\xff\x90\x00\x0a"), frame.index(b"\xff\x93"), j2k_segment(marker, content)
    size = int.from_bytes(frame[tile + 6 : tile + 10]) + len(new)
    return frame[: tile + 6] + pack(">I", size) + frame[tile + 10 : data] + new + frame[data:]


PACKET_HEADERS = {0xFF60, 0xFF61}
"""PPM and PPT are part of the image, and as dense as the data itself."""


@settings(max_examples=100, deadline=None)
@given(
    marker=st.one_of(st.integers(0xFF4F, 0xFF7F), st.integers(0, 0xFFFF)).filter(lambda m: m not in PACKET_HEADERS),
    place=st.sampled_from([with_main_segment, with_tile_segment]),
)
def test_text_survives_in_no_marker_segment(marker, place):
    instance = jpeg_2000_instance(place(jpeg_2000(), marker, MARKER * 3))
    with suppress(Refused):
        assert MARKER not in containers.clean(instance).value


@pytest.mark.parametrize("marker", [0xFF55, 0xFF57, 0xFF63, 0xFF74, 0xFF77])
def test_marker_segments_that_decoding_does_not_need_are_dropped(marker):
    instance = jpeg_2000_instance(with_main_segment(jpeg_2000(), marker, MARKER))
    after = rewritten(instance, containers.clean(instance))
    numpy.testing.assert_array_equal(next(read.frames(after)), PIXELS)
    assert MARKER not in bytes(after.buffer)


def test_packet_lengths_of_a_tile_part_are_dropped():
    _, dropped = cleaned_and_compared(jpeg_2000_instance(with_tile_segment(jpeg_2000(), 0xFF58, MARKER)))
    assert dropped == "COM,marker segment"


@pytest.mark.parametrize("marker", [0xFF51, 0xFF52, 0xFF5C])
def test_a_marker_segment_that_holds_more_than_it_says_is_refused(marker):
    frame = jpeg_2000()
    place = frame.index(pack(">H", marker)) + 2
    length = int.from_bytes(frame[place : place + 2])
    longer = pack(">H", length + 200) + frame[place + 2 : place + length] + MARKER * 20 + frame[place + length :]
    with pytest.raises(Refused, match="does not parse"):
        containers.clean(jpeg_2000_instance(frame[:place] + longer))


def test_a_table_of_tile_part_lengths_stays_true():
    after, _ = cleaned_and_compared(jpeg_2000_instance(jpeg_2000()))
    frame = bytes(after.buffer[slice(*after.fragments[1])]).rstrip(b"\0")
    size = int.from_bytes(frame[frame.index(b"\xff\x90\x00\x0a") + 6 :][:4])
    table = pack(">BBHI", 0, 0x60, 0, size)
    listed = with_main_segment(frame, 0xFF55, table)
    assert containers.clean(jpeg_2000_instance(listed)) is None
    after, _ = cleaned_and_compared(jpeg_2000_instance(with_tile_segment(listed, 0xFF64, b"\0\1" + MARKER)))
    assert listed in bytes(after.buffer)


def test_a_tile_part_without_a_length_runs_to_the_end_of_the_codestream():
    frame = jpeg_2000().rstrip(b"\0")
    place = frame.index(b"\xff\x90\x00\x0a") + 6
    cleaned_and_compared(jpeg_2000_instance(frame[:place] + bytes(4) + frame[place + 4 :] + MARKER))


def test_only_the_boxes_that_decoding_needs_stay_in_a_jp2_file():
    def box(kind, content):
        return pack(">I4s", len(content) + 8, kind) + content

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    header = box(b"ihdr", pack(">IIHBBBB", 32, 48, 1, 11, 7, 0, 0)) + box(b"colr", b"\1\0\0" + pack(">I", 17))
    header += box(b"res ", MARKER) + box(b"colr", b"\2\0\0" + profile)
    file = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 " + MARKER + b"  ") + box(b"jp2h", header)
    file += box(b"xml ", MARKER) + box(b"jp2c", jpeg_2000().rstrip(b"\0")) + box(b"uuid", MARKER)
    after, dropped = cleaned_and_compared(jpeg_2000_instance(file))
    assert dropped == "COM,ICC text,after end,box"
    assert "sRGB".encode("utf-16-be") not in bytes(after.buffer)


# ------------------------------------------------------------------------- RLE


def rle():
    ds = dataset()
    ds.compress(RLELossless)
    return next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))


def rle_instance(frame):
    return saved(dataset(encapsulate([frame]), syntax=RLELossless))


def test_a_clean_rle_frame_stays_as_it_is():
    assert containers.clean(rle_instance(rle())) is None


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_bytes_around_rle_segments_are_dropped(segment):
    frame = rle()
    places = [*unpack_from("<2I", frame, 4), len(frame)]
    moved = [place + len(MARKER) * (place >= places[segment]) for place in places[:2]]
    hidden = pack("<3I", 2, *moved) + frame[12 : places[segment]] + MARKER + frame[places[segment] :]
    after, dropped = cleaned_and_compared(rle_instance(hidden))
    assert dropped == "outside segments"
    assert frame in bytes(after.buffer)


def rle_of(values, **changes):
    """RLE of all sixteen bits, whatever the header says about them."""
    ds = dataset(values, BitsStored=16, HighBit=15)
    ds.compress(RLELossless, generate_instance_uid=False)
    for keyword, value in {"BitsStored": 12, "HighBit": 11, **changes}.items():
        setattr(ds, keyword, value)
    return saved(ds)


@given(place=st.integers(0, PIXELS.size - 1), bit=st.integers(12, 15))
def test_bits_above_the_stored_ones_of_rle_samples_are_refused(place, bit):
    hidden = PIXELS.copy()
    hidden.flat[place] |= 1 << bit
    with pytest.raises(Refused, match="above BitsStored"):
        containers.clean(rle_of(hidden))


def test_signed_rle_samples_are_sign_extended_or_not():
    signed = (PIXELS.astype("<i2") - 2048).astype("<i2")
    for values in (signed, signed & 0x0FFF):
        assert containers.clean(rle_of(values.view("<u2"), PixelRepresentation=1)) is None


def test_unused_rle_offsets_are_dropped():
    _, dropped = cleaned_and_compared(rle_instance(rle()[:50] + MARKER + rle()[60:]))
    assert dropped == "RLE header"


def test_a_literal_run_past_the_last_pixel_of_an_rle_segment_ends_with_it():
    hidden = pack("<2I56x", 1, 64) + bytes([1, 7, 9, 1 + len(MARKER), 5, 6]) + MARKER
    four = {"Rows": 2, "Columns": 2, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    cleaned_and_compared(saved(dataset(encapsulate([hidden]), syntax=RLELossless, **four)))


@pytest.mark.parametrize("header", [(1, 64), (2, 64, 60), (2, 32, 64), (3, 64, 100, 200), (2, 64, 1 << 20)])
def test_rle_segments_that_do_not_fit_the_image_are_refused(header):
    with pytest.raises(Refused, match="does not parse"):
        containers.clean(rle_instance(pack(f"<{len(header)}I", *header).ljust(64, b"\0") + rle()[64:]))
