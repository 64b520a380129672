"""A recipe of the deid package is a layer over a profile: each directive holds, or is refused by its line."""

import pickle
from pathlib import Path

import pydicom
import pytest
from deid.logger import bot
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import pipeline, policy
from governance.datatypes import Action, Outcome
from governance.errors import Misconfigured
from governance.policy.rules import Rules
from tests.conftest import BUNDLED
from tests.policy.build import at, decision, instance

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

bot.level = -5  # it prints what it reads


def loaded(folder: Path, *lines: str, name: str = "site.dicom") -> Rules:
    path = folder / name
    path.write_text("\n".join(("FORMAT dicom", *lines)) + "\n")
    return policy.load(str(path))


def refusal(folder: Path, *lines: str) -> Misconfigured:
    with pytest.raises(Misconfigured) as error:
        loaded(folder, *lines)
    assert error.value.hint
    assert error.value.__context__ is None
    return error.value


def test_a_recipe_lies_over_basic_and_its_rules_are_called_by_their_lines(tmp_path: Path) -> None:
    rules = loaded(tmp_path, "%header", "", "# no voltage", "REMOVE KVP # not needed", "BLANK SeriesNumber")
    plan = policy.plan(instance(at("KVP", "1"), at("SeriesNumber", "1")), rules)

    assert [each.rule for each in plan.decisions[1:]] == ["site#5", "site#6"]
    assert [each.action for each in plan.decisions[1:]] == [Action.REMOVE, Action.EMPTY]
    assert policy.load("basic").options == rules.options
    assert "REMOVE KVP" in rules.because("site#5")


def test_a_recipe_names_another_base_in_a_comment(tmp_path: Path) -> None:
    rules = loaded(tmp_path, "# extends: research", "%header", "REMOVE KVP")

    assert policy.load("research").options == rules.options
    assert rules.digest == pickle.loads(pickle.dumps(rules)).digest


def test_a_policy_extends_a_recipe_beside_it(tmp_path: Path) -> None:
    loaded(tmp_path, "%header", "REMOVE KVP")
    (tmp_path / "top.yaml").write_text("name: top\ndescription: t\nbecause: t\nextends: site.dicom\n")

    plan = policy.plan(instance(at("KVP", "1")), policy.load(str(tmp_path / "top.yaml")))

    assert decision(plan, "KVP").rule == "site#3"


@pytest.mark.parametrize("base", ["nowhere", "site.dicom", "../x.yaml"])
def test_a_base_that_cannot_be_had_is_an_error_of_its_line(tmp_path: Path, base: str) -> None:
    assert "site.dicom:2: extends" in str(refusal(tmp_path, f"# extends: {base}", "%header", "REMOVE KVP"))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        pytest.param("JITTER StudyDate 4", "site.dicom:3: JITTER StudyDate shifts", id="fixed days"),
        pytest.param("JITTER StudyDate var:days", "site.dicom:3: JITTER StudyDate needs a program", id="variable"),
        pytest.param("REPLACE StudyDate deid_func:jitter days=4", ":3: REPLACE StudyDate shifts", id="the same"),
        pytest.param("REPLACE PatientID func:make", ":3: REPLACE PatientID needs a program", id="function"),
        pytest.param("REPLACE PatientID var:entity", ":3: REPLACE PatientID needs a program", id="variable value"),
        pytest.param("REPLACE PatientID CANARY", ":3: REPLACE PatientID writes a value", id="value"),
        pytest.param("ADD PatientID CANARY", ":3: ADD PatientID writes a value", id="new value"),
        pytest.param("REMOVE PatientID func:is_it", ":3: REMOVE PatientID needs a program", id="removal by function"),
        pytest.param("REMOVE PatientID CANARY", ":3: REMOVE PatientID removes by a value", id="removal by value"),
        pytest.param("KEEP PatientName", ":3: KEEP PatientName means PatientName, which basic", id="the base removes"),
        pytest.param("KEEP StudyInstanceUID", ":3: KEEP StudyInstanceUID", id="the base replaces"),
        pytest.param("KEEP startswith:Patient", ":3: KEEP startswith:Patient", id="one of many that the base removes"),
        pytest.param('KEEP (0043,"GEMS_PARM_01",39)', ":3: KEEP", id="private under basic"),
        pytest.param("REMOVE SOPInstanceUID", ":3: REMOVE SOPInstanceUID cannot", id="no object can be without"),
        pytest.param("REMOVE PatientNam", ":3: REMOVE PatientNam is not an attribute", id="typing error"),
        pytest.param("REMOVE jitter", ":3: REMOVE jitter is not an attribute", id="no attribute"),
        pytest.param("REMOVE 0009,1001", ":3: REMOVE 0009,1001 is private", id="private without its creator"),
        pytest.param("REMOVE MediaStorageSOPInstanceUID", "is in the file meta", id="file meta"),
        pytest.param("REMOVE values:names", "looks for values", id="by values"),
        pytest.param("REMOVE fields:none", "names no %fields", id="by a list that is not there"),
        pytest.param("REMOVE allexcept:KVP", "has an expander that the package does not know", id="unknown expander"),
        pytest.param("REMOVE contains:Nothing", "means no attribute", id="expander that finds nothing"),
        pytest.param("REMOVE contains:(", "is not a regular expression", id="expression"),
        pytest.param("REMOVE select:VM:1", "selects by something unknown", id="selection"),
        pytest.param("REMOVE (0008,1115)__0__(0020,000E)", "is not a nested name", id="one item"),
        pytest.param("REPLACE KVP deid_func:dicom_uuid", ":3: REPLACE KVP cannot be handled by uid", id="no UID"),
        pytest.param("remove KVP", ":3: is no action", id="small letters, which the package passes over"),
        pytest.param("DELETE CANARY", ":3: is no action", id="unknown action"),
        pytest.param("REMOVE", ":3: REMOVE is not written", id="no field"),
        pytest.param("JITTER StudyDate", ":3: JITTER is not written", id="no value"),
        pytest.param("BLANK Patient's Weight", "has more than a field", id="name with a blank"),
        pytest.param("%footer", ":3: is not a section", id="unknown section"),
        pytest.param("%filter", ":3: %filter has no name", id="filter without a name"),
    ],
)
def test_a_directive_that_cannot_be_honoured_is_refused_by_its_line(tmp_path: Path, line: str, what: str) -> None:
    error = refusal(tmp_path, "%header", line)

    assert what in str(error)
    assert "CANARY" not in str(error) + error.hint


