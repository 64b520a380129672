"""A painted frame comes back painted, and what was not painted comes back as it was."""

import io
from dataclasses import replace
from functools import partial
from struct import unpack_from

import numpy
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from governance import read, write
from governance.datatypes import Region
from governance.errors import Refused
from governance.scrub import containers, encode, regions
from tests.scrub.build import HIDDEN, MARKER, dataset, jpeg, jpeg_instance, saved

BOX = Region(4, 6, 20, 17, 1, "test", 1.0)
INSIDE = (slice(6, 17), slice(4, 20))


def pixels(kind="uint16", top=4096, samples=1, frames=3):
    shape = (frames, 32, 48) if samples == 1 else (frames, 32, 48, samples)
    smooth = numpy.linspace(0, top - 1, numpy.prod(shape)).reshape(shape)
    noise = numpy.random.default_rng(5).integers(0, 9, shape)
    low = -top // 2 if numpy.dtype(kind).kind == "i" else 0
    return (numpy.clip(smooth + noise, 0, top - 1) + low).astype(kind)


def built(values, *, syntax=ExplicitVRLittleEndian, photometric="MONOCHROME2", planes=0, stored=None, **changes):
    bits = values.itemsize * 8
    options = {"NumberOfFrames": len(values), "BitsAllocated": bits, "BitsStored": stored or bits}
    options["HighBit"] = options["BitsStored"] - 1
    options["PixelRepresentation"] = int(values.dtype.kind == "i")
    options["PhotometricInterpretation"] = photometric
    if values.ndim == 4:
        options |= {"SamplesPerPixel": 3, "PlanarConfiguration": planes}
        values = values.transpose(0, 3, 1, 2) if planes else values
    ds = dataset(numpy.ascontiguousarray(values).tobytes(), **(options | changes))
    if syntax != ExplicitVRLittleEndian:
        ds.compress(syntax, generate_instance_uid=False)
    return saved(ds)


def painted(instance):
    """The instance as written after one rectangle of its second frame was painted, and how."""
    frames = list(read.frames(instance))
    new = regions.mask(instance, frames[1], [BOX])
    masks = {1: [BOX]}
    result = encode.repaint(instance, partial(read.frames, instance), masks)
    edits = dict.fromkeys(filter(None, map(instance.first, result.removed)))
    parts = list(
        write.instance(instance, edits, result.added, pixel_data=result.data, transfer_syntax=result.transfer_syntax)
    )
    assert result.data.size == len(result.data.value)
    assert result.data.value == result.data.value  # made twice
    after = read.parse(b"".join(parts))
    assert containers.clean(after) is None
    promised = list(encode.as_written(instance, partial(read.frames, instance), partial(read.frame, instance), masks))
    numpy.testing.assert_array_equal(promised, list(read.frames(after, [1])))
    return after, frames, new, result


def assert_only_the_box_changed(after, frames, new):
    again = list(read.frames(after))
    assert len(again) == len(frames)
    for number, frame in enumerate(again):
        numpy.testing.assert_array_equal(frame, new if number == 1 else frames[number])


NATIVE = [
    pytest.param({"values": pixels("uint8", 256)}, id="8 bits"),
    pytest.param({"values": pixels(), "stored": 12}, id="12 of 16 bits"),
    pytest.param({"values": pixels("int16"), "stored": 12}, id="signed"),
    pytest.param({"values": pixels("uint32", 1 << 20)}, id="32 bits"),
    pytest.param({"values": pixels("uint8", 256, 3), "photometric": "RGB"}, id="colour by pixel"),
    pytest.param({"values": pixels("uint8", 256, 3), "photometric": "RGB", "planes": 1}, id="colour by plane"),
]


@pytest.mark.parametrize("made", NATIVE)
def test_native_pixels_are_painted_in_place(made):
    instance = built(**made)
    after, frames, new, result = painted(instance)
    assert_only_the_box_changed(after, frames, new)
    assert after.transfer_syntax == instance.transfer_syntax
    old, now = (item.value(item.first(0x7FE00010)) for item in (instance, after))
    third = len(old) // 3
    assert len(now) == len(old)
    assert now[:third] + now[2 * third :] == old[:third] + old[2 * third :]
    assert result.steps[0].parameters["frames"] == 1


