"""Plant an invented person in a real DICOM file: in its header and in its pixels.

The files are those that pydicom bundles for its own tests; nothing is downloaded.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom.data
from PIL import Image, ImageDraw, ImageFont
from pydicom import config, dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

FILES = Path(pydicom.data.__file__).parent / "test_files"

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME_BYTE_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.2"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who does not exist, with the values that would identify them."""

    family: str
    given: str
    mrn: str
    accession: str
    birth: str
    physician: str
    address: str
    phone: str
    institution: str
    station: str

    @property
    def name(self) -> str:
        """The name as DICOM writes it (PS3.5, 6.2.1)."""
        return f"{self.family}^{self.given}"

    @property
    def caption(self) -> str:
        """The name and number as a scanner burns them into an image."""
        return f"{self.family.upper()} {self.given.upper()}\nMRN {self.mrn}"

    def strings(self) -> list[str]:
        """Every planted string that is distinctive alone."""
        return [
            self.family,
            self.mrn,
            self.accession,
            self.birth,
            self.physician,
            self.address,
            self.phone,
            self.institution,
            self.station,
        ]


@contextmanager
def unchecked() -> Iterator[None]:
    """Let pydicom write values that the standard forbids, and say nothing."""
    settings = config.settings
    reading, writing = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = config.IGNORE
    settings.writing_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        settings.reading_validation_mode = reading
        settings.writing_validation_mode = writing


def load(name: str, *seed: object) -> FileDataset:
    """Read a bundled file as its own new instance: equal seeds give equal UIDs.

    Without a seed the UIDs are those of the file.
    """
    ds = dcmread(FILES / name, force=True)
    ds.preamble = ds.preamble or bytes(128)
    if "TransferSyntaxUID" not in ds.file_meta:
        meta = FileMetaDataset()
        implicit = ds.original_encoding[0]
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        meta.ImplementationClassUID = pydicom.uid.PYDICOM_IMPLEMENTATION_UID
        ds.file_meta = meta
    if seed:
        ds.SOPInstanceUID = uid("instance", *seed)
    identify(ds)
    return ds


def uid(*seed: object) -> str:
    """A UID that depends on the seed alone."""
    return generate_uid(entropy_srcs=[str(part) for part in seed])


def identify(ds: Dataset) -> None:
    """Make the file meta information agree with the dataset."""
    ds.file_meta.FileMetaInformationVersion = b"\x00\x01"
    ds.file_meta.FileMetaInformationGroupLength = 0  # written by pydicom
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def save(ds: Dataset, path: Path) -> Path:
    """Write the dataset as it is, with the file meta information it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with unchecked():
        ds.save_as(path)
    return path


def plant(ds: Dataset, person: Person, *, study: str = "1") -> None:
    """Put the person into the header, in public, private and nested elements.

    Instances of one person and `study` share patient, study and frame of reference.
    """
    ds.PatientName = person.name
    ds.PatientID = person.mrn
    ds.PatientBirthDate = person.birth
    ds.PatientAddress = person.address
    ds.PatientTelephoneNumbers = person.phone
    ds.AccessionNumber = person.accession
    ds.ReferringPhysicianName = f"{person.physician}^Dr"
    ds.InstitutionName = person.institution
    ds.StationName = person.station
    ds.StudyInstanceUID = uid("study", person.mrn, study)
    if "FrameOfReferenceUID" in ds:
        ds.FrameOfReferenceUID = uid("frame", person.mrn, study)
    ds.SeriesInstanceUID = uid("series", person.mrn, study, ds.get("Modality", ""))
    ds.ImageComments = f"{person.given} {person.family}, phone {person.phone}"

    request = Dataset()
    request.RequestedProcedureID = person.accession
    request.ReasonForTheRequestedProcedure = f"Seen by Dr {person.physician}"
    ds.RequestAttributesSequence = Sequence([request])

    block = ds.private_block(0x0055, "PHANTOM GATEWAY", create=True)
    block.add_new(0x10, "LO", f"{person.family} {person.mrn}")
    identify(ds)


def capture(person: Person, *seed: object, frames: int = 1, size: int = 256, caption: str | None = None) -> Dataset:
    """A Secondary Capture of the bundled CT, 8 bits, `size` pixels square, with the caption in its last frame."""
    ds = load("CT_small.dcm", "capture", person.mrn, *seed)
    pixels = np.clip(ds.pixel_array.astype(float) - 1024 + 200, 0, 500) / 500 * 180
    small = Image.fromarray(pixels.astype(np.uint8))
    scaled = np.asarray(small.resize((size, size), Image.Resampling.BILINEAR))

    for tag in [element.tag for element in ds if element.tag.group in (0x0018, 0x0028, 0x0043, 0x7FE0)]:
        del ds[tag]
    ds.SOPClassUID = SECONDARY_CAPTURE if frames == 1 else MULTI_FRAME_BYTE_CAPTURE
    ds.Modality = "OT"
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = size
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.WindowCenter, ds.WindowWidth = 128, 256
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PixelData = scaled.tobytes() * frames
    ds["PixelData"].VR = "OB"
    plant(ds, person)
    draw(ds, person.caption if caption is None else caption, frame=frames - 1)
    return ds


def draw(
    ds: Dataset,
    text: str,
    *,
    at: tuple[int, int] = (4, 4),
    size: int = 20,
    frame: int = 0,
    shade: int | None = None,
    ground: int | None = 0,
    angle: int = 0,
) -> None:
    """Burn text into stored values: 8 or 16 bits, uncompressed, samples interleaved.

    shade and ground: stored values of the letters and of the box behind them
    (None: the brightest value in use, and no box). angle: degrees, counter-clockwise.
    """
    samples = ds.get("SamplesPerPixel", 1)
    dtype = np.dtype(np.uint8 if ds.BitsAllocated == 8 else np.uint16).newbyteorder("<")
    count = int(ds.get("NumberOfFrames", 1) or 1)
    length = count * ds.Rows * ds.Columns * samples
    pixels = np.frombuffer(ds.PixelData, dtype, count=length).reshape(count, ds.Rows, ds.Columns, samples).copy()

    font = ImageFont.load_default(size=size)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    label = Image.new("L", (int(right - left) + 6, int(bottom - top) + 6))
    ImageDraw.Draw(label).multiline_text((3 - left, 3 - top), text, fill=255, font=font)
    label = label.rotate(angle, expand=True)
    sheet = Image.new("L", (ds.Columns, ds.Rows))
    sheet.paste(label, at)
    letters = np.asarray(sheet) > 100

    plane = pixels[frame]
    if shade is None:
        shade = 255 if ds.BitsAllocated == 8 else int(plane.max())
    if ground is not None:
        plane[at[1] : at[1] + label.height, at[0] : at[0] + label.width] = ground
    plane[letters] = shade
    ds.PixelData = pixels.tobytes()
