"""Pixels that are likely to show text are looked at, or the instance is refused."""

from dataclasses import replace

import numpy
import pytest

from governance import policy
from governance.errors import Refused
from governance.pipeline.instance import scrub_pixels
from tests.scrub.build import MARKER, PIXELS, floating

PLAN = policy.plan(floating(PIXELS.astype("<f4").tobytes()), policy.load("research"))


@pytest.mark.parametrize("look", [True, False])
def test_likely_text_in_floating_point_pixels_is_refused(look: bool) -> None:
    instance = floating(PIXELS.astype("<f4").tobytes())

    with pytest.raises(Refused, match="burned-in text is likely"):
        scrub_pixels(instance, replace(PLAN, likely_burned_in=True, detect_pixels=look))


def test_floating_point_pixels_without_likely_text_lose_what_follows_them() -> None:
    value = numpy.asarray(PIXELS, "<f4").tobytes()
    instance = floating(value + MARKER)
    element = instance.first(0x7FE00008)

    pixels = scrub_pixels(instance, replace(PLAN, likely_burned_in=False))

    assert {element: value} == pixels.edits
    assert not pixels.looked
