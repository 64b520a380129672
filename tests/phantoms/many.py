"""Many small CT images of many invented people, quickly and on little disk: for measuring what grows with an archive.

    python -m tests.phantoms.many OUT 100000 [100]

Every file has its own UIDs, number and position. Every hundred files, or as many as are asked for, are of another
person, and of those 128 in a row no two have the same optional elements. A file is 16 x 16 pixels, about 7 kB. Two runs
write the same bytes.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.phantoms.bundled import Person, identify, load, plant, unchecked

PER_PERSON = 100

_SIDE = 16
_OPTIONAL = (
    "ContrastBolusAgent",
    "FilterType",
    "FocalSpots",
    "PatientWeight",
    "SoftwareVersions",
    "StudyDescription",
    "TimezoneOffsetFromUTC",
)
_SYLLABLES = ("bar", "den", "fol", "gim", "hul", "kes", "mor", "nat", "pel", "rin")

# Placeholders of a fixed length, each of them nowhere else in a file.
_UID = "2.25.88888888888888888888"
_NUMBER = "77777777"
_PLACE = "66666666.5"


def images(count: int, *, per_person: int = PER_PERSON) -> Iterator[tuple[str, bytes]]:
    """`count` files, each with its path: a folder for each person."""
    for number in range(count):
        person, own = divmod(number, per_person)
        if own == 0:
            template = _template(person)
        content = (
            template.replace(_UID.encode(), f"2.25.{10**19 + number}".encode())
            .replace(_NUMBER.encode(), f"{own + 1:08}".encode())
            .replace(_PLACE.encode(), f"{own * 5:08}.5".encode())
        )
        yield f"{person:06d}/{own:06d}.dcm", content


def _template(number: int) -> bytes:
    ds = load("CT_small.dcm", "many", number)
    for bit, keyword in enumerate(_OPTIONAL):
        if number >> bit & 1:
            del ds[keyword]
    ds.Rows = ds.Columns = _SIDE
    ds.PixelData = ds.PixelData[: _SIDE * _SIDE * 2]
    ds.SOPInstanceUID = _UID
    plant(ds, _person(number))
    x, y, _ = ds.ImagePositionPatient
    with unchecked():
        ds.InstanceNumber, ds.SliceLocation, ds.ImagePositionPatient = _NUMBER, _PLACE, [x, y, _PLACE]
        identify(ds)
        file = io.BytesIO()
        ds.save_as(file)
    return file.getvalue()


def _person(number: int) -> Person:
    """Someone for each number; names are letters only, as names are."""
    name = "".join(_SYLLABLES[int(digit)] for digit in f"{number:04d}")
    return Person(
        family=f"Quill{name}",
        given=f"Ag{name}",
        mrn=f"PX{number:07d}",
        accession=f"ACC{number:07d}",
        birth=f"19{30 + number % 60}0411",
        physician=f"Thistle{name}",
        address=f"{number} Wexcombe Lane",
        phone=f"555-{number:07d}",
        institution="Marrowgate Infirmary",
        station="MARROWCT07",
    )


def main() -> None:
    out, count, per_person = Path(sys.argv[1]), int(sys.argv[2]), int((*sys.argv, PER_PERSON)[3])
    for name, content in images(count, per_person=per_person):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
