"""Many small images: each one its own, whoever reads it."""

import io

from pydicom import dcmread

from tests.phantoms.many import PER_PERSON, images


def test_every_image_is_its_own_and_belongs_to_its_person() -> None:
    read = [dcmread(io.BytesIO(content)) for _, content in images(PER_PERSON + 2)]

    assert len(read) == len({ds.SOPInstanceUID for ds in read})
    assert [ds.SOPInstanceUID for ds in read] == [ds.file_meta.MediaStorageSOPInstanceUID for ds in read]
    assert len({ds.PatientID for ds in read}) == len({ds.StudyInstanceUID for ds in read}) == 2
    assert [*range(1, PER_PERSON + 1), 1, 2] == [ds.InstanceNumber for ds in read]
    assert [ds.SliceLocation for ds in read] == [ds.ImagePositionPatient[2] for ds in read]


def test_pixels_are_as_many_as_the_header_says() -> None:
    ((_, content),) = images(1)
    ds = dcmread(io.BytesIO(content))

    assert ds.Rows * ds.Columns * 2 == len(ds.PixelData)


def test_two_runs_write_the_same_bytes() -> None:
    assert list(images(3)) == list(images(3))
