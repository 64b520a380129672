"""Recipes of the deid package fit the devices that they are written for, by text and by number."""

import subprocess
import sys

import numpy
import pytest

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
    assert devices.known(image(*size, **header)) == label


@pytest.mark.parametrize("rows", [511, 513, 2])
def test_a_number_is_compared_as_a_number(rows):
    header = {"Modality": "CT", "Manufacturer": "GE MEDICAL SYSTEMS", "BurnedInAnnotation": "YES"}
    assert devices.known(image(rows, 512, **header)) == ""


def test_an_unknown_device_is_not_known():
    instance = image(512, 512, Modality="CT", Manufacturer="Nobody", ImageType=["ORIGINAL", "PRIMARY"])
    assert devices.known(instance) == ""


def test_the_package_prints_nothing_and_its_imaging_parts_stay_unloaded():
    code = (
        "import sys; from governance.detect import devices; from governance.datatypes import Instance;"
        "print(repr(devices.known(Instance(b'', (), (), True, '', ''))), 'deid.dicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("'' False\n", "")
