"""Bytes that no decoder reads do not survive, and no decoded pixel changes."""

import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from struct import pack, unpack_from

import numpy
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

import governance
from governance import dicom, read
from governance.datatypes import Element
from governance.errors import Refused
from governance.scrub import containers
from tests.scrub.build import (
    HIDDEN,
    MARKER,
    PIXELS,
    cleaned_and_compared,
    dataset,
    floating,
    jpeg,
    jpeg_instance,
    rewritten,
    saved,
)

ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


# ---------------------------------------------------------------------- native


def test_clean_native_pixels_stay_as_they_are():
    assert containers.clean(saved(dataset())) is None


@settings(max_examples=30, deadline=None)
@given(extra=st.binary(min_size=1, max_size=64).map(lambda extra: extra + MARKER))
def test_bytes_past_the_pixels_are_dropped(extra):
    instance = saved(dataset(PIXELS.tobytes() + extra + bytes(len(extra) % 2)))
    cleaned = containers.clean(instance)
    assert bytes(cleaned.value) == PIXELS.tobytes()
    assert cleaned.steps[0].parameters["dropped"] == "past pixel length"


def test_what_was_done_is_told_by_the_version_that_the_whole_program_tells(monkeypatch):
    """Not by that of an installation, which may be another one or none."""
    monkeypatch.setattr(governance, "__version__", "7.7.7")

    cleaned = containers.clean(saved(dataset(PIXELS.tobytes() + MARKER)))

    assert [step.version for step in cleaned.steps] == ["7.7.7"]


