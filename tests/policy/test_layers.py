"""A site's policy lies over a profile: it adds and narrows, and contradictions do not load."""

import pickle
from pathlib import Path

import pytest

from governance import policy
from governance.datatypes import DocumentKind, Instead, TextKind
from governance.errors import Misconfigured
from governance.policy.schema import Option
from tests.policy.build import at, decision, instance

SITE = """\
name: site
description: test
because: test
extends: research
"""


def layer(text: str) -> policy.Rules:
    return policy.loads(SITE + text)


def test_a_layer_without_statements_decides_as_its_base() -> None:
    rules, base = layer(""), policy.load("research")
    made = instance(at("StudyDate", "20200101"), at("PatientName", "A^B"), at("Modality", "US"))

    assert policy.plan(made, base).decisions == policy.plan(made, rules).decisions
    assert (base.codes, base.dates, base.groups, base.watched) == (
        rules.codes,
        rules.dates,
        rules.groups,
        rules.watched,
    )


def test_rules_are_called_by_the_layer_that_they_come_from() -> None:
    rules = layer("rules: [{attribute: KVP, action: remove, because: a site needs no voltage}]")
    made = instance(at("ReferencedImageSequence", [[]]), at("KVP", "1"))
    plan = policy.plan(made, rules)

    found = [decision(plan, path).rule for path in ("KVP", "ReferencedImageSequence")]
    assert found == ["site#1", "research#1"]
    assert "voltage" in rules.because("site#1")
    assert "Localisers" in rules.because("research#1")


def test_the_upper_layer_decides_where_both_speak() -> None:
    rules = layer("rules: [{attribute: ReferencedImageSequence, action: remove, because: test}]")

    plan = policy.plan(instance(at("ReferencedImageSequence", [[]])), rules)

    assert decision(plan, "ReferencedImageSequence").rule == "site#1"


def test_a_layer_adds_options_and_filters() -> None:
    rules = layer(
        "options: [{option: retain_institution_identity, because: test}]\n"
        "filters: [{name: no-us, drop_modalities: [US], because: test}]\n"
    )

    assert {*policy.load("research").options, Option.RETAIN_INSTITUTION_IDENTITY} == set(rules.options)
    assert "113112" in rules.codes
    assert policy.plan(instance(at("Modality", "US")), rules).filtered == "no-us"


def dated(text: str = "") -> policy.Rules:
    return layer("without: [{option: retain_modified_dates, because: no dates leave this site}]\n" + text)


def test_a_layer_goes_without_an_option_as_if_nobody_below_had_chosen_it(tmp_path: Path) -> None:
    profile = policy.profiles()["research"].read_text()
    kept = [each for each in profile.split("  - ") if "option: retain_modified_dates" not in each]
    (tmp_path / "alike.yaml").write_text("  - ".join(kept))
    made = instance(at("StudyDate", "20200101"), at("StudyTime", "10"), at("KVP", "1"), at("PatientAge", "030Y"))
    rules, alike = dated(), policy.load(str(tmp_path / "alike.yaml"))

    assert policy.plan(made, alike).decisions == policy.plan(made, rules).decisions
    assert (alike.codes, alike.dates, alike.options) == (rules.codes, rules.dates, rules.options)
    assert "113107" not in rules.codes


def test_a_layer_takes_one_option_instead_of_another() -> None:
    full = dated("options: [{option: retain_full_dates, because: agreed}]")
    ours = layer(
        "without: [{option: retain_safe_private, because: t}]\n"
        "options: [{option: retain_safe_private, list: ps3.15, because: t}]"
    )
    unseen = layer(
        "without: [{option: clean_pixel_data, because: t}]\nunseen_pixels: {groups: [projection], because: t}"
    )

    assert (full.dates, ours.safe_list) == ("UNMODIFIED", "ps3.15")
    assert unseen.policy.unseen_pixels is not None


