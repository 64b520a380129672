"""Plant an invented person in a real DICOM file: in its header, and as text in its pixels."""

import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy
import pydicom
import pydicom.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
WELL_KNOWN = "1.2.840.10008."
OWN_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist, on the day of one study."""

    family: str
    given: str
    patient_id: str
    accession: str
    birth_date: str
    study_date: str
    address: str
    phone: str
    physician: str
    operator: str
    institution: str
    station: str
    sex: str = "O"
    age: str = "047Y"

    @property
    def name(self) -> str:
        """As in a PN."""
        return f"{self.family}^{self.given}"

    @property
    def strings(self) -> list[str]:
        """What must not be found anywhere once this person is de-identified."""
        return [
            self.family,
            self.given,
            self.patient_id,
            self.accession,
            self.birth_date,
            self.study_date,
            self.address,
            self.phone,
            *self.physician.split("^"),
            *self.operator.split("^"),
            self.institution,
        ]

    def visit(self, *, accession: str, study_date: str) -> "Person":
        """The same person at another examination."""
        return replace(self, accession=accession, study_date=study_date)


def bundled(name: str) -> Dataset:
    """A file of the pydicom package, decoded if its pixels were not native when they are asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(BUNDLED / name, force=True)
        dataset.walk(lambda _dataset, _element: None)  # every element, so that writing meets no surprise
    return dataset


def invented_uid(seed: str) -> str:
    """A UID that is always the same for a seed (PS3.5, B.2)."""
    return f"2.25.{int.from_bytes(sha256(seed.encode()).digest()[:15])}"


def own_uids(dataset: Dataset, seed: str, *, study: str = "", series: str = "") -> None:
    """Give an instance UIDs of its own; instances with one `study` or `series` seed share those."""
    seeds = {"StudyInstanceUID": study or seed, "SeriesInstanceUID": series or study or seed}
    for keyword in OWN_UIDS:
        if keyword in dataset or keyword != "FrameOfReferenceUID":
            setattr(dataset, keyword, invented_uid(f"{keyword} {seeds.get(keyword, seed)}"))


def header(dataset: Dataset, person: Person) -> None:
    """Plant a person where scanners put it, replacing whom the file was about."""
    dataset.PatientName = person.name
    dataset.PatientID = person.patient_id
    dataset.PatientBirthDate = person.birth_date
    dataset.PatientSex = person.sex
    dataset.PatientAge = person.age
    dataset.PatientAddress = person.address
    dataset.PatientTelephoneNumbers = person.phone
    dataset.OtherPatientIDs = person.patient_id + "X"
    dataset.AccessionNumber = person.accession
    dataset.StudyID = person.accession[-8:]
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, keyword, person.study_date)
    for keyword in ("InstanceCreationDate", "AcquisitionDateTime", "PerformedProcedureStepStartDate"):
        if keyword in dataset:
            setattr(dataset, keyword, person.study_date + ("101112" if keyword.endswith("Time") else ""))
    dataset.ReferringPhysicianName = person.physician
    dataset.OperatorsName = person.operator
    dataset.InstitutionName = person.institution
    dataset.InstitutionAddress = person.address
    dataset.StationName = person.station
    dataset.StudyDescription = f"control {person.family} {person.given}, seen by Dr {person.physician.split('^')[0]}"
    dataset.ImageComments = f"patient {person.patient_id}, called {person.phone}"


def native(dataset: Dataset) -> None:
    """Decode compressed pixels and write them as they are, in the colour space in which they were stored."""
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress(as_rgb=False)


def encode(dataset: Dataset) -> bytes:
    """The file; meta information is made where it is missing."""
    meta = dataset.file_meta if hasattr(dataset, "file_meta") else None
    if meta is None or "TransferSyntaxUID" not in meta:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if "SOPClassUID" in dataset:
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Ink:
    """Where a text was drawn: the frame, the corner of its box, and which pixels of the box carry it."""

    frame: int
    row: int
    column: int
    mask: NDArray[numpy.bool_]


def lettering(text: str, *, size: int, turn: int = 0) -> NDArray[numpy.bool_]:
    """A text as pixels, in the font that comes with Pillow; turned counterclockwise by `turn` degrees."""
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), text, fill=255, font=font)
    if turn:
        image = image.rotate(turn, expand=True)
    return numpy.asarray(image) > 127


def pixels(dataset: Dataset) -> NDArray[numpy.generic]:
    """Native pixel data as (frames, rows, columns, samples), writable; planes by pixel only."""
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    kind = numpy.dtype(f"<u{dataset.BitsAllocated // 8}")
    shape = (frames, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    if dataset.SamplesPerPixel > 1 and dataset.get("PlanarConfiguration", 0):
        raise ValueError("planes by plane")
    return numpy.frombuffer(dataset.PixelData, kind, count=int(numpy.prod(shape))).reshape(shape).copy()


def put(dataset: Dataset, values: NDArray[numpy.generic]) -> None:
    """Write pixels back, with the padding that makes their length even."""
    data = values.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)


def text(
    dataset: Dataset,
    lines: Sequence[str],
    *,
    at: tuple[int, int] = (4, 4),
    size: int = 18,
    frames: Iterable[int] | None = None,
    value: int | None = None,
    turn: int = 0,
) -> list[Ink]:
    """Draw lines of text into native pixels, by default as bright as the image gets, from row and column `at`."""
    values = pixels(dataset)
    bright = int(values.max()) if value is None else value
    if value is None and bright < 200:
        bright = (1 << min(dataset.BitsStored, 15)) - 1
    drawn: list[Ink] = []
    for frame in range(len(values)) if frames is None else frames:
        row, column = at
        for line in lines:
            mask = lettering(line, size=size, turn=turn)
            mask = mask[: dataset.Rows - row, : dataset.Columns - column]
            box = values[frame, row : row + mask.shape[0], column : column + mask.shape[1]]
            box[mask] = bright
            drawn.append(Ink(frame, row, column, mask))
            row += mask.shape[0] + 2
    put(dataset, values)
    return drawn


def item(**elements: object) -> Dataset:
    """A sequence item."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def items(*datasets: Dataset) -> DicomSequence:
    """A sequence."""
    return DicomSequence(datasets)


def code(value: str, meaning: str, scheme: str = "DCM") -> Dataset:
    """A code sequence item."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)
