"""Recipes of the deid package fit the devices that they are written for, by text and by number."""

import subprocess
import sys

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance.detect import devices
from tests.scrub.build import dataset, saved


def image(rows, columns, **changes):
    ds = dataset(numpy.zeros((rows, columns), "uint16"), **changes)
    ds.Rows, ds.Columns = rows, columns
    return saved(ds)


DEVICES = [
    pytest.param(
        {"Modality": "US", "Manufacturer": "ACUSON", "ManufacturerModelName": "SEQUOIA"},
        (480, 640),
        "Acuson Sequoia",
        id="Acuson Sequoia",
    ),
    pytest.param(
        {"Modality": "US", "Manufacturer": "Hitachi Medical", "ManufacturerModelName": "HI VISION Preirus"},
        (768, 1024),  # 0x0300 by 0x0400: a zero byte each
        "Hitachi",
        id="Hitachi Preirus",
    ),
    pytest.param(
        {"Modality": "CT", "Manufacturer": "GE MEDICAL SYSTEMS", "BurnedInAnnotation": "YES"},
        (512, 512),
        "Screen Captures",
        id="GE screen capture",
    ),
    pytest.param(
        {"Modality": "CT", "ManufacturerModelName": "LightSpeed VCT", "ImageType": ["DERIVED", "SCREEN SAVE"]},
        (512, 512),
        "LightSpeed Dose Report",
        id="one of two criteria in a line",
    ),
    pytest.param({"Modality": "NM", "Manufacturer": "ADAC"}, (832, 1024), "ADAC", id="misspelt"),
]


@pytest.mark.parametrize(("header", "size", "label"), DEVICES)
def test_a_known_device_is_known_by_its_recipe(header, size, label):
    assert devices.known(image(*size, **header)).name == label


@pytest.mark.parametrize("rows", [511, 513, 2])
def test_a_number_is_compared_as_a_number(rows):
    header = {"Modality": "CT", "Manufacturer": "GE MEDICAL SYSTEMS", "BurnedInAnnotation": "YES"}
    assert devices.known(image(rows, 512, **header)).name == ""


def test_an_unknown_device_is_not_known():
    instance = image(512, 512, Modality="CT", Manufacturer="Nobody", ImageType=["ORIGINAL", "PRIMARY"])
    assert devices.known(instance).name == ""


def test_the_package_prints_nothing_and_its_imaging_parts_stay_unloaded():
    code = (
        "import sys; from governance.detect import devices; from governance.datatypes import Instance;"
        "print(repr(devices.known(Instance(b'', (), (), True, '', '')).name), 'deid.dicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("'' False\n", "")


def test_the_boxes_of_a_recipe_lie_in_the_image():
    known = devices.known(image(480, 640, Modality="US", Manufacturer="ACUSON", ManufacturerModelName="SEQUOIA"))

    assert known.text
    assert all(0 <= box.left < box.right <= 640 and 0 <= box.top < box.bottom <= 480 for box in known.text)
    assert {(box.frame, box.detector) for box in known.text} == {(None, devices.RECIPE)}


def region(left, top, right, bottom, *, shows=1):
    item = Dataset()
    item.RegionSpatialFormat = shows
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return item


def beside(*items, rows=40, columns=60):
    known = devices.known(image(rows, columns, SequenceOfUltrasoundRegions=list(items)))
    assert {box.detector for box in known.text} <= {devices.REGIONS}
    outside = numpy.zeros((rows, columns), int)
    for box in known.text:
        outside[box.top : box.bottom, box.left : box.right] += 1
    return outside


across = st.lists(st.integers(0, 59), min_size=2, max_size=2).map(sorted)
down = st.lists(st.integers(0, 39), min_size=2, max_size=2).map(sorted)


@given(st.lists(st.tuples(across, down), min_size=1, max_size=5))
def test_what_is_beside_the_regions_is_each_pixel_outside_of_all_once(places):
    expected = numpy.ones((40, 60), int)
    for (left, right), (top, bottom) in places:
        expected[top : bottom + 1, left : right + 1] = 0  # the edges belong to the region

    outside = beside(*(region(x[0], y[0], x[1], y[1]) for x, y in places))

    numpy.testing.assert_array_equal(outside, expected)


def test_regions_that_are_no_image_or_of_another_image_are_not_believed():
    inner, frame = region(10, 10, 20, 20), region(0, 5, 59, 39, shows=0)
    numpy.testing.assert_array_equal(beside(inner, frame), beside(inner))
    assert beside(inner).any()
    assert not beside(frame).any()
    assert not beside(inner, region(10, 10, 61, 20)).any()  # two columns too far
    assert not beside(*[inner] * 65).any()
    numpy.testing.assert_array_equal(beside(region(10, 10, 60, 20)), beside(region(10, 10, 59, 20)))
    numpy.testing.assert_array_equal(beside(inner, region(0, 5, 59, 39, shows=5)), beside(inner))
    assert not beside().any()
