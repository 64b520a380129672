"""Data sets for property tests, and the comparison of our element table with pydicom's reading."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pydicom.data
from hypothesis import strategies as st
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from governance import dicom, read
from governance.datatypes import Element, Instance
from governance.errors import Unreadable
from tests.encoding import WIDTHS

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
_DATA = Path(pydicom.data.__file__).parent
BUNDLED = _DATA / "test_files"

_words = st.text(st.sampled_from("ABCXYZ 0123456789"), max_size=12)
_values = {
    0x00080060: st.just(("CS", "CT")),
    0x00080080: _words.map(lambda text: ("LO", text)),
    0x00081030: _words.map(lambda text: ("LO", text)),
    0x00100010: _words.map(lambda text: ("PN", text)),
    0x00100020: _words.map(lambda text: ("LO", text)),
    0x00104000: st.text(st.sampled_from("ab \\"), max_size=90).map(lambda text: ("LT", text)),
    0x00180060: st.integers(0, 300).map(lambda number: ("DS", str(number))),
    0x00280010: st.integers(0, 65535).map(lambda number: ("US", number)),
    0x00280106: st.integers(0, 65535).map(lambda number: ("US", number)),
    0x00281052: st.just(("DS", "")),
    0x00289110: st.just(("SQ", [])),
    0x0040A160: st.text(st.sampled_from("ab\n"), max_size=70000).map(lambda text: ("UT", text)),
}
_sequences = (0x00081115, 0x00082112, 0x00400275, 0x52009230)
_creators = ("GOVERNANCE TEST A", "GOVERNANCE TEST B", "SIEMENS CSA HEADER")


@st.composite
def _private_blocks(draw: st.DrawFn) -> list[DataElement]:
    """One or two creators in one group, with blocks in either order."""
    group = draw(st.sampled_from((0x0009, 0x0029, 0x7001)))
    creators = draw(st.lists(st.sampled_from(_creators), unique=True, max_size=2))
    blocks = draw(st.permutations((0x10, 0x42)))
    elements = []
    for block, creator in zip(blocks, creators, strict=False):
        elements.append(DataElement(group << 16 | block, "LO", creator))
        for number in draw(st.sets(st.integers(0x20, 0x24), max_size=2)):
            value = draw(st.binary(max_size=9))
            elements.append(DataElement(group << 16 | block << 8 | number, "UN", value + b"\0" * (len(value) % 2)))
    return elements


@st.composite
def datasets(draw: st.DrawFn, depth: int = 3) -> Dataset:
    """A data set with text, numbers, private blocks and nested sequences of either length form."""
    dataset = Dataset()
    for tag in draw(st.sets(st.sampled_from(sorted(_values)), min_size=1, max_size=5)):
        vr, value = draw(_values[tag])
        dataset.add_new(tag, vr, value)
    for element in draw(_private_blocks()):
        dataset.add(element)
    if depth:
        for tag in draw(st.sets(st.sampled_from(_sequences), max_size=2)):
            items = draw(st.lists(datasets(depth=depth - 1), max_size=2))
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            element = DataElement(tag, "SQ", Sequence(items))
            element.is_undefined_length = draw(st.booleans())
            dataset.add(element)
    return dataset


def encoded(dataset: Dataset, *, explicit: bool) -> bytes:
    """A DICOM file of `dataset`, written by pydicom."""
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.826.0.1.3680043.8.498.1"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    dataset.file_meta = meta
    file = BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def files() -> list[Path]:
    """Every file that pydicom brings along, and the collection of real ones where it is there."""
    roots = [BUNDLED, _DATA / "charset_files", CORPUS]
    return sorted(path for root in roots for path in root.rglob("*") if path.is_file())


def readable() -> Iterator[tuple[Path, bytes, Instance]]:
    """Those of `files` that can be read."""
    for path in files():
        data = path.read_bytes()
        try:
            instance = read.parse(data)
        except Unreadable:
            continue
        yield path, data, instance


def differences(
    instance: Instance, elements: Iterable[Element], dataset: Dataset, path: str = "", *, big_endian: bool = False
) -> list[str]:
    """Where our table and pydicom's reading of the same bytes disagree; tags and kinds, no values.

    What has no VR of its own, or UN, has that of a dictionary in our table. big_endian: the source was, our
    table is not.
    """
    ours = {element.tag: element for element in elements}
    theirs = {int(tag) for tag in dataset.keys()}  # noqa: SIM118  a Dataset iterates over decoded elements
    found = [f"{path}{tag:08x} only in one" for tag in sorted(ours.keys() ^ theirs)]
    for tag in sorted(ours.keys() & theirs):
        element, raw = ours[tag], dataset.get_item(tag)
        if element.items is not None:
            if element.creator is not None and raw.VR != "SQ":
                continue  # what a private dictionary says to be a number
            items = dataset[tag].value
            if not isinstance(items, Sequence):
                continue  # a sequence in UN that pydicom leaves alone
            if len(items) != len(element.items):
                found.append(f"{path}{tag:08x} has another number of items")
            for number, (mine, other) in enumerate(zip(element.items, items, strict=False)):
                found += differences(
                    instance, mine.elements, other, f"{path}{tag:08x}[{number}].", big_endian=big_endian
                )
        elif isinstance(raw, RawDataElement):
            value = swapped(raw.value or b"", element.vr) if big_endian else raw.value or b""
            if value.rstrip(b"\0 ") != unterminated(instance.value(element)).rstrip(b"\0 "):
                found.append(f"{path}{tag:08x} has another value")
            if raw.VR not in (None, "UN", element.vr) and tag != dicom.PIXEL_DATA:
                found.append(f"{path}{tag:08x} has another VR")
    return found


def swapped(value: bytes, vr: str) -> bytes:
    """The other byte order."""
    width = WIDTHS.get(vr, 1)
    return b"".join(value[at : at + width][::-1] for at in range(0, len(value), width))


def unterminated(value: bytes) -> bytes:
    """Encapsulated pixel data without its delimiter, as pydicom keeps it."""
    return value.removesuffix(b"\xfe\xff\xdd\xe0\0\0\0\0")