def test_a_recipe_for_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.dicom"
    path.write_text("FORMAT nifti\n%header\n")

    with pytest.raises(Misconfigured, match=r"x.dicom:1: FORMAT"):
        policy.load(str(path))


def test_a_directive_outside_of_a_section_is_refused(tmp_path: Path) -> None:
    assert "site.dicom:2: stands in no section" in str(refusal(tmp_path, "REMOVE KVP"))


def test_what_every_output_has_may_be_added(tmp_path: Path) -> None:
    assert loaded(tmp_path, "%header", "ADD PatientIdentityRemoved YES").layers[-1].policy.rules == ()


def test_uids_and_texts_are_replaced_where_the_package_would_invent_some(tmp_path: Path) -> None:
    rules = loaded(
        tmp_path,
        "# extends: research",
        "%header",
        "REPLACE FrameOfReferenceUID deid_func:pydicom_uuid stable_remapping=true",
        "REPLACE DeviceSerialNumber deid_func:suffix_uuid",
    )
    plan = policy.plan(instance(at("FrameOfReferenceUID", "1.2"), at("DeviceSerialNumber", "7")), rules)

    assert [(e.action, e.method) for e in plan.decisions[1:]] == [("U", "keyed uid"), ("D", "consistent dummy")]


def test_keep_exempts_from_expanders_and_keeps_as_the_base_does(tmp_path: Path) -> None:
    rules = loaded(
        tmp_path,
        "# extends: research",
        "%fields shown",
        "FIELD contains:Exposure",
        "FIELD KVP",
        "%header",
        "REMOVE ALL",
        "KEEP fields:shown",
        "KEEP StudyDescription",
        "KEEP SOPClassUID",
        'KEEP (0043,"GEMS_PARM_01",39)',
    )
    specs = [
        at("KVP", "1"),
        at("ExposureTime", "1"),
        at("StudyDescription", "x"),
        at("PatientWeight", "1"),
        at("SOPInstanceUID", "1.2"),
        at(0x00431039, "1", vr="IS", creator="GEMS_PARM_01"),
        at(0x0043106F, "1", vr="DS", creator="GEMS_PARM_01"),
    ]

    plan = policy.plan(instance(*specs), rules)

    assert [each.rule for each in plan.decisions[1:]] == [
        "unlisted",
        "unlisted",
        "E.1-1 C clean_descriptors",
        "site#7",
        "E.1-1 U",
        "private-safe",
        "site#7",
    ]


def test_no_directive_is_outdone_by_a_narrower_rule_of_the_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "name: base\ndescription: t\nbecause: t\nextends: basic\n"
        "rules:\n  - {path: 'ReferencedSeriesSequence[*].KVP', action: keep, because: t}\n"
        "  - {attribute: KVP, action: keep, because: t, when: {modality: [CT]}}\n"
    )
    rules = loaded(tmp_path, "# extends: base.yaml", "%header", "REMOVE contains:KVP")
    nested = at("ReferencedSeriesSequence", [[at("KVP", "1")]])

    plan = policy.plan(instance(at("Modality", "CT"), at("KVP", "1"), nested), rules)

    assert {Action.REMOVE} == {each.action for each in plan.decisions if each.path.endswith("KVP")}


GRAYLIST = (
    "%filter graylist",
    "LABEL Old scanners # somebody",
    "  contains ManufacturerModelName LightSpeed|Sensation",
    "  + equals Modality CT || missing Modality",
    "  # a comment",
    "  || notequals Rows 512",
    "LABEL Old scanners",
    "  empty BodyPartExamined",
)


