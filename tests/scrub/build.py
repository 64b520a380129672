"""Images with something hidden around their pixels, and what is left after cleaning."""

import io
from struct import pack

import numpy
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

from governance import read, write
from governance.scrub import containers

MARKER = b"Doe^Canary"
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


def floating(value, keyword="FloatPixelData"):
    ds = dataset()
    del ds.PixelData
    setattr(ds, keyword, value)
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return read.parse(file.getvalue())


HIDDEN = {
    "COM": lambda frame: frame[:2] + segment(0xFE, MARKER) + frame[2:],
    "APP1": lambda frame: frame[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + MARKER) + frame[2:],
    "APP14": lambda frame: frame[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0" + MARKER) + frame[2:],
    "reserved segment": lambda frame: frame[:2] + segment(0xF9, MARKER) + segment(0xC8, MARKER) + frame[2:],
    "after end": lambda frame: frame + MARKER,
}