def test_the_pad_byte_of_an_odd_length_becomes_zero():
    odd = {"Rows": 3, "Columns": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    assert bytes(containers.clean(saved(dataset(b"123456789Z", **odd))).value) == b"123456789\0"


def test_bits_behind_the_last_packed_pixel_become_zero():
    packed = {"Rows": 3, "Columns": 3, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    assert bytes(containers.clean(saved(dataset(b"\xff\xff", **packed))).value) == b"\xff\x01"


def test_pixels_that_end_early_are_refused():
    with pytest.raises(Refused, match="shorter than its header says"):
        containers.clean(saved(dataset(PIXELS.tobytes()[:-2])))


def test_subsampled_colour_has_two_samples_a_pixel():
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    colour |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    assert containers.clean(saved(dataset(bytes(32 * 48 * 2), **colour))) is None
    assert containers.clean(saved(dataset(bytes(32 * 48 * 3), **colour))) is None  # mislabelled, but all samples


@settings(max_examples=30, deadline=None)
@given(places=st.sets(st.integers(0, PIXELS.size - 1), min_size=1, max_size=15), bits=st.integers(1, 15))
def test_bits_above_the_stored_ones_are_cleared(places, bits):
    hidden = PIXELS.copy()
    hidden.flat[sorted(places)] |= bits << 12
    after, dropped = cleaned_and_compared(saved(dataset(hidden)))
    assert after.value(after.first(0x7FE00010)) == PIXELS.tobytes()
    assert dropped == "bits above BitsStored"


@pytest.mark.parametrize("kind", ["<u4", "<u8"])
def test_bits_above_the_stored_ones_of_wide_samples_are_cleared(kind):
    bits = 8 * numpy.dtype(kind).itemsize
    wide = PIXELS.astype(kind)
    hidden = wide.copy()
    hidden[4, 7] |= 1 << (bits - 3)
    changes = {"BitsAllocated": bits, "BitsStored": bits - 8, "HighBit": bits - 9}
    assert containers.clean(saved(dataset(wide, **changes))) is None
    assert bytes(containers.clean(saved(dataset(hidden, **changes))).value) == wide.tobytes()


def test_unused_bits_of_packed_samples_are_refused():
    with pytest.raises(Refused, match="packed samples"):
        containers.clean(saved(dataset(bytes(32 * 48 * 12 // 8), BitsAllocated=12, BitsStored=10, HighBit=9)))


def test_many_pixels_with_unused_bits_are_refused_unless_an_overlay_is_declared_there():
    hidden = PIXELS | numpy.uint16(0x8000)
    with pytest.raises(Refused, match="set in many pixels"):
        containers.clean(saved(dataset(hidden)))
    ds = dataset(hidden)
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 15)
    assert bytes(containers.clean(saved(ds)).value) == PIXELS.tobytes()


def test_signed_samples_are_sign_extended():
    signed = (PIXELS.astype("<i2") - 2048).astype("<i2")
    assert containers.clean(saved(dataset(signed, PixelRepresentation=1))) is None
    assert containers.clean(saved(dataset(signed & 0x0FFF, PixelRepresentation=1))) is None
    hidden = signed.copy()
    hidden.flat[5] ^= 0x5000
    cleaned = containers.clean(saved(dataset(hidden, PixelRepresentation=1)))
    assert bytes(cleaned.value) == signed.tobytes()


# -------------------------------------------------------------- floating point


KINDS = pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])


@KINDS
def test_clean_floating_point_pixels_stay_as_they_are(keyword, kind):
    assert containers.clean(floating(PIXELS.astype(kind).tobytes(), keyword)) is None


@KINDS
def test_bytes_past_floating_point_pixels_are_dropped(keyword, kind):
    value = PIXELS.astype(kind).tobytes()
    cleaned = containers.clean(floating(value + MARKER, keyword))
    assert bytes(cleaned.value) == value
    assert cleaned.steps[0].parameters["dropped"] == "past pixel length"


@KINDS
def test_floating_point_pixels_that_end_early_are_refused(keyword, kind):
    with pytest.raises(Refused, match="shorter than its header says"):
        containers.clean(floating(PIXELS.astype(kind).tobytes()[:-4], keyword))


def test_floating_point_pixels_in_fragments_are_refused():
    item = b"\xfe\xff\x00\xe0" + pack("<I", PIXELS.size * 4) + PIXELS.astype("<f4").tobytes()
    with pytest.raises(Refused, match="in fragments"):
        containers.clean(floating(item))


def test_more_than_one_kind_of_pixel_data_is_refused():
    with pytest.raises(Refused, match="more than one kind"):
        containers.clean(saved(dataset(FloatPixelData=PIXELS.astype("<f4").tobytes())))


# ------------------------------------------------------------------ fragments


@pytest.mark.parametrize("has_table", [True, False])
def test_one_dirty_frame_among_several_leaves_the_others_and_the_offsets_true(has_table):
    frames = [jpeg(0), HIDDEN["COM"](jpeg(1)), jpeg(2)]
    instance = jpeg_instance(*frames, PixelData=encapsulate(frames, has_bot=has_table))
    after, _ = cleaned_and_compared(instance)
    start, stop = after.fragments[0]
    expected = [fragment[0] - after.fragments[1][0] for fragment in after.fragments[1:]] if has_table else []
    assert list(unpack_from(f"<{len(expected)}I", after.buffer, start)) == expected
    assert stop - start == 4 * len(expected)


@pytest.mark.parametrize("has_table", [True, False])
def test_frames_in_several_fragments_are_put_together(has_table):
    frames = [jpeg(0), HIDDEN["COM"](jpeg(1))]
    value = encapsulate(frames, fragments_per_frame=3, has_bot=has_table)
    after, _ = cleaned_and_compared(jpeg_instance(*frames, PixelData=value))
    assert len(after.fragments) == 3


def test_extended_offsets_are_written_anew():
    frames = [HIDDEN["APP1"](jpeg(0)), jpeg(1)]
    value, offsets, lengths = encapsulate_extended(frames)
    instance = jpeg_instance(*frames, PixelData=value, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    after, _ = cleaned_and_compared(instance)
    sizes = [stop - start for start, stop in after.fragments[1:]]
    assert unpack_from("<2Q", after.value(after.first(0x7FE00001))) == (0, sizes[0] + 8)
    assert unpack_from("<2Q", after.value(after.first(0x7FE00002))) == tuple(sizes)


def test_an_offset_table_cannot_hold_anything_else():
    value = encapsulate([jpeg()], has_bot=False)
    table = b"\xfe\xff\x00\xe0" + pack("<I", len(MARKER)) + MARKER
    instance = jpeg_instance(jpeg(), PixelData=table + value[8:])
    cleaned = containers.clean(instance)
    assert MARKER not in cleaned.value
    assert cleaned.steps[0].parameters["dropped"] == "offset table"
    for old, new in zip(read.frames(jpeg_instance(jpeg())), read.frames(rewritten(instance, cleaned)), strict=True):
        numpy.testing.assert_array_equal(new, old)


def test_a_fragment_that_no_frame_refers_to_is_dropped():
    frames = [jpeg(0), jpeg(1)]
    stray = b"\xfe\xff\x00\xe0" + pack("<I", len(MARKER)) + MARKER
    value = encapsulate(frames, has_bot=False)
    cleaned = containers.clean(jpeg_instance(*frames, PixelData=value[:8] + stray + value[8:]))
    assert MARKER not in cleaned.value
    assert cleaned.steps[0].parameters["dropped"] == "unreferenced fragment"


def test_frames_that_cannot_be_told_apart_are_refused():
    value = encapsulate([jpeg()], has_bot=False)
    with pytest.raises(Refused, match="cannot be told apart"):
        containers.clean(jpeg_instance(jpeg(), jpeg(), PixelData=value))


# ------------------------------------------------- native frames in containers


def deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def inflate(data):
    return zlib.decompress(data, -zlib.MAX_WBITS)


WRAPPED = {ENCAPSULATED_UNCOMPRESSED: (bytes, bytes), DEFLATED_FRAMES: (deflate, inflate)}


def wrapped_instance(syntax, *frames):
    """Pydicom does not know all of these syntaxes, so the file is made with another one."""
    count = {"NumberOfFrames": len(frames)}
    return replace(saved(dataset(encapsulate(list(frames)), syntax=RLELossless, **count)), transfer_syntax=syntax)


@pytest.mark.parametrize("syntax", WRAPPED)
def test_clean_native_frames_in_a_container_stay_as_they_are(syntax):
    wrap, _ = WRAPPED[syntax]
    assert containers.clean(wrapped_instance(syntax, wrap(PIXELS.tobytes()), wrap(PIXELS.tobytes()))) is None


@pytest.mark.parametrize("syntax", WRAPPED)
def test_nothing_hides_in_native_frames_in_a_container(syntax):
    wrap, unwrap = WRAPPED[syntax]
    high = PIXELS.copy()
    high[3, 5] |= 0x7000
    clean, *dirty = (wrap(PIXELS.tobytes()), wrap(PIXELS.tobytes() + MARKER), wrap(high.tobytes()))
    dirty.append(wrap(PIXELS.tobytes()) + MARKER)
    instance = wrapped_instance(syntax, clean, *dirty)
    after = rewritten(instance, containers.clean(instance))
    frames = [unwrap(bytes(after.buffer[start:stop]).removesuffix(b"\0")) for start, stop in after.fragments[1:]]
    assert frames == [PIXELS.tobytes()] * 4
    assert containers.clean(after) is None


def test_a_deflated_frame_without_an_end_is_refused():
    with pytest.raises(Refused, match="does not parse"):
        containers.clean(wrapped_instance(DEFLATED_FRAMES, deflate(PIXELS.tobytes())[:-2]))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_an_overlay_in_unused_bits_of_compressed_pixels_is_refused(syntax):
    ds = dataset(PIXELS | numpy.uint16(0x8000))
    ds.BitsStored, ds.HighBit = 16, 15
    ds.compress(syntax, generate_instance_uid=False)
    ds.BitsStored, ds.HighBit = 12, 11
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 15)
    with pytest.raises(Refused, match="overlay"):
        containers.clean(saved(ds))


@pytest.mark.parametrize("instance", [saved(dataset()), floating(PIXELS.astype("<f4").tobytes())])
def test_tables_of_offsets_do_not_belong_beside_native_pixels(instance):
    assert containers.stray_tables(instance) == []
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength"):
        tag = dicom.tag_of(keyword)
        elements = (Element(tag, "OV", 0, 0, 8, 8), *instance.elements)
        strays = containers.stray_tables(replace(instance, elements=elements, _index={}))
        assert [tag] == [element.tag for element in strays]


def test_only_the_total_length_is_stray_beside_compressed_pixels():
    value, offsets, lengths = encapsulate_extended([jpeg()])
    tables = {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}
    instance = jpeg_instance(jpeg(), PixelData=value, **tables, EncapsulatedPixelDataValueTotalLength=77)
    assert [element.tag for element in containers.stray_tables(instance)] == [0x7FE00003]


@pytest.mark.parametrize("number", ["4.92", "4.93", "4.110", "4.111", "4.112", "4.77", "9.1"])
def test_compressed_pixels_that_nothing_here_can_look_into_are_refused(number):
    with pytest.raises(Refused, match="this transfer syntax"):
        containers.clean(wrapped_instance(f"1.2.840.10008.1.2.{number}", b"\xff\x0a" + MARKER))


def test_pixels_that_are_not_encoded_as_their_transfer_syntax_says_are_refused():
    for instance, syntax in ((saved(dataset()), JPEGBaseline8Bit), (jpeg_instance(jpeg()), ExplicitVRLittleEndian)):
        with pytest.raises(Refused, match="not encoded as its transfer syntax says"):
            containers.clean(replace(instance, transfer_syntax=syntax))


# ------------------------------------------------------------------ real files


def decoded(instance):
    """Every frame; of pixels that nothing here decodes, why not."""
    try:
        return list(read.frames(instance))
    except Refused as error:
        return str(error)


def test_real_files_keep_their_decoded_pixels_and_mostly_their_bytes():
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    seen = changed = refused = 0
    for path in sorted(folder.glob("*.dcm")):
        if path.stat().st_size > 1_000_000:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                instance = read.parse(path.read_bytes())
            except Refused:
                continue
            seen += 1
            try:
                cleaned = containers.clean(instance)
            except Refused:
                refused += 1
                continue
            if cleaned is not None:
                changed += 1
                after = rewritten(instance, cleaned)
                assert containers.clean(after) is None
                numpy.testing.assert_equal(decoded(after), decoded(instance))
    assert seen > 50
    assert changed + refused < seen / 4
