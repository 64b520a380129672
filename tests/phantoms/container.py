"""Leak cases 1 to 12: around the data set, and around the file."""

import io
import sqlite3
import struct
import tarfile
import zipfile

import pydicom
from pydicom.filewriter import write_data_element
from pydicom.uid import ExplicitVRLittleEndian

from tests.phantoms import plant
from tests.phantoms.plot import EITHER, ROOT_UID, Plot, case

TIMES = (2021, 3, 4, 5, 6, 8)


@case(1, "preamble, and a TIFF that lives in it")
def preamble(plot: Plot) -> None:
    data = plant.encode(plot.image())
    text = f"patient {plot.word('Wexford')} ward {plot.digits()}".encode()
    plot.file("text.dcm", text.ljust(128, b"\0") + data[128:])
    data = plant.encode(plot.image(variant=1))
    # An IFD with width, height and ImageDescription, all of it before "DICM" (PS3.10, 7.1).
    description = f"scan of {plot.word('Tarnholm')}, {plot.digits(1)}".encode() + b"\0"
    entries = [(256, 4, 1, 1), (257, 4, 1, 1), (270, 2, len(description), 50)]
    ifd = struct.pack("<H", 3) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    tiff = struct.pack("<2sHI", b"II", 42, 8) + ifd + description
    plot.file("dual.dcm", tiff.ljust(128, b"\0") + data[128:])


@case(2, "application entity titles in the file meta information")
def entity_titles(plot: Plot) -> None:
    dataset = plot.image()
    dataset.file_meta.SourceApplicationEntityTitle = plot.word("WARD").upper()
    dataset.file_meta.SendingApplicationEntityTitle = plot.word("GATE").upper()
    dataset.file_meta.ReceivingApplicationEntityTitle = plot.word("HOST").upper()
    plot.write(dataset)


@case(3, "the instance's UID in the file meta information")
def meta_uid(plot: Plot) -> None:
    dataset = plot.image()
    dataset.SOPInstanceUID = plot.uid()
    plot.write(dataset)
    # Meta and data set disagree: the one in the meta is an identifier as well.
    dataset = plot.image(variant=1)
    data = plant.encode(dataset)
    own = str(dataset.SOPInstanceUID)
    other = plot.mark(f"{ROOT_UID}.3.9{'7' * 60}"[: len(own)])
    plot.file("apart.dcm", data.replace(own.encode(), other.encode(), 1))


@case(4, "implementation class and version that name the site's gateway")
def implementation(plot: Plot) -> None:
    dataset = plot.image()
    dataset.file_meta.ImplementationClassUID = plot.uid()
    dataset.file_meta.ImplementationVersionName = plot.word("GW")
    plot.write(dataset)


@case(5, "private information in the file meta information")
def private_information(plot: Plot) -> None:
    dataset = plot.image()
    dataset.file_meta.PrivateInformationCreatorUID = plot.uid()
    dataset.file_meta.PrivateInformation = f"{plot.word('Wexford')}|{plot.digits()}".encode() + b"\0"
    plot.write(dataset)


@case(6, "data set trailing padding used as a dump of text")
def trailing_padding(plot: Plot) -> None:
    dataset = plot.image()
    text = f"{plot.word('Wexford')}^{plot.word('Anselm')} {plot.digits()} {plot.day()} ".encode() * 8
    dataset.add_new(0xFFFCFFFC, "OB", text + bytes(len(text) % 2))
    plot.write(dataset)


@case(7, "elements after the pixels", EITHER)
def after_pixels(plot: Plot) -> None:
    dataset = plot.image()
    dataset.private_block(0x7FE1, plot.word("ARCHIVE"), create=True).add_new(1, "LO", plot.word("Wexford"))
    dataset.DigitalSignaturesSequence = plant.items(plant.item(MACIDNumber=1, CertificateOfSigner=b"CN=x" * 4))
    plot.write(dataset, "private.dcm")
    dataset = plot.image(variant=1)
    late = pydicom.Dataset()
    late.ImageComments = f"seen by {plot.word('Tarnholm')}"
    late.add_new(0x00100010, "PN", plot.name("Latecomer", "Ismene"))
    plot.file("unordered.dcm", plant.encode(dataset) + elements(late))


def elements(dataset: pydicom.Dataset) -> bytes:
    """Elements as explicit little endian bytes, without any head."""
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    for element in dataset:
        write_data_element(buffer, element)
    return buffer.getvalue()


@case(8, "bytes after the last element, and pixel data that is too long", EITHER)
def too_long(plot: Plot) -> None:
    dataset = plot.image()
    text = f"{plot.word('Wexford')} {plot.digits()} "
    dataset.PixelData += text.encode() + b" " * (len(text) % 2)
    plot.write(dataset, "pixels.dcm")
    data = plant.encode(plot.image(variant=1))
    plot.file("trailing.dcm", data + f"\0\0\0\0 {plot.word('Tarnholm')} {plot.digits(1)}".encode())