@pytest.mark.parametrize(
    ("specs", "by"),
    [
        ([at("Rows", b"\0\2"), at("ManufacturerModelName", "LIGHTSPEED VCT")], "old-scanners"),
        ([at("Rows", b"\0\2"), at("ManufacturerModelName", "Lightspeed"), at("Modality", "MR")], ""),
        ([at("Rows", b"\0\4")], "old-scanners"),
        ([at("Rows", b"\0\2"), at("BodyPartExamined", "")], "old-scanners-8"),
        ([at("Rows", b"\0\2")], ""),
    ],
)
def test_what_fits_a_label_is_filtered_under_its_name(tmp_path: Path, specs: list[object], by: str) -> None:
    rules = loaded(tmp_path, *GRAYLIST)

    assert by == policy.plan(instance(*specs), rules).filtered  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (("%filter whitelist", "LABEL all", "present Modality"), "site.dicom:3: LABEL in %filter whitelist stands"),
        (
            ("%filter g", "LABEL b", "empty Modality", "%filter whitelist", "LABEL all", "present Modality"),
            "site.dicom:6: LABEL in %filter whitelist stands before no other group",
        ),
        (("%filter g", "LABEL all"), "site.dicom:3: LABEL has no criteria"),
        (("%filter g", "LABEL all", "present Modality", "coordinates 0,0,9,9"), "site.dicom:5: coordinates"),
        (("%filter g", "LABEL all", "present Modalities"), "site.dicom:4: present asks for no attribute"),
        (("%filter g", "LABEL all", "has Modality"), "site.dicom:4: is no criterion"),
        (("%filter g", "LABEL all", "contains Modality"), "site.dicom:4: the criterion is not written"),
        (("%filter g", "LABEL all", "equals Modality CT|MR"), "site.dicom:4: equals has several values"),
        (("%filter g", "LABEL all", "contains Modality ("), "is not a regular expression"),
        (("%filter g", "present Modality"), "site.dicom:3: stands in no section"),
    ],
)
def test_a_filter_that_cannot_be_honoured_is_refused_by_its_line(
    tmp_path: Path, lines: tuple[str, ...], what: str
) -> None:
    assert what in str(refusal(tmp_path, *lines))


WHITELIST = (
    "%filter blacklist",
    "LABEL Seen first",
    "  equals Modality XA",
    "%filter whitelist",
    "LABEL Clean",
    "  contains BurnedInAnnotation NO",
    "LABEL Ours",
    "  equals Manufacturer ACME",
    "%filter graylist",
    "LABEL Derived",
    "  contains ImageType DERIVED",
    "%filter blacklist",
    "LABEL Seen first, too",
    "  equals Modality OT",
)


@pytest.mark.parametrize(
    ("specs", "by"),
    [
        ([at("ImageType", "DERIVED")], "derived"),
        ([at("ImageType", "DERIVED"), at("BurnedInAnnotation", "YES")], "derived"),
        ([at("ImageType", "DERIVED"), at("BurnedInAnnotation", "NO")], ""),
        ([at("ImageType", "DERIVED"), at("Manufacturer", "Acme")], ""),
        ([at("Modality", "XA"), at("BurnedInAnnotation", "NO")], "seen-first"),
        ([at("Modality", "OT"), at("BurnedInAnnotation", "NO")], "seen-first-too"),
    ],
)
def test_an_instance_belongs_to_the_first_group_that_it_fits(tmp_path: Path, specs: list[object], by: str) -> None:
    assert by == policy.plan(instance(*specs), loaded(tmp_path, *WHITELIST)).filtered  # type: ignore[arg-type]


def test_a_whitelist_relaxes_nothing_but_filters_of_its_recipe(tmp_path: Path) -> None:
    rules = loaded(tmp_path, "# extends: research", *WHITELIST)
    image = instance(at("SOPClassUID", SECONDARY_CAPTURE), at("ImageType", "DERIVED"), at("BurnedInAnnotation", "NO"))

    with_list, without = policy.plan(image, rules), policy.plan(image, policy.load("research"))

    assert (with_list.likely_burned_in, with_list.detect_pixels) == (without.likely_burned_in, without.detect_pixels)
    assert (with_list.filtered, with_list.decisions) == ("", without.decisions)


def test_a_recipe_runs(context: pipeline.Context, tmp_path: Path) -> None:
    loaded(tmp_path, "# extends: research-headers", "%header", "REMOVE KVP")
    names = [BUNDLED / "CT_small.dcm"]

    pipeline.run(context, names, project="demo", policy_name=str(tmp_path / "site.dicom"), processes=0)

    assert [ended.outcome for ended in pipeline.outcomes(context)] == [Outcome.PUBLISHED]
    (written,) = (context.workspace.root / "curated").rglob("*.dcm")
    assert "KVP" not in pydicom.dcmread(written)


@settings(max_examples=40, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("KEEPREMOVBLANK%headerfilt :\n#+|(),0018KVP"), max_size=120))
def test_any_recipe_is_either_a_policy_or_misconfigured(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "any.dicom"
    path.write_text(f"FORMAT dicom\n%header\n{text}\n")

    problem = None
    try:
        rules = policy.load(str(path))
    except Misconfigured as error:
        problem = error

    assert problem.hint if problem is not None else rules.codes == policy.load("basic").codes
