"""Recipes of the deid package fit the devices that they are written for, by text and by number."""

import subprocess
import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance.detect import devices
from tests.scrub.build import dataset, saved


def image(rows, columns, **changes):
    ds = dataset(numpy.zeros((rows, columns), "uint16"), **changes)
    ds.Rows, ds.Columns = rows, columns
    return saved(ds)


def boxes(instance):
    return [(found.left, found.top, found.right, found.bottom) for found in devices.regions(instance)]


DEVICES = [
    pytest.param(
        {"Modality": "US", "Manufacturer": "ACUSON", "ManufacturerModelName": "SEQUOIA"},
        (480, 640),
        [(0, 0, 640, 30)],
        id="Acuson Sequoia",
    ),
    pytest.param(
        {"Modality": "US", "Manufacturer": "Hitachi Medical", "ManufacturerModelName": "HI VISION Preirus"},
        (768, 1024),  # 0x0300 by 0x0400: a zero byte each
        [(0, 0, 1024, 60)],
        id="Hitachi Preirus, as wide as the image and no wider",
    ),
    pytest.param(
        {"Modality": "CT", "Manufacturer": "GE MEDICAL SYSTEMS", "BurnedInAnnotation": "YES"},
        (512, 512),
        [(0, 0, 512, 25)],
        id="GE screen capture",
    ),
    pytest.param(
        {"Modality": "CT", "ManufacturerModelName": "LightSpeed VCT", "ImageType": ["DERIVED", "SCREEN SAVE"]},
        (512, 512),
        [(0, 0, 512, 121)],
        id="one of two criteria in a line",
    ),
    pytest.param(
        {"Modality": "NM", "Manufacturer": "ADAC"}, (832, 1024), [(0, 0, 1024, 80), (0, 762, 1024, 832)], id="misspelt"
    ),
]


@pytest.mark.parametrize(("header", "size", "expected"), DEVICES)
def test_a_known_device_is_known_with_its_regions(header, size, expected):
    instance = image(*size, **header)
    assert devices.known(instance)
    assert boxes(instance) == expected
    assert {found.frame for found in devices.regions(instance)} == {None}


@pytest.mark.parametrize("rows", [511, 513, 2])
def test_a_number_is_compared_as_a_number(rows):
    header = {"Modality": "CT", "Manufacturer": "GE MEDICAL SYSTEMS", "BurnedInAnnotation": "YES"}
    assert devices.known(image(rows, 512, **header)) == ""


def test_an_unknown_device_has_no_regions():
    instance = image(512, 512, Modality="CT", Manufacturer="Nobody", ImageType=["ORIGINAL", "PRIMARY"])
    assert devices.known(instance) == ""
    assert devices.regions(instance) == ()


places = st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(0, 70), st.integers(0, 50))


@settings(max_examples=40, deadline=None)
@given(scans=st.lists(places, min_size=1, max_size=4))
def test_everything_outside_of_declared_scans_is_a_region_and_nothing_inside(scans):
    items = []
    for left, top, right, bottom in scans:
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
        items.append(item)
    instance = image(45, 66, Modality="US", SequenceOfUltrasoundRegions=items)
    expected = numpy.ones((45, 66), bool)
    for left, top, right, bottom in scans:
        expected[top : bottom + 1, left : right + 1] = False
    found = numpy.zeros((45, 66), bool)
    for left, top, right, bottom in boxes(instance):
        found[top:bottom, left:right] = True
    assert numpy.array_equal(found, expected)


def test_the_package_prints_nothing_and_its_imaging_parts_stay_unloaded():
    code = (
        "import sys; from governance.detect import devices; from governance.datatypes import Instance;"
        "print(repr(devices.known(Instance(b'', (), (), True, '', ''))), 'deid.dicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("'' False\n", "")