def test_subsampled_native_colour_is_painted_in_pairs():
    raw = numpy.random.default_rng(6).integers(30, 120, (1, 32, 24, 4), "uint8")
    options = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    options |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    instance = saved(dataset(raw.tobytes(), **options))
    masks = {0: [replace(BOX, left=5)]}
    repainted = encode.repaint(instance, partial(read.frames, instance), masks)
    value = repainted.data.value
    after = read.parse(b"".join(write.instance(instance, {}, repainted.added, pixel_data=repainted.data)))
    (promised,) = encode.as_written(instance, partial(read.frames, instance), partial(read.frame, instance), masks)
    numpy.testing.assert_array_equal(promised, next(read.frames(after)))
    changed = (numpy.frombuffer(value, "u1").reshape(raw.shape) != raw)[0]
    assert len(value) == raw.size
    assert changed[6:17, 2:10].all()  # at the odd edge a pair goes as a whole: it has one colour
    changed[6:17, 2:10] = False
    assert not changed.any()


LOSSLESS = [
    pytest.param(RLELossless, {}, RLELossless, id="RLE"),
    pytest.param(JPEGLSLossless, {}, JPEGLSLossless, id="JPEG-LS"),
    pytest.param(JPEG2000Lossless, {}, JPEG2000Lossless, id="JPEG 2000"),
    pytest.param(JPEG2000Lossless, {"values": pixels("int16"), "stored": 12}, JPEG2000Lossless, id="JPEG 2000 signed"),
    pytest.param(RLELossless, {"photometric": "RGB"}, RLELossless, id="RLE colour"),
    pytest.param(JPEGLSLossless, {"photometric": "RGB"}, JPEGLSLossless, id="JPEG-LS colour"),
    pytest.param(JPEG2000Lossless, {"photometric": "RGB"}, JPEG2000Lossless, id="JPEG 2000 colour"),
]


@pytest.mark.parametrize(("syntax", "made", "expected"), LOSSLESS)
def test_lossless_frames_are_compressed_again_as_they_were(syntax, made, expected):
    values = pixels("uint8", 256, 3) if made.get("photometric") == "RGB" else pixels()
    instance = built(**({"values": values, "stored": 8 if values.itemsize == 1 else 12} | made), syntax=syntax)
    after, frames, new, _ = painted(instance)
    assert after.transfer_syntax == expected
    assert_only_the_box_changed(after, frames, new)
    kept = [bytes(item.buffer[slice(*item.fragments[3])]) for item in (instance, after)]
    assert containers.bare(instance, kept[0]).rstrip(b"\0") == kept[1].rstrip(b"\0")
    start, stop = after.fragments[0]
    places = [fragment[0] - after.fragments[1][0] for fragment in after.fragments[1:]]
    assert list(unpack_from(f"<{(stop - start) // 4}I", after.buffer, start)) == places


@pytest.mark.parametrize("syntax", [JPEGLSNearLossless, JPEG2000])
def test_a_painted_frame_in_a_lossy_syntax_loses_nothing_more(syntax):
    options = {"jls_error": 2} if syntax == JPEGLSNearLossless else {"j2k_cr": [4]}
    values = pixels()
    ds = dataset(values.tobytes(), NumberOfFrames=3)
    ds.compress(syntax, generate_instance_uid=False, **options)
    after, frames, new, _ = painted(saved(ds))
    assert after.transfer_syntax == syntax
    assert_only_the_box_changed(after, frames, new)


def test_a_painted_jpeg_frame_changes_little_outside_of_the_box():
    instance = jpeg_instance(jpeg(0, quality=60), jpeg(1, quality=60), jpeg(2, quality=60))
    after, frames, _, _ = painted(instance)
    again = list(read.frames(after))
    assert after.transfer_syntax == JPEGBaseline8Bit
    numpy.testing.assert_array_equal(again[0], frames[0])
    numpy.testing.assert_array_equal(again[2], frames[2])
    assert numpy.abs(again[1][INSIDE].astype(int)[2:-2, 2:-2] - frames[1].min()).mean() < 12
    difference = numpy.abs(again[1].astype(int) - frames[1])
    assert difference[24:].mean() < 1  # blocks that the box does not touch: the same coefficients again
    assert difference[24:].max() < 20
    assert difference[INSIDE].max() > 50


