"""A comparison of two policies is about what they write: checked against real runs of both."""

import json
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from governance import pipeline, read
from governance.errors import Misconfigured
from governance.pipeline.comparison import Comparison
from governance.pipeline.values import LONGEST, elements_of, text_of
from tests.conftest import BUNDLED
from tests.phantoms.bundled import unchecked
from tests.read.datasets import datasets, encoded

NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "ExplVR_BigEnd.dcm", "rtplan.dcm", "rtdose.dcm")
MARKS = {0x00120062, 0x00120063, 0x00120064, 0x00280303}
"""What this program writes about itself."""

NARROW = """
name: narrow
description: What the tests compare with.
because: A test.
covers: {groups: [cross_sectional], because: A test.}
options:
  - {option: clean_descriptors, because: A test.}
  - {option: retain_modified_dates, because: A test.}
rules:
  - {attribute: KVP, action: empty, because: A test.}
  - {attribute: ImageComments, action: remove, because: A test.}
filters:
  - {name: no-localisers, drop_image_types: [LOCALIZER], because: A test.}
"""


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A policy file that keeps other things than the shipped profiles."""
    path = tmp_path_factory.mktemp("policy") / "narrow.yaml"
    path.write_text(NARROW)
    return str(path)


def records(comparison: Comparison) -> list[dict[str, Any]]:
    return [entry.record for entry in comparison.entries(most=5) if entry.record is not None]


def text(comparison: Comparison) -> str:
    return "\n".join(entry.text for entry in comparison.entries(most=5) if entry.text is not None)


def groups(comparison: Comparison) -> list[dict[str, Any]]:
    return [record for record in records(comparison) if "attribute" in record]


def values(comparison: Comparison, kind: str) -> set[tuple[str, str, str]]:
    """Attribute, creator and value of every text of one kind that is shown whole."""
    return {
        (group["attribute"], group["creator"], value["value"])
        for group in groups(comparison)
        if group["kind"] == kind
        for value in group["values"]
        if value.get("value") and "characters" not in value
    }


def in_file(path: Path) -> set[tuple[str, str, str]]:
    """The same of everything in a file, without what this program writes about itself."""
    instance = read.parse(path.read_bytes())
    found = set()
    for attribute, element, above in elements_of(instance):
        value = None if element.items else text_of(instance, element, instance.value(element))
        if value and len(value) <= LONGEST and (above[0] if above else element).tag not in MARKS:
            found.add((*attribute, value))
    return found


def written(folder: Path, source: Path, policy: str) -> set[tuple[str, str, str]]:
    """What a run under `policy` writes of one source."""
    context = pipeline.create(folder, passphrase=None)
    pipeline.run(context, [source], project="demo", policy_name=policy, processes=0)
    return {value for path in context.workspace.curated.rglob("*.dcm") for value in in_file(path)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("old", "new"), [("basic", "research"), ("research", "basic"), ("research", "narrow")])
def test_what_is_newly_kept_and_removed_is_what_two_runs_write_differently(
    name: str, old: str, new: str, narrow: str, tmp_path: Path
) -> None:
    source = BUNDLED / name
    new = narrow if new == "narrow" else new
    before, after = written(tmp_path / "old", source, old), written(tmp_path / "new", source, new)

    comparison = pipeline.compare([source], old=old, new=new)

    published = bool(before) and bool(after)
    kept, removed = (
        ("newly kept", "newly removed") if published else ("comes with its instance", "goes with its instance")
    )
    assert values(comparison, kept) & after == (in_file(source) & after) - before
    assert values(comparison, removed) & before == (in_file(source) & before) - after
    assert not published or (values(comparison, kept) <= after and values(comparison, removed) <= before)


@pytest.mark.parametrize("policy", ["basic", "research", "narrow"])
def test_a_policy_differs_in_nothing_from_itself(policy: str, narrow: str) -> None:
    policy = narrow if policy == "narrow" else policy

    comparison = pipeline.compare([BUNDLED / name for name in NAMES], old=policy, new=policy)

    assert [record["kind"] for record in records(comparison)] == ["summary"]


SWAPPED = {
    "newly kept": "newly removed",
    "newly removed": "newly kept",
    "comes with its instance": "goes with its instance",
    "goes with its instance": "comes with its instance",
    "otherwise changed": "otherwise changed",
    "instances": "instances",
}


def swapped(record: dict[str, Any]) -> dict[str, Any]:
    """The same, told by somebody for whom old is new."""
    other = {"old": "new", "new": "old"}
    turned = {other.get(key, key): value for key, value in record.items()}
    if "kind" in turned:
        turned["kind"] = SWAPPED[turned["kind"]]
    for key in ("rules", "values"):
        if key in turned:
            turned[key] = [swapped(each) for each in turned[key]]
    return turned


def in_any_order(found: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in found if record["kind"] != "summary")


@pytest.mark.parametrize(
    ("old", "new"), [("basic", "research"), ("research", "narrow"), ("research", "research-headers")]
)
def test_old_and_new_the_other_way_round_swap_what_is_kept_and_removed(old: str, new: str, narrow: str) -> None:
    new = narrow if new == "narrow" else new
    sources = [BUNDLED / name for name in (*NAMES, "SC_rgb_rle.dcm", "reportsi.dcm")]

    there = records(pipeline.compare(sources, old=old, new=new))
    back = records(pipeline.compare(sources, old=new, new=old))

    assert in_any_order(there) == in_any_order([swapped(r) for r in back if r["kind"] != "summary"])


@pytest.mark.parametrize(("old", "new"), [("basic", "research"), ("research", "basic")])
def test_every_unique_value_counts_once_and_every_element_for_one_value(old: str, new: str) -> None:
    found = groups(pipeline.compare([BUNDLED / name for name in NAMES], old=old, new=new))

    assert found
    for group in found:
        whole = [value["value"] for value in group["values"] if "value" in value and "characters" not in value]
        assert len(whole) == len(set(whole))
        assert group["unique"] == len(group["values"])
        assert group["elements"] == sum(value["elements"] for value in group["values"])
        assert group["elements"] == sum(rule["elements"] for rule in group["rules"])
        assert 1 <= group["instances"] <= group["elements"]


def test_instances_are_counted_once_each_however_they_end() -> None:
    sources = [BUNDLED / name for name in (*NAMES, "SC_rgb_rle.dcm", "reportsi.dcm", "README.txt")]

    comparison = pipeline.compare(sources, old="research", new="basic")
    (summary,) = (record for record in records(comparison) if record["kind"] == "summary")

    assert summary["instances"] == sum(each["instances"] for each in summary["outcomes"]) == len(sources) - 1
    assert summary["not_compared"] == [{"outcome": "unreadable", "reason": "not a DICOM file", "sources": 1}]
    assert not comparison.complete


def test_newly_held_back_and_newly_published_instances_are_named(narrow: str) -> None:
    plan, report = BUNDLED / "rtplan.dcm", BUNDLED / "reportsi.dcm"

    gone = records(pipeline.compare([plan, BUNDLED / "CT_small.dcm"], old="research", new=narrow))
    come = records(pipeline.compare([report], old="basic", new="research"))

    (held,) = (record for record in gone if record["kind"] == "instances")
    assert held["sources"] == [str(plan)]
    assert (held["old"]["outcome"], held["new"]["outcome"]) == ("published", "quarantined")
    (published,) = (record for record in come if record["kind"] == "instances")
    assert published["sources"] == [str(report)]
    assert (published["old"]["outcome"], published["new"]["outcome"]) == ("quarantined", "published")


def test_what_a_filter_would_keep_out_is_named_with_the_filter(narrow: str, tmp_path: Path) -> None:
    scout = changed(tmp_path / "scout.dcm", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])

    (record,) = (r for r in records(pipeline.compare([scout], old="research", new=narrow)) if r["kind"] == "instances")

    assert record["new"] == {"outcome": "filtered", "reason": "filter no-localisers"}


def test_likely_burned_in_text_holds_back_where_nobody_looks() -> None:
    found = records(pipeline.compare([BUNDLED / "SC_rgb_rle.dcm"], old="research", new="research-headers"))

    (record,) = (record for record in found if record["kind"] == "instances")
    assert "burned-in text is likely" in record["new"]["reason"]


def test_what_one_policy_accepts_unseen_is_held_back_by_the_other(tmp_path: Path) -> None:
    accepts = tmp_path / "accepts.yaml"
    accepts.write_text(
        "name: accepts\nextends: research-headers\ndescription: t\nbecause: t\n"
        "unseen_pixels: {groups: [secondary_capture], because: t}\n"
    )
    sides = (str(accepts), "research-headers")

    for old, new in (sides, sides[::-1]):
        found = records(pipeline.compare([BUNDLED / "SC_rgb_rle.dcm"], old=old, new=new))
        (record,) = (record for record in found if record["kind"] == "instances")
        assert {record["old"]["outcome"], record["new"]["outcome"]} == {"published", "quarantined"}


def test_text_that_is_cleaned_is_shown_as_it_would_be_written(tmp_path: Path) -> None:
    source = changed(tmp_path / "ct.dcm", StudyDescription="CT abdomen Quillfeather")

    found = groups(pipeline.compare([source], old="basic", new="research"))

    (group,) = (group for group in found if group["attribute"] == "StudyDescription")
    assert group["kind"] == "otherwise changed"
    assert [(value["old"], value["new"]) for value in group["values"]] == [("removed", '"CT abdomen [NAME]"')]


def test_no_pseudonym_is_shown_since_no_project_makes_it() -> None:
    found = groups(pipeline.compare([BUNDLED / "CT_small.dcm"], old="basic", new="research"))

    (group,) = (group for group in found if group["attribute"] == "StudyDate")
    assert [value["new"] for value in group["values"]] == ["shift date"]


def test_values_forge_no_line_and_move_no_cursor(tmp_path: Path) -> None:
    source = changed(tmp_path / "ct\x1b[2K.dcm", StationName="A\x1b[2K\nnewly kept \u202eB", SeriesDescription="\x9bC")

    shown = text(pipeline.compare([source, BUNDLED / "reportsi.dcm"], old="basic", new="research"))

    assert "A\\x1b[2K\\nnewly kept" in shown
    assert [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")] == []


def test_a_long_value_is_shortened_and_still_told_from_another(tmp_path: Path) -> None:
    sources = [
        changed(tmp_path / f"{end}.dcm", ImageComments="chest " * 50 + end, SOPInstanceUID=f"1.2.3.{number}")
        for number, end in enumerate(("left", "right"))
    ]

    found = groups(pipeline.compare(sources, old="basic", new="research"))

    (group,) = (group for group in found if group["attribute"] == "ImageComments")
    assert group["unique"] == 2
    assert {len(value["value"]) for value in group["values"]} == {LONGEST}


def test_a_comparison_does_not_print_and_writes_nothing(tmp_path: Path) -> None:
    source = changed(tmp_path / "ct.dcm", StationName="Quillfeather")

    comparison = pipeline.compare([source], old="basic", new="research")

    assert "Quillfeather" in text(comparison)
    assert repr(comparison) == "<Comparison>"
    assert list(tmp_path.iterdir()) == [source]


def test_a_policy_that_is_none_is_misuse() -> None:
    with pytest.raises(Misconfigured, match="no such policy"):
        pipeline.compare([BUNDLED / "CT_small.dcm"], old="basic", new="nope")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(datasets(), min_size=1, max_size=3), st.booleans())
def test_generated_headers_are_compared_alike_in_both_directions(headers: list[Dataset], explicit: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, header in enumerate(headers):
            header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3", "1.2.4"
            header.pop("Rows", None)  # it would be the header of an image without pixels
            (Path(folder) / f"{number}.dcm").write_bytes(encoded(header, explicit=explicit))

        there = pipeline.compare([Path(folder)], old="research", new="basic")
        back = pipeline.compare([Path(folder)], old="basic", new="research")
        same = pipeline.compare([Path(folder)], old="research", new="research")

    assert there.complete
    assert in_any_order(records(there)) == in_any_order([swapped(r) for r in records(back) if r["kind"] != "summary"])
    assert groups(same) == []


def changed(path: Path, **values: Any) -> Path:
    """A real slice with other values."""
    data = pydicom.dcmread(BUNDLED / "CT_small.dcm")
    data.SpecificCharacterSet = "ISO_IR 192"
    with unchecked():
        for keyword, value in values.items():
            setattr(data, keyword, value)
        data.save_as(path)
    return path