def test_a_policy_says_what_becomes_of_burned_in_text_and_a_layer_says_it_anew() -> None:
    made = instance(at("Modality", "US"))
    usual, other = policy.plan(made, layer("")), layer("burned_in_text: {unsure: quarantine, marker: mask, because: t}")
    plan = policy.plan(made, other)

    assert (usual.kept_text, usual.held_back_text) == ({TextKind.MARKER}, frozenset())
    assert (plan.kept_text, plan.held_back_text) == (frozenset(), {TextKind.UNSURE})
    assert usual.policy_digest != plan.policy_digest


def test_what_a_layer_does_not_say_of_burned_in_text_stays_as_below(tmp_path: Path) -> None:
    said = {"middle": "identifier: quarantine, marker: mask", "top": "marker: keep"}
    for (name, text), below in zip(said.items(), ("research", "middle.yaml"), strict=True):
        (tmp_path / f"{name}.yaml").write_text(
            f"{{name: {name}, description: t, because: t, extends: {below}, burned_in_text: {{{text}, because: t}}}}\n"
        )
    rules = policy.load(str(tmp_path / "top.yaml"))
    copied = pickle.loads(pickle.dumps(rules))  # as a worker process gets them

    for each in (rules, copied):
        plan = policy.plan(instance(at("Modality", "US")), each)
        assert (plan.kept_text, plan.held_back_text) == ({TextKind.MARKER}, {TextKind.IDENTIFIER})


def test_a_layer_that_takes_back_what_is_said_of_burned_in_text_has_a_digest_of_its_own(tmp_path: Path) -> None:
    below, above = SITE.replace("site", "below"), SITE.replace("research", "below.yaml")
    (tmp_path / "below.yaml").write_text(f"{below}burned_in_text: {{identifier: quarantine, because: t}}\n")
    for name, text in (("silent", "marker: keep"), ("default", "marker: keep, identifier: mask")):
        (tmp_path / f"{name}.yaml").write_text(f"{above}burned_in_text: {{{text}, because: t}}\n")
    silent, default = (policy.load(str(tmp_path / f"{name}.yaml")) for name in ("silent", "default"))

    assert silent.digest != default.digest


def test_a_policy_says_what_stands_in_texts_and_a_layer_takes_it_back(tmp_path: Path) -> None:
    said = {
        "middle": "free_text: {instead: surrogates, because: t}",
        "top": "",
        "back": "free_text: {instead: marks, because: t}",
    }
    for (name, text), below in zip(said.items(), ("research", "middle.yaml", "middle.yaml"), strict=True):
        (tmp_path / f"{name}.yaml").write_text(f"{SITE.replace('site', name).replace('research', below)}{text}\n")
    rules = [policy.load("research"), *(policy.load(str(tmp_path / f"{name}.yaml")) for name in said)]
    copied = [pickle.loads(pickle.dumps(each)) for each in rules]
    marks, drawn = Instead.MARKS, Instead.SURROGATES

    for each in (rules, copied):
        assert [policy.plan(instance(at("Modality", "CT")), one).instead for one in each] == [
            marks,
            drawn,
            drawn,
            marks,
        ]
    assert len({each.digest for each in rules}) == 4


def test_a_layer_names_engines_and_takes_back_the_one_that_verifies(tmp_path: Path) -> None:
    said = {"middle": "engine: tesseract, verify_engine: rapidocr", "top": "verify_engine: none"}
    for (name, text), below in zip(said.items(), ("research", "middle.yaml"), strict=True):
        site = SITE.replace("site", name).replace("research", below)
        (tmp_path / f"{name}.yaml").write_text(f"{site}burned_in_text: {{{text}, because: t}}\n")
    rules = [policy.load(name) for name in ("research", *(str(tmp_path / f"{name}.yaml") for name in said))]
    plans = [policy.plan(instance(at("Modality", "US")), each) for each in rules]

    assert [(plan.engine, plan.verify_engine) for plan in plans] == [
        ("rapidocr", None),
        ("tesseract", "rapidocr"),
        ("tesseract", None),
    ]
    assert len({each.digest for each in rules}) == 3
    assert policy.load("research-headers").text_engines == ()