@case(9, "names of files, folders, members, owners, links, and comments of archives")
def names(plot: Plot) -> None:
    patient = f"{plot.word('Wexford')}_{plot.word('Anselm')}"
    plot.write(plot.image(), f"{patient}_{plot.day()}/{plot.digits()}.dcm")
    with zipfile.ZipFile(plot.folder / f"{plot.word('Export')}.zip", "w") as archive:
        info = zipfile.ZipInfo(f"{plot.word('Member')}/{plot.digits(1)}.dcm", TIMES)
        info.comment = plot.word("Membercomment").encode()
        archive.writestr(info, plant.encode(plot.image(variant=1)))
        archive.comment = f"for {plot.word('Zipcomment')}".encode()
    with tarfile.open(plot.folder / "export.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        data = plant.encode(plot.image(variant=2))
        member = tarfile.TarInfo(f"{plot.word('Tarmember')}.dcm")
        member.size, member.uname, member.gname = len(data), plot.word("Owner"), plot.word("Group")
        member.pax_headers = {"comment": plot.word("Paxcomment")}
        tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link.dcm")
        link.type, link.linkname = tarfile.SYMTYPE, f"/home/{plot.word('Linktarget')}/image.dcm"
        tar.addfile(link)
    (plot.folder / "link.dcm").symlink_to(f"{plot.word('Diskbound')}/missing.dcm")


@case(10, "a DICOMDIR with names and original paths")
def directory(plot: Plot) -> None:
    dataset = plot.image()
    file_id = [plot.word("PAT").upper(), plot.word("ST").upper(), "IM1"]
    directory = plant.bundled("dicomdirtests/DICOMDIR-empty.dcm")
    patient = plant.item(
        OffsetOfTheNextDirectoryRecord=0,
        RecordInUseFlag=0xFFFF,
        OffsetOfReferencedLowerLevelDirectoryEntity=0,
        DirectoryRecordType="PATIENT",
        PatientName=plot.name("Wexford", "Anselm"),
        PatientID=plot.digits(),
    )
    image = plant.item(
        OffsetOfTheNextDirectoryRecord=0,
        RecordInUseFlag=0xFFFF,
        OffsetOfReferencedLowerLevelDirectoryEntity=0,
        DirectoryRecordType="IMAGE",
        ReferencedFileID=file_id,
        ReferencedSOPClassUIDInFile=dataset.SOPClassUID,
        ReferencedSOPInstanceUIDInFile=dataset.SOPInstanceUID,
        ReferencedTransferSyntaxUIDInFile=ExplicitVRLittleEndian,
        InstanceNumber=1,
    )
    directory.DirectoryRecordSequence = plant.items(patient, image)
    directory.FileSetID = plot.word("SET").upper()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, directory)
    plot.file("DICOMDIR", buffer.getvalue())
    plot.write(dataset, "/".join(file_id))


@case(11, "files beside the images: logs, dumps, thumbnails, databases, reports")
def side_files(plot: Plot) -> None:
    dataset = plot.image()
    plot.write(dataset)
    plot.file("export.log", f"2021-03-04 sent {plot.name('Wexford', 'Anselm')} to {plot.word('Host')}\n".encode())
    plot.file("dump.xml", f"<NativeDicomModel><PN>{plot.word('Tarnholm')}</PN></NativeDicomModel>".encode())
    plot.file("dump.json", f'{{"00100010": {{"vr": "PN", "Value": ["{plot.word("Jasonby")}"]}}}}'.encode())
    plot.file("qc/report.html", f"<h1>{plot.word('Brackmoor')} {plot.digits()}</h1>".encode())
    # The start of a JPEG with a comment is enough: nobody may look further.
    comment = plot.word("Thumbnail").encode()
    plot.file("thumb.jpg", b"\xff\xd8\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + b"\xff\xd9")
    path = plot.folder / "viewer.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table patients (name text)")
        connection.execute("insert into patients values (?)", (plot.word("Rowanby"),))
    connection.close()


@case(12, "values that make an error quote them", EITHER)
def quoted_values(plot: Plot) -> None:
    bad: list[tuple[str, str, bytes]] = [
        ("StudyDate", "DA", plot.word("Dateless").encode()),
        ("ContentTime", "TM", plot.word("Timeless").encode()),
        ("PatientWeight", "DS", plot.word("Heavy").encode()),
        ("InstanceNumber", "IS", plot.word("Third").encode()),
        ("FrameOfReferenceUID", "UI", plot.word("Nouid").encode()),
        ("PatientAge", "AS", plot.word("Aged").encode()),
        ("Modality", "CS", plot.word("CT").encode()),
        ("AcquisitionDateTime", "DT", plot.word("Whenever").encode()),
    ]
    for number, (keyword, vr, value) in enumerate(bad):
        dataset = plot.image(variant=number)
        placeholder = b"9" * (len(value) + len(value) % 2)
        tag = pydicom.tag.Tag(keyword)
        dataset.add_new(tag, "LT", placeholder.decode())
        data = plant.encode(dataset)
        head = struct.pack("<HH2sH", tag.group, tag.element, b"LT", len(placeholder))
        wanted = struct.pack("<HH2sH", tag.group, tag.element, vr.encode(), len(placeholder))
        plot.file(f"{keyword}.dcm", data.replace(head + placeholder, wanted + value.ljust(len(placeholder)), 1))


CASES = (
    preamble,
    entity_titles,
    meta_uid,
    implementation,
    private_information,
    trailing_padding,
    after_pixels,
    too_long,
    names,
    directory,
    side_files,
    quoted_values,
)
