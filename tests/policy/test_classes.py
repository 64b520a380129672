"""What a policy covers, what a filter drops, and where text in pixels is likely."""

import pytest

from governance import policy
from governance.datatypes import KnownDevice
from governance.errors import Refused
from governance.policy import standard
from governance.policy.schema import Group
from tests.policy.build import CT, EXPLICIT, Spec, at, instance

RESEARCH = policy.load("research")
PIXELS = at("PixelData", b"\0\0")


@pytest.mark.parametrize(
    ("uid", "what"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.3", "encapsulated STL"),
        ("1.2.840.10008.5.1.4.1.1.66", "raw data"),
        ("1.2.840.10008.5.1.4.1.1.77.1.6", "whole slide"),
        ("1.2.840.10008.5.1.4.1.1.77.1.4.1", "video"),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", "voice"),
        ("1.2.840.10008.5.1.4.1.1.9.4.2", "sound"),
        ("1.2.840.10008.5.1.4.1.1.77.1.5.1", "ophthalmic"),
        ("1.2.840.10008.5.1.4.1.1.77.1.4", "photograph of a person"),
        ("1.3.46.670589.5.0.1.1", "private class"),
        ("", "no class"),
    ],
)
def test_what_research_does_not_cover_is_refused(uid: str, what: str) -> None:
    with pytest.raises(Refused) as refusal:
        policy.plan(instance(sop_class=uid), RESEARCH)

    assert uid == "" or uid not in str(refusal.value), what


@pytest.mark.parametrize(
    "syntax",
    ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102.1", "1.2.840.10008.1.2.4.108", "1.2.840.10008.1.2.4.94"],
)
def test_video_and_pixels_elsewhere_are_refused(syntax: str) -> None:
    with pytest.raises(Refused):
        policy.plan(instance(syntax=syntax), RESEARCH)


def test_still_images_of_every_other_syntax_are_not() -> None:
    for syntax in (
        EXPLICIT,
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.5",
    ):
        assert policy.plan(instance(syntax=syntax), RESEARCH).decisions


def test_every_group_has_iods_and_every_iod_is_one_of_the_standards() -> None:
    assert {str(group) for group in Group} == set(standard.groups().values())
    assert set(standard.groups()) <= set(standard.iods().values())


def likely(*specs: Spec, sop_class: str = CT) -> bool:
    return policy.plan(instance(*specs, PIXELS, sop_class=sop_class), RESEARCH).likely_burned_in


@pytest.mark.parametrize("modality", ["US", "SC", "OT", "XA", "RF", "ES", "GM", "CR", "DX"])
def test_classes_at_risk_are_likely_to_show_text(modality: str) -> None:
    assert likely(at("Modality", modality))


@pytest.mark.parametrize(
    ("sop_class", "modality", "expected"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "SR", True),
        ("1.2.840.10008.5.1.4.1.1.11.1", "PR", True),
        ("1.2.840.10008.5.1.4.1.1.66.1", "REG", True),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", True),
        ("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", False),
    ],
)
def test_pixels_in_what_is_no_image_are_likely_to_show_text(sop_class: str, modality: str, expected: bool) -> None:
    specs = [at("Modality", modality), at("PhotometricInterpretation", "MONOCHROME2")]

    assert expected == likely(*specs, sop_class=sop_class)


@pytest.mark.parametrize(
    "specs",
    [
        pytest.param([at("BurnedInAnnotation", "YES")], id="said so"),
        pytest.param([at("BurnedInAnnotation", "Yes ")], id="said so in small letters"),
        pytest.param([at("ConversionType", "WSD")], id="converted"),
        pytest.param([at("ImageType", "DERIVED\\SECONDARY\\SCREEN SAVE")], id="screen save"),
        pytest.param([at("ImageType", "ORIGINAL\\PRIMARY\\DOSE_INFO")], id="dose page"),
        pytest.param([at("SeriesDescription", "Dose Report")], id="dose report"),
        pytest.param([at("PhotometricInterpretation", "RGB")], id="a CT in colour"),
    ],
)
def test_the_header_can_make_text_likely(specs: list[Spec]) -> None:
    assert likely(at("Modality", "CT"), at("PhotometricInterpretation", "MONOCHROME2"), *specs[:1]) or likely(
        at("Modality", "CT"), *specs
    )