def test_a_policy_of_its_own_says_nothing_of_text_that_nobody_looks_for() -> None:
    basic = policy.profiles()["basic"].read_text()

    with pytest.raises(Misconfigured, match="about text that nobody looks for"):
        policy.loads(f"{basic}\nburned_in_text: {{marker: mask, because: t}}\n")


def test_a_layer_above_chooses_again_what_one_below_goes_without(tmp_path: Path) -> None:
    (tmp_path / "middle.yaml").write_text(
        "name: middle\ndescription: t\nbecause: t\nextends: research\nwithout: [{option: clean_graphics, because: t}]\n"
    )
    (tmp_path / "top.yaml").write_text(
        "name: top\ndescription: t\nbecause: t\nextends: middle.yaml\noptions: [{option: clean_graphics, because: t}]\n"
    )
    middle, top = policy.load(str(tmp_path / "middle.yaml")), policy.load(str(tmp_path / "top.yaml"))

    assert Option.CLEAN_GRAPHICS not in middle.options
    assert (set(policy.load("research").options), {}) == (set(top.options), top.left_out)
    assert middle.digest == pickle.loads(pickle.dumps(middle)).digest != policy.load("research").digest


def test_an_explanation_says_which_layer_goes_without_an_option_and_why() -> None:
    explained = policy.explain("StudyDate", dated())
    decided = decision(policy.plan(instance(at("StudyDate", "20200101")), dated()), "StudyDate")

    assert (explained.rule, explained.action) == (decided.rule, decided.action)
    assert "retain_modified_dates" not in explained.rule + explained.because
    assert "site goes without retain_modified_dates, which says C: no dates leave this site" in explained.also
    assert policy.explain("PatientName", dated()).also == policy.explain("PatientName", policy.load("research")).also


KEEPS = "name: low\ndescription: t\nbecause: t\nextends: research\nrules: [{%s, action: keep, because: t}]\n"


@pytest.mark.parametrize(
    ("rule", "option"),
    [("attribute: PatientWeight", "retain_patient_characteristics"), ("creator: ACME 1.1", "retain_safe_private")],
)
def test_a_layer_cannot_go_without_what_a_rule_below_needs(tmp_path: Path, rule: str, option: str) -> None:
    (tmp_path / "low.yaml").write_text(KEEPS % rule)
    (tmp_path / "top.yaml").write_text(
        SITE.replace("research", "low.yaml") + f"without: [{{option: {option}, because: t}}]"
    )

    with pytest.raises(Misconfigured) as error:
        policy.load(str(tmp_path / "top.yaml"))

    assert str(error.value) == "top.yaml:5: without[0].option is needed by rules[0] of low"
    assert error.value.hint


def test_a_policy_that_extends_nothing_goes_without_nothing() -> None:
    text = SITE.replace("extends: research", "covers: {groups: [nuclear], because: t}")

    with pytest.raises(Misconfigured, match=r":5: without leaves out what nothing has"):
        policy.loads(text + "without: [{option: clean_graphics, because: t}]\n")


def test_a_layer_narrows_what_is_covered() -> None:
    assert {"nuclear"} == layer("covers: {groups: [nuclear], because: test}").groups


def test_layers_lie_over_layers(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE + "rules: [{attribute: KVP, action: remove, because: test}]\n")
    study = SITE.replace("site", "study").replace("research", "site.yaml")
    (tmp_path / "study.yaml").write_text(study + "rules: [{attribute: Exposure, action: remove, because: test}]\n")

    plan = policy.plan(instance(at("KVP", "1"), at("Exposure", "1")), policy.load(str(tmp_path / "study.yaml")))

    assert [each.rule for each in plan.decisions[1:]] == ["site#1", "study#1"]


