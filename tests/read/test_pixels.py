"""Frames come one at a time, as stored, or not at all with a reason."""

from io import BytesIO
from itertools import islice

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from governance import read
from governance.datatypes import Instance
from governance.errors import Refused
from governance.read.pixels import jpeg_2000_size, jpeg_size
from tests.read.datasets import BUNDLED, encoded, readable

SOFT_LIMIT = 1_000_000
"""Bytes of a file that is decoded whole here."""


def image(frames: np.ndarray) -> Dataset:
    """An uncompressed image of `frames`: (frames, rows, columns[, 3])."""
    dataset = Dataset()
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape[:3]
    dataset.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    dataset.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = frames.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PixelData = frames.tobytes() + b"\0" * (frames.nbytes % 2)
    dataset["PixelData"].VR = "OW"
    return dataset


def parsed(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Instance:
    if syntax == ExplicitVRLittleEndian:
        return read.parse(encoded(dataset, explicit=True))
    encoded(dataset, explicit=True)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.compress(syntax, generate_instance_uid=False)
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return read.parse(file.getvalue())


pictures = st.sampled_from((np.uint8, np.uint16)).flatmap(
    lambda kind: arrays.arrays(kind, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
)


@settings(max_examples=40, deadline=None)
@given(frames=pictures, syntax=st.sampled_from((ExplicitVRLittleEndian, RLELossless)))
def test_frames_are_the_stored_values(frames: np.ndarray, syntax: str) -> None:
    decoded = list(read.frames(parsed(image(frames), syntax)))

    assert len(frames) == len(decoded)
    assert all(np.array_equal(one, other) for one, other in zip(frames, decoded, strict=True))


def test_colour_frames_have_samples_last() -> None:
    frames = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)

    assert [frame.shape for frame in read.frames(parsed(image(frames)))] == [(3, 4, 3)] * 2


def test_ybr_is_not_turned_into_rgb() -> None:
    frames = np.full((1, 2, 2, 3), (81, 90, 240), dtype=np.uint8)
    dataset = image(frames)
    dataset.PhotometricInterpretation = "YBR_FULL"

    assert np.array_equal(frames[0], next(read.frames(parsed(dataset))))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("numbers", [(), (0,), (1, 3), (4,)])
def test_frames_are_decoded_by_their_number(syntax: str, numbers: tuple[int, ...]) -> None:
    frames = np.random.default_rng(3).integers(0, 8, (5, 24, 16), np.uint8)

    decoded = list(read.frames(parsed(image(frames), syntax), numbers))

    assert [frame.tolist() for frame in frames[list(numbers)]] == [frame.tolist() for frame in decoded]


def test_a_frame_is_decoded_past_a_broken_one() -> None:
    """Nobody pays for what was not asked for."""
    dataset = image(np.zeros((3, 4, 4), np.uint8))
    stream = bytes.fromhex("01000000 40000000") + bytes(56)
    dataset.PixelData = encapsulate([b"broken", stream + b"\xf1\x07", b"broken"])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)

    (frame,) = read.frames(read.parse(file.getvalue()), (1,))

    assert np.array_equal(np.full((4, 4), 7), frame)


def test_the_shape_is_known_before_anything_is_decoded() -> None:
    dataset = image(np.zeros((3, 5, 7), np.uint8))

    assert read.shape(parsed(dataset)) == (3, 5, 7)


def test_frames_are_decoded_one_at_a_time() -> None:
    """The second frame is broken; the first comes all the same."""
    dataset = image(np.zeros((2, 4, 4), dtype=np.uint8))
    compressed = parsed(dataset, JPEGLSLossless)
    start, stop = compressed.fragments[2]
    data = bytearray(compressed.buffer)
    data[start + 2 : stop] = bytes(stop - start - 2)
    frames = read.frames(read.parse(bytes(data)))

    assert next(frames).shape == (4, 4)
    with pytest.raises(Refused):
        next(frames)


