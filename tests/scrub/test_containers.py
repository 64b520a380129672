"""Bytes that no decoder reads do not survive, and no decoded pixel changes."""

import io
import warnings
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from struct import pack, unpack_from

import numpy
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from governance import read, write
from governance.errors import Refused
from governance.scrub import containers, icc

MARKER = b"Doe^Canary"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
PIXELS = (numpy.arange(32 * 48, dtype="<u2") * 7 % 4096).reshape(32, 48)


def dataset(pixels=PIXELS, *, syntax=ExplicitVRLittleEndian, **changes):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.4"
    ds.Rows, ds.Columns = 32, 48
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels if isinstance(pixels, bytes) else pixels.tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def saved(ds):
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 or ds.file_meta.TransferSyntaxUID.is_encapsulated else "OW"
    ds["PixelData"].is_undefined_length = ds.file_meta.TransferSyntaxUID.is_encapsulated
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return read.parse(file.getvalue())


def rewritten(instance, cleaned):
    edits = {instance.first(0x7FE00010): cleaned.value}
    return read.parse(b"".join(write.instance(instance, edits, cleaned.added)))


def cleaned_and_compared(instance):
    """The new file, decoded equal to the old one, and clean when looked at again."""
    cleaned = containers.clean(instance)
    assert cleaned is not None
    after = rewritten(instance, cleaned)
    for old, new in zip(read.frames(instance), read.frames(after), strict=True):
        numpy.testing.assert_array_equal(new, old)
    assert containers.clean(after) is None
    assert MARKER not in bytes(after.buffer)
    return after, cleaned.steps[0].parameters["dropped"]


def jpeg(seed=0, **options):
    file = io.BytesIO()
    image = numpy.random.default_rng(seed).integers(0, 255, (32, 48), "uint8")
    Image.fromarray(image).save(file, "JPEG", **options)
    return file.getvalue()


def segment(marker, content):
    return pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_instance(*frames, **changes):
    value = changes.pop("PixelData", None) or encapsulate(list(frames))
    count = {"NumberOfFrames": len(frames)} if len(frames) > 1 else {}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    return saved(dataset(value, syntax=JPEGBaseline8Bit, **bits, **count, **changes))


def jpeg_2000():
    ds = dataset()
    ds.compress(JPEG2000Lossless)
    return next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))


def jpeg_2000_instance(frame):
    return saved(dataset(encapsulate([frame]), syntax=JPEG2000Lossless))


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


# ------------------------------------------------------------ JPEG and JPEG-LS

HIDDEN = {
    "COM": lambda frame: frame[:2] + segment(0xFE, MARKER) + frame[2:],
    "APP1": lambda frame: frame[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + MARKER) + frame[2:],
    "APP14": lambda frame: frame[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0" + MARKER) + frame[2:],
    "reserved segment": lambda frame: frame[:2] + segment(0xF9, MARKER) + segment(0xC8, MARKER) + frame[2:],
    "after end": lambda frame: frame + MARKER,
}


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


@pytest.mark.parametrize("stop", [1, 3, 30, 200])
def test_a_jpeg_frame_that_breaks_off_before_its_scan_is_refused(stop):
    with pytest.raises(Refused, match="does not parse") as caught:
        containers.clean(jpeg_instance(jpeg()[:stop]))
    assert caught.value.__context__ is None


def test_frames_that_cannot_be_told_apart_are_refused():
    value = encapsulate([jpeg()], has_bot=False)
    with pytest.raises(Refused, match="cannot be told apart"):
        containers.clean(jpeg_instance(jpeg(), jpeg(), PixelData=value))


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


@pytest.mark.parametrize("number", ["4.92", "4.93", "4.110", "4.111", "4.112", "4.77", "9.1"])
def test_compressed_pixels_that_nothing_here_can_look_into_are_refused(number):
    with pytest.raises(Refused, match="this transfer syntax"):
        containers.clean(wrapped_instance(f"1.2.840.10008.1.2.{number}", b"\xff\x0a" + MARKER))


def test_pixels_that_are_not_encoded_as_their_transfer_syntax_says_are_refused():
    for instance, syntax in ((saved(dataset()), JPEGBaseline8Bit), (jpeg_instance(jpeg()), ExplicitVRLittleEndian)):
        with pytest.raises(Refused, match="not encoded as its transfer syntax says"):
            containers.clean(replace(instance, transfer_syntax=syntax))


# ------------------------------------------------------------------------- ICC


def test_an_icc_profile_keeps_its_colours_and_loses_its_text():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    marked = profile.replace("sRGB".encode("utf-16-be"), "Doe^".encode("utf-16-be"))
    assert marked != profile
    result = icc.clean(marked)
    assert len(result) == len(profile)
    assert "Doe^".encode("utf-16-be") not in result
    assert result[24:36] == pack(">6H", 2000, 1, 1, 0, 0, 0)
    assert icc.clean(result) == result
    image = Image.fromarray(numpy.arange(3 * 64, dtype="uint8").reshape(8, 8, 3))
    lab = ImageCms.createProfile("LAB")
    converted = [
        ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(data)), lab, outputMode="LAB").tobytes()
        for data in (profile, result)
    ]
    assert converted[0] == converted[1]


def test_old_description_tags_unknown_tags_and_gaps_are_overwritten():
    text = b"desc" + bytes(4) + pack(">I", 11) + MARKER + b"\0" + bytes(12 + 67) + b"\0"
    tags = [(b"desc", text), (b"cprt", b"text" + bytes(4) + MARKER + b"\0\0"), (b"prv1", b"data" + bytes(4) + MARKER)]
    start, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags:
        table += name + pack(">II", start + len(body), len(data))
        body += data + MARKER
    head = pack(">I", start + len(body)) + bytes(32) + b"acsp" + bytes(44) + MARKER.ljust(44, b"\0")
    result = icc.clean(head + pack(">I", len(tags)) + table + body + MARKER)
    assert MARKER not in result
    assert result[132:start] == table


@given(st.binary(max_size=300))
def test_what_is_no_profile_gives_none(data):
    assert icc.clean(data) is None


# ------------------------------------------------------------------ real files


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
            assert containers.clean(rewritten(instance, cleaned)) is None
    assert seen > 50
    assert changed + refused < seen / 4