def test_a_digest_covers_every_layer_and_survives_a_pickle(tmp_path: Path) -> None:
    base, top = tmp_path / "base.yaml", tmp_path / "top.yaml"
    base.write_text(SITE.replace("site", "base"))
    top.write_text(SITE.replace("research", "base.yaml"))
    before = policy.load(str(top))

    base.write_text(SITE.replace("site", "base").replace("description: test", "description: other"))

    assert before.digest == pickle.loads(pickle.dumps(before)).digest
    assert before.digest != policy.load(str(top)).digest
    assert before.digest != layer("").digest != policy.load("research").digest


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param("covers: {groups: [photographs], because: t}", ":5: covers.groups[0]", id="covers more"),
        pytest.param("options: [{option: retain_full_dates, because: t}]", "options[0].option contra", id="exclusive"),
        pytest.param("options: [{option: clean_graphics, because: t}]", ":5: options[0].option is chosen", id="twice"),
        pytest.param(
            "unseen_pixels: {groups: [projection], because: t}", ":5: unseen_pixels contradicts", id="unseen and looked"
        ),
        pytest.param(
            "without: [{option: clean_pixel_data, because: t}]\nburned_in_text: {marker: mask, because: t}",
            ":6: burned_in_text is about text that nobody looks for",
            id="text of pixels that nobody looks at",
        ),
        pytest.param("burned_in_text: {unsure: keep, because: t}", ":5: burned_in_text.unsure", id="unread text kept"),
        pytest.param("burned_in_text: {engine: x, because: t}", ":5: burned_in_text.engine", id="unknown engine"),
        pytest.param(
            "burned_in_text: {verify_engine: rapidocr, because: t}",
            ":5: burned_in_text.verify_engine makes an engine verify itself",
            id="verifies itself",
        ),
        pytest.param("burned_in_text: {marker: mask}", "burned_in_text.because is missing", id="text without a reason"),
        pytest.param("rules: [{attribute: PatientName, action: keep, because: t}]", ":5: rules[0]", id="relaxes"),
        pytest.param("without: [{option: retain_uids, because: t}]", ":5: without[0].option is no option", id="none"),
        pytest.param("without: [{option: clean_graphics}]", "without[0].because is missing", id="without a reason"),
        pytest.param("without: []", ":5: without is empty", id="without nothing"),
        pytest.param(
            "without: [{option: clean_graphics, because: t}, {option: clean_graphics, because: t}]",
            ":5: without[1].option is left out twice",
            id="left out twice",
        ),
        pytest.param(
            "without: [{option: clean_graphics, because: t}]\noptions: [{option: clean_graphics, because: t}]",
            ":5: without[0].option is left out and chosen",
            id="left out and chosen",
        ),
        pytest.param(
            "without: [{option: clean_graphics, because: t}]\noptions: [{option: retain_full_dates, because: t}]",
            ":6: options[0].option contradicts retain_modified_dates",
            id="still exclusive",
        ),
        pytest.param(
            "without: [{option: retain_safe_private, because: t}]\n"
            "rules: [{creator: ACME 1.1, action: keep, because: t}]",
            ":6: rules[0] keeps private elements",
            id="its own rule needs what it goes without",
        ),
    ],
)
def test_a_layer_that_contradicts_its_base_does_not_load(text: str, where: str) -> None:
    with pytest.raises(Misconfigured) as error:
        layer(text)

    assert where in str(error.value)
    assert "policy.yaml" in str(error.value)
    assert error.value.hint


def files(folder: Path, **extends: str) -> str:
    for name, base in extends.items():
        text = f"name: {name}\ndescription: t\nbecause: t\nextends: {base}\n"
        text += "filters: [{name: only, keep_modalities: [MR], because: t}]\n" if name == "bottom" else ""
        (folder / f"{name}.yaml").write_text(text)
    return str(folder / f"{next(iter(extends))}.yaml")