def test_real_files_decode_as_pydicom_says_or_are_refused() -> None:
    decoded = 0
    for path, data, instance in readable():
        if len(data) > SOFT_LIMIT or instance.first(0x7FE00010) is None:
            continue
        try:
            frames = list(islice(read.frames(instance), 2))
        except Refused:
            continue
        rows, columns = (
            int.from_bytes(instance.value(instance.first(tag)), "little") for tag in (0x00280010, 0x00280011)
        )
        assert all((rows, columns) == frame.shape[:2] for frame in frames), path.name
        decoded += 1
    assert decoded >= 80


def refusal(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> str:
    with pytest.raises(Refused) as refused:
        list(read.frames(parsed(dataset, syntax)))
    assert refused.value.__context__ is None
    return str(refused.value)


def test_no_pixels_are_refused() -> None:
    assert refusal(Dataset()) == "no pixel data"


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        pytest.param("NumberOfFrames", 3, "the pixel data cannot be decoded", id="fewer frames than it says"),
        pytest.param("NumberOfFrames", 10**11, "the decoded pixels would be too large", id="bomb by frames"),
        pytest.param("Rows", 0, "pixel data without rows", id="no rows"),
        pytest.param("BitsAllocated", 12, "the pixel data cannot be decoded", id="bits that no codec knows"),
        pytest.param("PhotometricInterpretation", "TESTFALL", "the pixel data cannot be decoded", id="unknown colours"),
    ],
)
def test_wrong_attributes_are_refused_without_values(keyword: str, value: object, reason: str) -> None:
    dataset = image(np.zeros((1, 4, 4), dtype=np.uint8))
    setattr(dataset, keyword, value)

    assert reason == refusal(dataset)


def test_bomb_by_area_is_refused_before_decoding() -> None:
    dataset = image(np.zeros((1, 4, 4), dtype=np.uint8))
    dataset.Rows = dataset.Columns = 65535

    assert refusal(dataset) == "the decoded pixels would be too large"


def test_codestream_that_is_larger_than_the_header_says_is_refused_before_decoding() -> None:
    data = bytearray((BUNDLED / "SC_rgb_jpeg_dcmtk.dcm").read_bytes())
    instance = read.parse(bytes(data))
    frame = bytes(instance.buffer[slice(*instance.fragments[1])])
    at = data.index(frame) + next(n for n in range(len(frame)) if frame[n : n + 2] in (b"\xff\xc0", b"\xff\xc1"))
    assert jpeg_size(frame) == (100, 100)
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"

    with pytest.raises(Refused, match="not as large as Rows and Columns say"):
        list(read.frames(read.parse(bytes(data))))


def test_no_decoder_is_said_by_name() -> None:
    dataset = image(np.zeros((1, 4, 4), dtype=np.uint8))
    encoded(dataset, explicit=True)
    dataset.PixelData = encapsulate([b"\0\0\0\0"])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)

    with pytest.raises(Refused, match=r"^no decoder for transfer syntax MPEG2 Main Profile / Main Level$"):
        read.frames(read.parse(file.getvalue()))


def test_native_pixels_under_a_compressed_syntax_are_refused() -> None:
    data = encoded(image(np.zeros((1, 4, 4), dtype=np.uint8)), explicit=True)
    syntax = JPEGBaseline8Bit.encode()
    wrong = data.replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI" + len(syntax).to_bytes(2, "little") + syntax)

    with pytest.raises(Refused, match="not encoded as its transfer syntax says"):
        list(read.frames(read.parse(wrong)))


@pytest.mark.parametrize("size", [jpeg_size, jpeg_2000_size])
@given(noise=st.binary(max_size=60))
def test_sizes_of_noise_are_zero_or_numbers(size: object, noise: bytes) -> None:
    for frame in (noise, b"\xff\xd8" + noise, b"\xff\x4f\xff\x51" + noise):
        rows, columns = size(frame)  # type: ignore[operator]
        assert isinstance(rows, int)
        assert isinstance(columns, int)
