"""An instance whose pixels were overwritten says so, behind what it said before; one whose pixels were not does not."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary

from governance import policy, read, write
from governance.datatypes import Outcome, Region, Ruling, RulingKind, Source
from governance.keys import Keyring
from governance.pipeline.instance import Processed, Worker, source_digest
from governance.pipeline.rulings import InForce
from governance.write.derivation import DERIVATIONS
from tests.pipeline.objects import OBJECTS, holding_everything
from tests.pipeline.validator import errors
from tests.read.datasets import BUNDLED

KEYS = Keyring(bytes(32)).project("p")
BOX = Region(0, 0, 8, 4, None, "person", 1.0)


def said(dataset: Dataset) -> list[tuple[str, str, str]]:
    return [(item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) for item in dataset.DerivationCodeSequence]


def derived(data: bytes, masked: write.Masked) -> Dataset:
    instance = read.parse(data)
    added, appended = write.derivation(instance, {}, masked)
    return pydicom.dcmread(BytesIO(b"".join(write.instance(instance, {}, added, appended_items=appended))))


def saved(dataset: Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def ct() -> Dataset:
    return pydicom.dcmread(BUNDLED / "CT_small.dcm")


def test_codes_and_meanings_are_those_of_the_context_group() -> None:
    theirs = {
        str(code.value): code.meaning for code in (getattr(dictionary.cid7203, n) for n in dictionary.cid7203.dir())
    }

    assert DERIVATIONS.items() <= theirs.items()


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
def test_what_was_done_is_told_in_words_and_codes(name: str) -> None:
    dataset = derived((BUNDLED / name).read_bytes(), write.Masked(3, 1, lossy=False))

    assert dataset.DerivationDescription == "De-identification: 3 regions of pixels overwritten in 1 frame"
    assert said(dataset) == [("113047", "DCM", "Pixel by pixel mask")]


def test_what_was_said_before_stays_in_front() -> None:
    before = ct()
    before.DerivationDescription = "MPR\\oblique"
    before.DerivationCodeSequence = [item := Dataset()]
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113072", "DCM", "Multiplanar reformatting"

    dataset = derived(saved(before), write.Masked(1, 2, lossy=True))

    text = "MPR\\oblique; De-identification: 1 region of pixels overwritten in 2 frames"
    assert dataset.DerivationDescription == text
    assert [code for code, _, _ in said(dataset)] == ["113072", "113047", "113040"]
    assert dataset.LossyImageCompression == "01"


def test_a_description_without_room_is_not_cut() -> None:
    before = ct()
    before.DerivationDescription = "x" * 1000

    dataset = derived(saved(before), write.Masked(1, 1, lossy=False))

    assert dataset.DerivationDescription == "x" * 1000
    assert said(dataset) == [("113047", "DCM", "Pixel by pixel mask")]


# ------------------------------------------------------------------ through the whole of a run


def processed(data: bytes, staging: Path, *, boxes: tuple[Region, ...]) -> Processed:
    ruling = Ruling("r" * 64, RulingKind.MASK if boxes else RulingKind.APPROVE, boxes, "why")
    digest = source_digest(KEYS, data)
    decided = InForce(KEYS, {digest: ruling}, frozenset([digest]))
    worker = Worker(rules=policy.load("research-headers"), keys=KEYS, staging=staging, decided=decided)
    return worker.process(Source("source"), data, source_digest(KEYS, data))


def written(done: Processed) -> Dataset:
    assert (done.outcome, done.reason) == (Outcome.PUBLISHED, "")
    assert done.staged is not None
    return pydicom.dcmread(done.staged.path)


def test_only_pixels_that_were_overwritten_are_said_to_be(tmp_path: Path) -> None:
    data = (BUNDLED / "CT_small.dcm").read_bytes()

    plain, masked = (written(processed(data, tmp_path, boxes=boxes)) for boxes in ((), (BOX,)))

    assert "DerivationDescription" not in plain
    assert "DerivationCodeSequence" not in plain
    assert masked.DerivationDescription == "De-identification: 1 region of pixels overwritten in 1 frame"
    assert masked.ImageType == plain.ImageType == ct().ImageType
    assert len(set(masked.pixel_array[:4, :8].flat)) == 1


def test_the_receipt_says_it_too(tmp_path: Path) -> None:
    done = processed((BUNDLED / "CT_small.dcm").read_bytes(), tmp_path, boxes=(BOX,))

    assert done.receipt is not None
    assert "overwritten" in str(done.receipt.facts["DerivationDescription"])


def test_a_codec_that_ran_again_and_loses_information_is_declared(tmp_path: Path) -> None:
    data = (BUNDLED / "examples_ybr_color.dcm").read_bytes()
    assert pydicom.dcmread(BytesIO(data)).file_meta.TransferSyntaxUID.is_compressed

    masked = written(processed(data, tmp_path, boxes=(BOX,)))

    lossy = masked.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert ("113040" in [code for code, _, _ in said(masked)]) == lossy
    assert not lossy or masked.LossyImageCompression == "01"


def test_references_to_source_images_lead_to_where_those_are_published(tmp_path: Path) -> None:
    """The same UID as the source image gets when it is published itself."""
    source, other = ct(), ct()
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    other.SourceImageSequence = [item := Dataset()]
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID

    first, second = (written(processed(saved(each), tmp_path, boxes=(BOX,))) for each in (source, other))

    (reference,) = second.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == first.SOPInstanceUID != source.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == source.SOPClassUID


def with_pixels(iod: str) -> bytes:
    """An object of a class of images, with 8 rows and columns."""
    dataset = pydicom.dcmread(BytesIO(holding_everything(iod)))
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PixelRepresentation, dataset.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.NumberOfFrames = 16, 16, 15, 1
    dataset.add_new("PixelData", "OW", bytes(range(128)))
    return saved(dataset)


IMAGES = [iod for iod in OBJECTS if iod.endswith("-image") or iod == "rt-dose"]


@pytest.mark.parametrize("iod", IMAGES)
def test_no_object_gains_an_error_when_its_pixels_are_masked(
    iod: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    data = with_pixels(iod)

    plain, masked = (
        processed(data, tmp_path, boxes=boxes) for boxes in ((), (Region(0, 0, 2, 2, None, "person", 1.0),))
    )

    assert "overwritten" in written(masked).DerivationDescription
    assert "overwritten" not in written(plain).get("DerivationDescription", "")
    before, after = (errors(program("dciodvfy"), each.staged.path) for each in (plain, masked) if each.staged)
    assert after - before == set()
