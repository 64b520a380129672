"""The demo archive: real files with invented patients, in a folder, a disc with its DICOMDIR, a zip and a tar.gz.

    python -m tests.phantoms.archive OUT

Two runs write the same bytes. The answer key lists every string that must not come out.
"""

import gzip
import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence

from tests.phantoms.bundled import Person, capture, draw, identify, load, plant, save, uid, unchecked

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"

PEOPLE = [
    Person(
        "Quillfeather",
        "Agnes",
        "PX4471923",
        "ACC7731940",
        "19370411",
        "Thistlewaite",
        "14 Wexcombe Lane",
        "555-0147731",
        "Marrowgate Infirmary",
        "MARROWCT07",
    ),
    Person(
        "Ombersley",
        "Tobias",
        "PX5582034",
        "ACC7731951",
        "19460822",
        "Grimshawe",
        "3 Puddlecote Row",
        "555-0147742",
        "Hallowmere Hospital",
        "HALLOWMR02",
    ),
    Person(
        "Vantongeren",
        "Mirabel",
        "PX6693145",
        "ACC7731962",
        "19521130",
        "Peasgoode",
        "77 Tanglewick Road",
        "555-0147753",
        "Hallowmere Hospital",
        "HALLOWMR02",
    ),
    Person(
        "Dropmorrow",
        "Casimir",
        "PX7704256",
        "ACC7731973",
        "19410219",
        "Underhillock",
        "9 Brackwater Quay",
        "555-0147764",
        "Saltmarsh Oncology",
        "SALTLINAC1",
    ),
    Person(
        "Featherstonhaugh",
        "Odile",
        "PX8815367",
        "ACC7731984",
        "19680705",
        "Lanternsby",
        "21 Cobblestow Hill",
        "555-0147775",
        "Marrowgate Infirmary",
        "MARROWSC03",
    ),
    Person(
        "Zebrowinski",
        "Halvard",
        "PX9926478",
        "ACC7731995",
        "19290316",
        "Crumplehorn",
        "6 Ashenvale Close",
        "555-0147786",
        "Whinfell Clinic",
        "WHINFELLCT",
    ),
]

NOTE = "Fax cover for Quillfeather, call back on 555-0147731, ward Bellwether\n"


def answer_key() -> list[str]:
    """Every planted string, without duplicates, in a fixed order."""
    return list(dict.fromkeys([text for person in PEOPLE for text in person.strings()] + ["Bellwether"]))