def test_a_plain_ct_is_not_likely_to_show_text() -> None:
    specs = [at("ImageType", "DERIVED\\SECONDARY\\REFORMATTED"), at("BurnedInAnnotation", "NO")]

    assert not likely(at("Modality", "CT"), at("PhotometricInterpretation", "MONOCHROME2"), *specs)


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_pixels_in_floating_point_can_show_text_too(keyword: str) -> None:
    capture = instance(at("Modality", "OT"), at(keyword, b"\0\0"))

    assert policy.plan(capture, RESEARCH).likely_burned_in


def test_without_pixels_no_text_is_likely() -> None:
    assert not policy.plan(instance(at("Modality", "OT")), RESEARCH).likely_burned_in


def test_what_is_known_of_a_device_makes_text_likely() -> None:
    scan = instance(at("Modality", "CT"), at("PhotometricInterpretation", "MONOCHROME2"), PIXELS, sop_class=CT)

    assert not policy.plan(scan, RESEARCH).likely_burned_in
    assert policy.plan(scan, RESEARCH, device=KnownDevice("a device")).likely_burned_in


def test_burned_in_no_is_no_evidence() -> None:
    assert likely(at("Modality", "US"), at("BurnedInAnnotation", "NO"))


@pytest.mark.parametrize(("name", "looks"), [("research", True), ("research-headers", False), ("basic", False)])
def test_only_a_policy_that_cleans_pixels_looks_at_them(name: str, looks: bool) -> None:
    plan = policy.plan(instance(at("Modality", "US"), PIXELS), policy.load(name))

    assert (True, looks) == (plan.likely_burned_in, plan.detect_pixels)


FILTERED = """
name: filtered
description: test
because: test
covers: {groups: [cross_sectional], because: test}
filters:
  - {name: only-ct, keep_modalities: [CT, MR], because: test}
  - {name: no-localisers, drop_image_types: [LOCALIZER], because: test}
  - {name: no-such-class, drop_sop_classes: ["1.2.840.10008.5.1.4.1.1.4"], because: test}
"""


@pytest.mark.parametrize(
    ("specs", "sop_class", "by"),
    [
        ([at("Modality", "PT")], CT, "only-ct"),
        ([at("Modality", "CT"), at("ImageType", "ORIGINAL\\PRIMARY\\LOCALIZER")], CT, "no-localisers"),
        ([at("Modality", "MR")], "1.2.840.10008.5.1.4.1.1.4", "no-such-class"),
        ([at("Modality", "CT")], CT, ""),
        ([at("Modality", "mr")], CT, ""),
        ([at("Modality", "us")], CT, "only-ct"),
        ([at("Modality", "CT"), at("ImageType", "ORIGINAL\\PRIMARY\\Localizer")], CT, "no-localisers"),
    ],
)
def test_the_first_filter_that_an_instance_does_not_pass_is_named(specs: list[Spec], sop_class: str, by: str) -> None:
    plan = policy.plan(instance(*specs, sop_class=sop_class), policy.loads(FILTERED))

    assert by == plan.filtered
    assert (by == "") == bool(plan.decisions)


@pytest.mark.parametrize("part", ["drop_modalities: [us]", "drop_image_types: [screen save]"])
def test_a_filter_drops_whatever_the_case_in_which_the_policy_writes_it(part: str) -> None:
    text = FILTERED.partition("filters:")[0] + f"filters: [{{name: out, {part}, because: test}}]\n"
    made = instance(at("Modality", "US"), at("ImageType", "DERIVED\\SECONDARY\\SCREEN SAVE"))

    assert policy.plan(made, policy.loads(text)).filtered == "out"