@pytest.mark.parametrize(
    ("extends", "what"),
    [
        pytest.param({"a": "a.yaml"}, "a.yaml:4: extends leads back", id="itself"),
        pytest.param({"a": "b.yaml", "b": "c.yaml", "c": "a.yaml"}, "c.yaml:4: extends leads back", id="cycle"),
        pytest.param({"a": "b.yaml"}, "a.yaml:4: extends is not there", id="missing"),
        pytest.param({"a": "../b.yaml"}, "a.yaml:4: extends is neither", id="in another folder"),
        pytest.param({"research": "research"}, "research.yaml:1: name is the name of", id="name of the base"),
    ],
)
def test_a_base_that_cannot_be_had_is_an_error_of_the_layer(tmp_path: Path, extends: dict[str, str], what: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.load(files(tmp_path, **extends))

    assert what in str(error.value)
    assert error.value.hint


def test_an_error_of_a_layer_in_the_middle_names_its_file(tmp_path: Path) -> None:
    top = files(tmp_path, top="middle.yaml", middle="research")
    with (tmp_path / "middle.yaml").open("a") as file:
        file.write("unseen_pixels: {groups: [projection], because: t}\n")

    with pytest.raises(Misconfigured, match=r"middle.yaml:5: unseen_pixels contradicts"):
        policy.load(top)


def test_filters_of_layers_have_different_names_and_leave_something(tmp_path: Path) -> None:
    top = Path(files(tmp_path, top="bottom.yaml", bottom="research"))
    for filters, what in (
        ("[{name: only, drop_modalities: [US], because: t}]", "top.yaml:5: filters[0].name is taken"),
        ("[{name: ct, keep_modalities: [CT], because: t}]", "top.yaml:5: filters[0] and those before it let nothing"),
    ):
        top.write_text(SITE.replace("research", "bottom.yaml") + f"filters: {filters}\n")
        with pytest.raises(Misconfigured) as error:
            policy.load(str(top))
        assert what in str(error.value)


def test_a_policy_that_extends_nothing_says_what_it_covers() -> None:
    with pytest.raises(Misconfigured, match="covers is missing"):
        policy.loads("name: site\ndescription: test\nbecause: test\n")


def test_an_explanation_names_the_layer_and_what_holds_only_sometimes() -> None:
    rules = layer(
        "rules:\n"
        "  - {attribute: KVP, action: remove, because: a site needs no voltage}\n"
        "  - {attribute: Exposure, action: remove, because: t, when: {modality: [CT]}}\n"
        "  - {path: 'RequestAttributesSequence[*].StudyID', action: remove, because: t}\n"
    )

    assert policy.explain("KVP", rules).rule == "site#1"
    assert policy.explain("Exposure", rules).also == ("remove by site#2 where its condition holds",)
    assert "remove by site#3 at RequestAttributesSequence[*].StudyID" in policy.explain("StudyID", rules).also
    assert policy.explain("RequestAttributesSequence[*].StudyID", rules).rule == "site#3"
    assert policy.explain("StudyID", rules).rule != "site#3"


def test_an_explanation_says_where_a_path_is_never_reached() -> None:
    also = policy.explain("RequestAttributesSequence[*].StudyID", policy.load("basic")).also

    assert any("never reached: RequestAttributesSequence" in line for line in also)


@pytest.mark.parametrize("path", ["Request[*].StudyID", "**.RequestAttributesSequence[*].StudyID", "A[0].B"])
def test_a_path_that_cannot_be_explained_is_misconfigured(path: str) -> None:
    with pytest.raises(Misconfigured) as error:
        policy.explain(path, policy.load("research"))

    assert error.value.hint


def test_what_a_layer_does_not_say_of_documents_stays() -> None:
    said = "encapsulated_documents: {pdf: quarantine, because: t}"
    below = policy.load("research").cleaned_documents

    assert below - {DocumentKind.PDF} == layer(said).cleaned_documents
    assert below == layer("").cleaned_documents == pickle.loads(pickle.dumps(layer(""))).cleaned_documents


def test_text_of_documents_stays_only_where_that_is_claimed() -> None:
    without = "without: [{option: clean_descriptors, because: t}]\n"

    assert layer(without).cleaned_documents == frozenset()
    with pytest.raises(Misconfigured, match=r"encapsulated_documents\.pdf needs clean_descriptors"):
        layer(without + "encapsulated_documents: {pdf: clean, because: t}")