def build(out: Path) -> int:
    """Build the archive at `out`, which must not exist; returns how many sources it holds."""
    if out.exists():
        raise FileExistsError("the demo archive exists already")
    partial = out.with_name(out.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    with unchecked():
        count = _folder(partial / "radiology")
        count += _disc(partial / "disc")
        count += _zip(partial / "captures.zip", _captures(partial / "work"))
        count += _tar(partial / "transfer.tar.gz", _transfer(partial / "work"))
    shutil.rmtree(partial / "work")
    partial.rename(out)
    return count


def _planted(name: str, person: Person, number: int, *, study: str = "1") -> Dataset:
    ds = load(name, person.mrn, name, number, study)
    ds.InstanceNumber = number
    plant(ds, person, study=study)
    return ds


def _slice(person: Person, number: int) -> Dataset:
    ds = _planted("CT_small.dcm", person, number)
    ds.SliceLocation = f"{number * 5.0:.1f}"
    x, y, _ = ds.ImagePositionPatient
    ds.ImagePositionPatient = [x, y, number * 5.0]
    return ds


def _folder(folder: Path) -> int:
    agnes, tobias, mirabel, casimir, odile, _ = PEOPLE
    for number in range(1, 11):
        save(_slice(agnes, number), folder / "ct" / f"slice{number:02d}.dcm")
    shutil.copyfile(folder / "ct" / "slice01.dcm", folder / "ct" / "slice01-copy.dcm")

    save(_planted("MR_small.dcm", tobias, 1), folder / "mr" / "explicit.dcm")
    save(_planted("MR_small_implicit.dcm", mirabel, 1), folder / "mr" / "implicit.dcm")
    save(_planted("MR_small_RLE.dcm", tobias, 2), folder / "mr" / "rle.dcm")
    save(_planted("MR_small_jp2klossless.dcm", tobias, 3), folder / "mr" / "jpeg2000.dcm")
    save(_planted("MR_small_jpeg_ls_lossless.dcm", mirabel, 2), folder / "mr" / "jpegls.dcm")

    whole = save(_planted("MR_small.dcm", mirabel, 9), folder / "mr" / "truncated.dcm")
    whole.write_bytes(whole.read_bytes()[:-3000])

    for name in ("rtplan", "rtdose", "rtstruct"):
        save(_planted(f"{name}.dcm", casimir, 1), folder / "rt" / f"{name}.dcm")

    seen = _planted("examples_rgb_color.dcm", mirabel, 1)
    draw(seen, mirabel.caption, at=(4, 4), size=14)
    save(seen, folder / "us" / "named.dcm")
    save(_planted("examples_jpeg2k.dcm", tobias, 1), folder / "us" / "jpeg2000.dcm")

    save(_report(odile), folder / "reports" / "report.dcm")
    save(_pdf(odile), folder / "reports" / "letter.dcm")
    (folder / "readme.txt").write_text(NOTE)
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _disc(folder: Path) -> int:
    """A disc as a patient carries it home: a DICOMDIR that names him, and what it lists."""
    _, tobias, _, _, _, _ = PEOPLE
    folder.mkdir()
    disc = FileSet()
    disc.ID, disc.UID = "TO TAKE HOME", uid("disc")
    for number in (11, 12):
        disc.add(_planted("MR_small.dcm", tobias, number, study="3"))
    disc.write(folder)
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _report(person: Person) -> Dataset:
    ds = _planted("test-SR.dcm", person, 1)
    concept = Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = "121071", "DCM", "Finding"
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = Sequence([concept])
    item.TextValue = f"{person.given} {person.family} was seen at {person.institution}."
    ds.ContentSequence.append(item)
    return ds


def _pdf(person: Person) -> Dataset:
    ds = _planted("CT_small.dcm", person, 2)
    for tag in [element.tag for element in ds if element.tag.group in (0x0018, 0x0028, 0x0043, 0x7FE0)]:
        del ds[tag]
    ds.SOPClassUID = ENCAPSULATED_PDF
    ds.Modality = "DOC"
    ds.SOPInstanceUID, ds.SeriesInstanceUID = (uid(level, person.mrn, "DOC") for level in ("instance", "series"))
    ds.DocumentTitle = f"Letter about {person.family}"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = pdf(f"Dear Dr {person.physician}, {person.given} {person.family} ({person.mrn})")
    identify(ds)
    return ds


def pdf(text: str) -> bytes:
    """A one-page PDF that shows the text and names it in its metadata; an even number of bytes."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text.replace('(', '').replace(')', '')}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        f"<< /Title ({text.replace('(', '').replace(')', '')}) >>",
    ]
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer\n<< /Size 6 /Root 1 0 R /Info 5 0 R >>\n"
    whole = body + f"{end}startxref\n{len(body)}\n%%EOF\n".encode()
    return whole + b"\n" * (len(whole) % 2)


def _captures(work: Path) -> list[tuple[str, bytes]]:
    agnes, _, _, _, odile, _ = PEOPLE
    made = {
        "sc/one.dcm": capture(agnes, "one"),
        "sc/two.dcm": capture(odile, "two"),
        "sc/frames.dcm": capture(odile, "frames", frames=3),
        "sc/rle.dcm": _planted("SC_rgb_rle.dcm", odile, 3),
        "sc/jpeg.dcm": _planted("SC_rgb_jpeg_dcmtk.dcm", odile, 4),
        "ct/1.dcm": _slice(odile, 1),
        "ct/2.dcm": _slice(odile, 2),
    }
    return [(name, save(ds, work / name).read_bytes()) for name, ds in made.items()]


def _transfer(work: Path) -> list[tuple[str, bytes]]:
    _, tobias, mirabel, _, _, halvard = PEOPLE
    made = {
        "site/ct/1.dcm": _slice(halvard, 1),
        "site/ct/2.dcm": _slice(halvard, 2),
        "site/ct/3.dcm": _slice(halvard, 3),
        "site/mr/1.dcm": _planted("MR_small.dcm", tobias, 7, study="2"),
        "site/mr/2.dcm": _planted("MR_small_implicit.dcm", mirabel, 8, study="2"),
    }
    return [(name, save(ds, work / name).read_bytes()) for name, ds in made.items()]


def _zip(path: Path, members: list[tuple[str, bytes]]) -> int:
    with zipfile.ZipFile(path, "w") as out:
        for name, data in members:
            info = zipfile.ZipInfo(name, date_time=(2000, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o644 << 16
            out.writestr(info, data)
    return len(members)


def _tar(path: Path, members: list[tuple[str, bytes]]) -> int:
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as out,
    ):
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), 0, 0o644
            out.addfile(info, io.BytesIO(data))
    return len(members)


def main(arguments: list[str]) -> int:
    """Build the archive where the only argument says."""
    if len(arguments) != 1:
        print("usage: python -m tests.phantoms.archive OUT", file=sys.stderr)
        return 2
    try:
        count = build(Path(arguments[0]))
    except FileExistsError:
        print("archive: error: the folder exists already", file=sys.stderr)
        return 2
    print(f"{count} sources in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
