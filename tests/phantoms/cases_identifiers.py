"""Cases 41-44 and 56: alphabets, look-alikes, and combinations."""

import hashlib
from pathlib import Path

from tests.phantoms.bundled import save
from tests.phantoms.leak_case import ct, leak, mr, patch

HASHED = hashlib.sha256(b"437731940").hexdigest()


@leak(
    41,
    "Names of three component groups, with credentials",
    "山田瑞穂之助",
    "やまだみずほのすけ",
    words=4,
    kept=("chest CT of", "pneumonia"),
)
def component_groups(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(41, SpecificCharacterSet=["", "ISO 2022 IR 87"])
    ds.PatientName = f"{words[0]}^Mizuho=山田瑞穂之助^花=やまだみずほのすけ^はな"
    ds.ReferringPhysicianName = f"{words[1]}^Tobias^{words[2]}^Dr^{words[3]}"
    ds.StudyDescription, ds.ImageComments = "chest CT of 山田瑞穂之助", f"pneumonia, Dr. {words[1]}, {words[3]}"
    save(ds, folder / "groups.dcm")
    ds = ct(41, 1, SpecificCharacterSet="ISO_IR 192")
    ds.PatientName = f"{words[0]}^Mizuho=山田瑞穂之助^花=やまだみずほのすけ^はな"
    save(ds, folder / "utf8.dcm")


@leak(
    42,
    "Wrong and changing character sets",
    "Διονυσιάδης",
    "Люксембургов",
    "남궁민수황보",
    "Quillmüllerß",
    "ヤマダクイル",
    kept=("chest pain of",),
)
def character_sets(folder: Path, words: list[str], uids: list[str]) -> None:
    planted = [
        ("ISO_IR 126", "Διονυσιάδης"),
        ("ISO_IR 144", "Люксембургов"),
        (["", "ISO 2022 IR 149"], "남궁민수황보"),
        ("ISO_IR 100", "Quillmüllerß"),
        ("GB18030", "Люксембургов"),
        (["", "ISO 2022 IR 87"], "ヤマダクイル"),
    ]
    for index, (charset, name) in enumerate(planted):
        ds = ct(42, index, SpecificCharacterSet=charset, PatientName=name, ImageComments=f"chest pain of {name}")
        save(ds, folder / f"{index}.dcm")

    # UTF-8 bytes that claim to be Latin-1, and Latin-1 bytes that claim to be UTF-8.
    path = save(ct(42, 7, SpecificCharacterSet="ISO_IR 192", PatientName="Quillmüllerß"), folder / "claims-latin.dcm")
    patch(path, b"ISO_IR 192", b"ISO_IR 100")
    path = save(ct(42, 8, SpecificCharacterSet="ISO_IR 100", PatientName="Quillmüllerß"), folder / "claims-utf8.dcm")
    patch(path, b"ISO_IR 100", b"ISO_IR 192")
    path = save(ct(42, 9, SpecificCharacterSet="ISO_IR 192", PatientName="Διονυσιάδης"), folder / "unknown.dcm")
    patch(path, b"ISO_IR 192", b"ISO_IR 999")


@leak(
    43,
    "UIDs built from numbers and dates, UIDs used twice, and plain hashes",
    "437731940",
    "19370411",
    HASHED,
    uids=2,
    kept=("nodule in the right lung", "seen on"),
)
def built_uids(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(43, 0, PatientID="437731940", StudyDate="19370411")
    ds.ImageComments, ds.StudyDescription = "nodule in the right lung, 437731940", f"seen on 19370411 {HASHED[:40]}"
    ds.StudyInstanceUID = "1.2.999.437731940.19370411.1"
    ds.SeriesInstanceUID = "1.2.999.437731940.19370411101112.2"
    ds.SOPInstanceUID = "1.2.999.437731940.19370411101112.3"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    save(ds, folder / "built.dcm")
    for index, patient in enumerate(["437731940", HASHED], start=1):
        ds = ct(43, index, PatientID=patient, StudyInstanceUID=uids[0], SeriesInstanceUID=uids[1])
        save(ds, folder / f"reused{index}.dcm")


@leak(
    44,
    "Look-alike numbers and names",
    "00447731940",
    "447731940",
    "Quillmüller",
    "Quillmueller",
    "Quilmueler",
    kept=("mass in the left breast",),
)
def look_alikes(folder: Path, words: list[str], uids: list[str]) -> None:
    people = [
        ("00447731940", "Quillmüller^Agnes"),
        ("447731940", "Quillmueller^Agnes"),
        (" 447731940 ", "QUILLMUELLER^AGNES"),
        ("447731940\0", "Quilmueler^Agnes"),
        ("ZQ44a7731940", "Quillmu\u0308ller^Agnes"),
        ("zq44A7731940", "quillmüller^agnes^"),
    ]
    for index, (number, name) in enumerate(people):
        ds = ct(44, index, SpecificCharacterSet="ISO_IR 192", PatientID=number, PatientName=name)
        ds.ImageComments = f"mass in the left breast, {name.replace('^', ' ')} {number}"
        save(ds, folder / f"{index}.dcm")


@leak(56, "Several series and sites that can be combined", "567731940", "19370411", "19370418", words=5, uids=4)
def combination(folder: Path, words: list[str], uids: list[str]) -> None:
    for index, (day, make) in enumerate([("19370411", ct), ("19370418", ct), ("19370418", mr)]):
        ds = make(
            56,
            index,
            PatientID="567731940",
            PatientName=f"{words[0]}^Agnes",
            StudyDate=day,
            SeriesDate=day,
            AcquisitionDate=day,
            ContentDate=day,
            StudyInstanceUID=uids[0],
            SeriesInstanceUID=uids[index + 1],
            InstitutionName=words[1 + index % 2],
            StationName=words[3 + index % 2],
        )
        save(ds, folder / f"site{index % 2}" / f"{index}.dcm")
