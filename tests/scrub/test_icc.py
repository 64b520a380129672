"""A colour profile keeps its colours and loses what can be read."""

import io
from struct import pack

import numpy
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from governance.scrub import icc
from tests.scrub.build import MARKER


def test_an_icc_profile_keeps_its_colours_and_loses_its_text():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    marked = profile.replace("sRGB".encode("utf-16-be"), "Doe^".encode("utf-16-be"))
    assert marked != profile
    result = icc.clean(marked)
    assert len(result) == len(profile)
    assert "Doe^".encode("utf-16-be") not in result
    assert result[24:36] == pack(">6H", 2000, 1, 1, 0, 0, 0)
    assert icc.clean(result) == result
    image = Image.fromarray(numpy.arange(3 * 64, dtype="uint8").reshape(8, 8, 3))
    lab = ImageCms.createProfile("LAB")
    converted = [
        ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(data)), lab, outputMode="LAB").tobytes()
        for data in (profile, result)
    ]
    assert converted[0] == converted[1]


def test_old_description_tags_unknown_tags_and_gaps_are_overwritten():
    text = b"desc" + bytes(4) + pack(">I", 11) + MARKER + b"\0" + bytes(12 + 67) + b"\0"
    tags = [(b"desc", text), (b"cprt", b"text" + bytes(4) + MARKER + b"\0\0"), (b"prv1", b"data" + bytes(4) + MARKER)]
    start, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags:
        table += name + pack(">II", start + len(body), len(data))
        body += data + MARKER
    head = pack(">I", start + len(body)) + bytes(32) + b"acsp" + bytes(44) + MARKER.ljust(44, b"\0")
    result = icc.clean(head + pack(">I", len(tags)) + table + body + MARKER)
    assert MARKER not in result
    assert result[132:start] == table


@given(st.binary(max_size=300))
def test_what_is_no_profile_gives_none(data):
    assert icc.clean(data) is None
