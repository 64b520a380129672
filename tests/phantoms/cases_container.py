"""Cases 1-12: the container and the file."""

import io
import json
import sqlite3
import struct
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

from PIL import Image, PngImagePlugin
from pydicom.fileset import FileSet

from tests.phantoms.bundled import save
from tests.phantoms.leak_case import ct, leak, mr, patch


@leak(1, "Preamble that is also a TIFF with an ImageDescription", words=2)
def preamble(folder: Path, words: list[str], uids: list[str]) -> None:
    text = f"Patient {words[0]}\0".encode()
    tiff = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 270, 2, len(text), 26, 0) + text
    ds = ct(1)
    ds.preamble = tiff.ljust(128, b"\0")
    save(ds, folder / "dual.dcm")
    ds = mr(1, 1)
    ds.preamble = f"exported for {words[1]}".encode().ljust(128, b"\0")
    save(ds, folder / "text.dcm")


@leak(2, "AE titles in the file meta information", words=3)
def ae_titles(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(2)
    ds.file_meta.SourceApplicationEntityTitle = words[0]
    ds.file_meta.SendingApplicationEntityTitle = words[1]
    ds.file_meta.ReceivingApplicationEntityTitle = words[2]
    save(ds, folder / "one.dcm")


@leak(3, "MediaStorageSOPInstanceUID that differs from the dataset's", uids=2)
def media_storage_uid(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(3)
    ds.file_meta.MediaStorageSOPInstanceUID = uids[0]
    save(ds, folder / "differs.dcm")
    ds = ct(3, 1, SOPInstanceUID=uids[1])
    ds.file_meta.MediaStorageSOPInstanceUID = uids[1]
    save(ds, folder / "agrees.dcm")


@leak(4, "Implementation class and version that name the gateway", words=1, uids=1)
def implementation(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(4)
    ds.file_meta.ImplementationClassUID = uids[0]
    ds.file_meta.ImplementationVersionName = words[0]
    save(ds, folder / "one.dcm")


@leak(5, "Private Information in the file meta information", words=1, uids=1)
def private_information(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(5)
    ds.file_meta.PrivateInformationCreatorUID = uids[0]
    ds.file_meta.PrivateInformation = f"ward {words[0]} ".encode()
    save(ds, folder / "one.dcm")


@leak(6, "DataSetTrailingPadding used as a text dump", words=1)
def trailing_padding(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(6)
    ds.DataSetTrailingPadding = f"dump: patient={words[0]};".encode().ljust(64, b"\0")
    save(ds, folder / "one.dcm")


@leak(7, "Elements after PixelData", words=3)
def after_pixel_data(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(7)
    ds.add_new(0x7FE10010, "LO", words[0])
    ds.add_new(0x7FE11001, "LT", f"Patient {words[1]}")
    ds.add_new(0xF0010010, "LO", "PHANTOM TAIL")
    ds.add_new(0xF0011001, "PN", f"{words[2]}^Agnes")
    save(ds, folder / "one.dcm")


@leak(8, "Bytes after the last element, and PixelData that is too long", words=2)
def slack(folder: Path, words: list[str], uids: list[str]) -> None:
    path = save(ct(8), folder / "after.dcm")
    with path.open("ab") as out:
        out.write(f"patient {words[0]}".encode())
    ds = mr(8, 1)
    ds.PixelData += f"patient {words[1]} ".encode()
    save(ds, folder / "long.dcm")


@leak(9, "Names of files, folders and members, zip comments, tar owners, links", words=12)
def names(folder: Path, words: list[str], uids: list[str]) -> None:
    first = save(ct(9), folder / words[0] / f"{words[1]}.dcm")

    with zipfile.ZipFile(folder / f"{words[2]}.zip", "w") as out:
        info = zipfile.ZipInfo(f"{words[3]}/{words[4]}.dcm")
        info.comment = words[5].encode()
        out.writestr(info, save(ct(9, 1), folder / "member.dcm").read_bytes())
        out.comment = words[6].encode()

    data = save(ct(9, 2), folder / "member.dcm").read_bytes()
    with tarfile.open(folder / f"{words[7]}.tar", "w") as out:
        member = tarfile.TarInfo(f"{words[8]}.dcm")
        member.size, member.uname, member.gname = len(data), words[9], words[10]
        out.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link.dcm")
        link.type, link.linkname = tarfile.SYMTYPE, f"/home/{words[11]}/ct.dcm"
        out.addfile(link)

    (folder / "member.dcm").unlink()
    (folder / f"link-{words[0]}.dcm").symlink_to(first)


@leak(10, "DICOMDIR records, and the paths in them", "ZQ10PATH", words=4)
def dicomdir(folder: Path, words: list[str], uids: list[str]) -> None:
    files = FileSet()
    files.ID = words[0].upper()
    for index in range(2):
        ds = ct(10, index, PatientName=f"{words[1]}^Agnes", PatientID=words[2], StudyDescription=f"for {words[3]}")
        ds.InstanceNumber = index + 1
        files.add(ds)
    files.write(folder / "media")
    # A folder that is called by the patient, with a name as long as the one that pydicom gave.
    (folder / "media" / "PT000000").rename(folder / "media" / "ZQ10PATH")
    patch(folder / "media" / "DICOMDIR", b"PT000000", b"ZQ10PATH")


@leak(11, "Side files: logs, dumps, thumbnails, databases, reports", words=8)
def side_files(folder: Path, words: list[str], uids: list[str]) -> None:
    save(ct(11), folder / "one.dcm")
    (folder / "export.log").write_text(f"INFO exported patient {words[0]}\n")
    (folder / "one.xml").write_text(f"<patient><name>{words[1]}</name></patient>\n")
    (folder / "one.json").write_text(json.dumps({"00100010": {"vr": "PN", "Value": [{"Alphabetic": words[2]}]}}))
    (folder / "qc-report.csv").write_text(f"name,ok\n{words[3]},yes\n")
    about = PngImagePlugin.PngInfo()
    about.add_text("Title", words[4])
    shots = folder / f"screenshots of {words[5]}"
    shots.mkdir()
    Image.new("L", (64, 64), 90).save(shots / "thumb.png", pnginfo=about)
    with closing(sqlite3.connect(folder / f"{words[6]}.db")) as database, database:
        database.execute("CREATE TABLE patient (name TEXT)")
        database.execute("INSERT INTO patient VALUES (?)", (words[7],))


@leak(12, "Linkage tables, and values that error messages quote", words=8)
def linkage(folder: Path, words: list[str], uids: list[str]) -> None:
    (folder / "linkage.csv").write_text(f"mrn,image\n{words[0]},one.dcm\n")
    (folder / "patient.json").write_text(json.dumps({"resourceType": "Patient", "name": [{"family": words[1]}]}))
    (folder / "order.hl7").write_text(f"MSH|^~\\&|RIS|X\rPID|1||{words[2]}\r")
    save(ct(12, 0, PatientBirthDate=words[3], PatientAge=words[4]), folder / "date.dcm")
    save(ct(12, 1, StudyTime=words[5]), folder / "time.dcm")

    # A number that is not one: pydicom's exception quotes it.
    for index, vr in ((2, b"IS"), (3, b"DS")):
        ds = ct(12, index)
        ds.add_new(0x00200013, "LO", words[4 + index])
        path = save(ds, folder / f"number{index}.dcm")
        patch(path, b"\x20\x00\x13\x00LO", b"\x20\x00\x13\x00" + vr)

    # A UID that is not one.
    save(ct(12, 4, FrameOfReferenceUID=f"{words[6]}"), folder / "uid.dcm")