def colours_as_jpeg(seed, **options):
    file = io.BytesIO()
    values = numpy.random.default_rng(seed).integers(0, 255, (4, 6, 3), "uint8").repeat(8, axis=0).repeat(8, axis=1)
    Image.fromarray(values).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("encodes", [True, False])
def test_frames_are_promised_as_they_are_written_each_with_its_own_tables(monkeypatch, encodes):
    frames = [colours_as_jpeg(n, quality=30 + 20 * n, subsampling=n) for n in range(3)]
    instance = jpeg_instance(*frames, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422")
    masks = {0: [BOX], 2: [replace(BOX, left=9, frame=2)]}
    if not encodes:
        monkeypatch.setattr(encode, "_jpeg", lambda *_: None)
    decode = partial(read.frames, instance)

    promised = list(encode.as_written(instance, decode, partial(read.frame, instance), masks))

    made = encode.repaint(instance, decode, masks)
    edits = dict.fromkeys(filter(None, map(instance.first, made.removed)))
    parts = write.instance(instance, edits, made.added, pixel_data=made.data, transfer_syntax=made.transfer_syntax)
    after = read.parse(b"".join(parts))
    assert (after.transfer_syntax == JPEGBaseline8Bit) is encodes
    numpy.testing.assert_array_equal(promised, list(read.frames(after, [0, 2])))


def test_what_has_no_encoder_becomes_native_and_says_so():
    rgb = pixels("uint8", 256, 3)
    ds = dataset(rgb.tobytes(), NumberOfFrames=3, BitsAllocated=8, BitsStored=8, HighBit=7, SamplesPerPixel=3)
    ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    ds.compress(JPEG2000, j2k_cr=[3], generate_instance_uid=False)
    ds.PhotometricInterpretation = "YBR_ICT"
    after, frames, new, result = painted(saved(ds))
    assert after.transfer_syntax == ExplicitVRLittleEndian == result.transfer_syntax
    assert after.text("PhotometricInterpretation") == "RGB"
    assert "Explicit VR Little Endian" in result.steps[0].parameters["encoder"]
    assert_only_the_box_changed(after, frames, new)


def test_what_hides_beside_the_pixels_does_not_come_back_with_painted_ones():
    values = pixels(frames=2)
    native = saved(dataset(values.tobytes() + MARKER, NumberOfFrames=2))
    values[0, 0, 0] |= 0xF000
    high = saved(dataset(values.tobytes(), NumberOfFrames=2))
    compressed = jpeg_instance(HIDDEN["COM"](jpeg(0)), jpeg(1))
    for instance in (native, high, compressed):
        assert containers.clean(instance) is not None
        after, *_ = painted(instance)
        assert MARKER not in bytes(after.buffer)


def test_an_extended_offset_table_is_written_anew():
    frames = [jpeg(0), jpeg(1), jpeg(2)]
    value, offsets, lengths = encapsulate_extended(frames)
    instance = jpeg_instance(*frames, PixelData=value, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    after, *_ = painted(instance)
    places = [fragment[0] - after.fragments[1][0] for fragment in after.fragments[1:]]
    sizes = [stop - start for start, stop in after.fragments[1:]]
    assert list(unpack_from("<3Q", after.value(after.first(0x7FE00001)))) == places
    assert list(unpack_from("<3Q", after.value(after.first(0x7FE00002)))) == sizes
    assert after.fragments[0][0] == after.fragments[0][1]


def test_frames_in_several_fragments_are_told_apart():
    frames = [jpeg(0), jpeg(1), jpeg(2)]
    instance = jpeg_instance(*frames, PixelData=encapsulate(frames, fragments_per_frame=3))
    after, *_ = painted(instance)
    value = after.value(after.first(0x7FE00010))
    assert len(after.fragments) == 4
    kept = [stream.rstrip(b"\0") for stream in generate_frames(value, number_of_frames=3)]
    assert [kept[0], kept[2]] == [frames[0].rstrip(b"\0"), frames[2].rstrip(b"\0")]


def test_single_bits_and_shifted_samples_are_refused():
    values = pixels(frames=2)
    for changes in ({"BitsStored": 12, "HighBit": 15}, {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}):
        instance = saved(dataset(values.tobytes(), NumberOfFrames=2, **changes))
        with pytest.raises(Refused):
            encode.repaint(instance, partial(read.frames, instance), {1: [BOX]})
