"""What a policy file may say: its statements, each with its reason.

A policy is YAML: data only, reviewed like code, readable by an ethics board. Every
statement has `because`. What a shape cannot say is checked where policies are read.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from governance.datatypes import Framework, Instead, NameModel, TextEngine
from governance.patients import NOBODYS, Case, Forms, Issuers, PatientRules, Spelling, WithoutId, Zeros
from governance.rows import TableKind


class Option(StrEnum):
    """The options of PS3.15, E.3."""

    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_UIDS = "retain_uids"
    RETAIN_DEVICE_IDENTITY = "retain_device_identity"
    RETAIN_INSTITUTION_IDENTITY = "retain_institution_identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_FULL_DATES = "retain_full_dates"
    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"
    CLEAN_PIXEL_DATA = "clean_pixel_data"


class SafeList(StrEnum):
    """Which list says that a private element is safe."""

    PS3_15 = "ps3.15"
    TCIA = "tcia"
    BOTH = "both"


class Group(StrEnum):
    """Groups of SOP classes that a policy can cover; `data/sop_class_groups.csv` has their IODs."""

    PROJECTION = "projection"
    CROSS_SECTIONAL = "cross_sectional"
    NUCLEAR = "nuclear"
    ULTRASOUND = "ultrasound"
    INTRAVASCULAR = "intravascular"
    SECONDARY_CAPTURE = "secondary_capture"
    RADIOTHERAPY = "radiotherapy"
    SEGMENTATION = "segmentation"
    REGISTRATION = "registration"
    PRESENTATION = "presentation"
    STRUCTURED_REPORT = "structured_report"
    VISIBLE_LIGHT = "visible_light"
    PHOTOGRAPHS = "photographs"
    WAVEFORM = "waveform"
    ENCAPSULATED_PDF = "encapsulated_pdf"
    ENCAPSULATED_CDA = "encapsulated_cda"


class RuleAction(StrEnum):
    """What a rule of a policy may ask for."""

    KEEP = "keep"
    REMOVE = "remove"
    EMPTY = "empty"
    DUMMY = "dummy"
    CONSISTENT = "consistent"
    CLEAN = "clean"
    UID = "uid"
    SHIFT = "shift"
    CAP_AGE = "cap_age"


class Presence(StrEnum):
    """Whether an attribute is there. An empty one is present; `empty` is what is present without a value."""

    PRESENT = "present"
    ABSENT = "absent"
    EMPTY = "empty"


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]


class Statement(BaseModel):
    """A part of a policy; what is no key of it is refused, and a number is no text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reasoned(Statement):
    """A statement of a policy, and why it is there."""

    because: Text


class Coverage(Reasoned):
    """The groups of SOP classes that the policy was written for; everything else is refused."""

    groups: tuple[Group, ...] = Field(min_length=1)


class ChosenOption(Reasoned):
    """An option of PS3.15 that is in force. `list` belongs to retain_safe_private alone."""

    option: Option
    safe_list: SafeList | None = Field(default=None, alias="list")


class LeftOut(Reasoned):
    """An option of what a layer extends that is not in force in the layer and above it."""

    option: Option


class Condition(Statement):
    """What the values of one attribute at the top of the data set must be, or several conditions as one.

    Texts are compared without regard to case. `equals` and `contains` hold if any value is,
    or has in it, any of the texts, `matches` if the regular expression is found in any value;
    with `not_` before them they hold if none does, also where there is no value. Numbers are
    compared with the first value; what is no number is neither above nor below anything.
    """

    attribute: Text | None = None
    equals: Texts | None = None
    not_equals: Texts | None = None
    contains: Texts | None = None
    not_contains: Texts | None = None
    matches: Text | None = None
    not_matches: Text | None = None
    above: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    value: Presence | None = None
    any_of: "tuple[Condition, ...] | None" = Field(default=None, min_length=1)
    all_of: "tuple[Condition, ...] | None" = Field(default=None, min_length=1)
    none_of: "tuple[Condition, ...] | None" = Field(default=None, min_length=1)


class When(Statement):
    """What the instance must be; each part that is given must hold.

    `modality` and `sop_class` (a UID, or its keyword of PS3.6) are compared whole;
    `manufacturer` and `model` hold if the instance's has one of the texts in it, without regard to case.
    """

    modality: Texts | None = None
    sop_class: Texts | None = None
    manufacturer: Texts | None = None
    model: Texts | None = None
    conditions: tuple[Condition, ...] | None = Field(default=None, min_length=1)


class Rule(Reasoned):
    """An exception to the tables; exactly one of the selectors says where.

    A tag is `(gggg,eeee)`, or `(gggg,"CREATOR",ee)` of a private element; `attributes` has keywords and tags.
    """

    attribute: Text | None = None
    attributes: Texts | None = None
    tag: Text | None = None
    path: Text | None = None
    vr: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    group: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{4}$")] | None = None
    creator: Text | None = None
    when: When | None = None
    action: RuleAction


class Filter(Reasoned):
    """Which instances stay out; each part that is given must let the instance pass. Case does not matter."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    keep_modalities: tuple[Text, ...] | None = None
    drop_modalities: tuple[Text, ...] | None = None
    keep_sop_classes: tuple[Text, ...] | None = None
    drop_sop_classes: tuple[Text, ...] | None = None
    drop_image_types: tuple[Text, ...] | None = None
    keep_when: When | None = None
    drop_when: When | None = None


class UnseenPixels(Reasoned):
    """Images that pass although text is likely in their pixels and nobody looks, because another step answers for them.

    It never claims 113101. An image whose BurnedInAnnotation says YES does not pass.
    """

    groups: tuple[Group, ...] | None = Field(default=None, min_length=1)
    sop_classes: Texts | None = None


class BurnedInText(Reasoned):
    """What becomes of text in pixels, by what it is read as. Only clinical markers can stay.

    marker: every word is of a closed grammar (L, PORTABLE, 120 kVp), was surely read, is not the study's own, and
    stands apart from what may identify; identifier: something of the study, of the form of an identifier, or a
    frequent name; unsure: all other text. engine: what locates and reads it;
    verify_engine: another one, which looks for what is left in all that was looked at, once it is written;
    where: only where class, device or header make text likely, or in every image;
    known_regions: what a recipe of `deid` calls text of the device, and what is outside of an ultrasound image's
    regions, is looked at like all else, or masked whatever it shows.
    """

    engine: TextEngine = TextEngine.RAPIDOCR
    verify_engine: TextEngine | Literal["none"] = "none"
    where: Literal["likely", "everywhere"] = "likely"
    known_regions: Literal["look", "mask"] = "look"
    marker: Literal["keep", "mask", "quarantine"] = "keep"
    unsure: Literal["mask", "quarantine"] = "mask"
    identifier: Literal["mask", "quarantine"] = "mask"

    @property
    def engines(self) -> tuple[TextEngine, TextEngine | None]:
        """What looks at pixels, and what looks for text that is left in them."""
        return self.engine, None if self.verify_engine == "none" else self.verify_engine

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What it says alone: a layer that says a default takes back what is below, one that is silent does not."""
        return {name: value for name, value in whole(self).items() if name in self.model_fields_set}


class EncapsulatedDocuments(Reasoned):
    """What becomes of documents inside objects of a covered class.

    quarantine: they wait; clean: a new document with what stays of the words, which is text that is kept: it needs
    `clean_descriptors`. Pictures in it need `clean_pixel_data`.
    """

    pdf: Literal["clean", "quarantine"] = "quarantine"
    cda: Literal["clean", "quarantine"] = "quarantine"

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As of `BurnedInText`: what it says alone."""
        return {name: value for name, value in whole(self).items() if name in self.model_fields_set}


class FreeText(Reasoned):
    """What stands in cleaned texts instead of what identifies in them.

    instead: marks that say what was there, or surrogates, which read like what they stand for and are the same
    wherever the same patient's texts have the same. model: a spaCy pipeline (a package, or the whole path of a folder)
    or a transformers model (a folder) that is installed and looks for names besides ours; `none` takes it back.
    """

    instead: Instead = Instead.MARKS
    model: dict[Framework, Text] | Literal["none"] = Field(default="none", max_length=1, min_length=1)

    @property
    def name_model(self) -> NameModel | None:
        """What looks for names besides our own network."""
        if self.model == "none":
            return None
        ((framework, where),) = self.model.items()
        return NameModel(framework, where)

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What it says alone, as in `BurnedInText`."""
        return {name: value for name, value in whole(self).items() if name in self.model_fields_set}


class PatientIds(Statement):
    """How a site writes PatientID: what two of one patient may differ in. ignore: signs that do not count."""

    leading_zeros: Zeros = Zeros.KEEP
    case: Case = Case.KEEP
    characters: Forms = Forms.KEEP
    ignore: Annotated[str, StringConstraints(pattern=r"^[^\w\\]*$", max_length=20)] = ""


class Patients(Reasoned):
    """When two objects are of one patient.

    nobodys: numbers that are nobody's, whatever their case and signs, and zeros; issuers: whether the same number of
    two assigning authorities (0010,0021) is one patient, which of these are the same, and whose the numbers are with
    which none is named; without_id: what keys patients without a number; names: what keys of them take for the same.
    """

    ids: PatientIds = PatientIds()
    nobodys: tuple[Text, ...] = NOBODYS
    issuers: Issuers = Issuers.IGNORED
    same_issuers: tuple[Annotated[tuple[Text, ...], Field(min_length=2)], ...] = ()
    issuer_unsaid: str = ""
    without_id: WithoutId = WithoutId.STUDY
    names: Spelling = Spelling.PLAIN

    @property
    def rules(self) -> PatientRules:
        """As those who make keys take it."""
        return PatientRules(
            zeros=self.ids.leading_zeros,
            case=self.ids.case,
            ignore=self.ids.ignore,
            forms=self.ids.characters,
            nobodys=self.nobodys,
            issuers=self.issuers,
            same_issuers=self.same_issuers,
            issuer_unsaid=self.issuer_unsaid,
            without_id=self.without_id,
            names=self.names,
        )

    @model_serializer(mode="wrap")
    def _said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What it says alone, as in `BurnedInText`."""
        return {name: value for name, value in whole(self).items() if name in self.model_fields_set}


class KnownText(Reasoned):
    """Where images of one device, class and size have text burned in: these boxes are masked, all else is looked at.

    Maker and model are compared whole, without regard to case. A box is LEFT,TOP,RIGHT,BOTTOM, in columns and rows
    from 0, right and bottom excluded, of every frame.
    """

    manufacturer: Text
    model: Text
    sop_class: Text
    rows: int = Field(gt=0, lt=1 << 16)
    columns: int = Field(gt=0, lt=1 << 16)
    boxes: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}(,[0-9]{1,5}){3}$")], ...] = Field(min_length=1)


class NeverTrust(Reasoned):
    """Images of devices that nobody trusts a program with: each is held back until a person has looked at it."""

    when: When


class Tables(Reasoned):
    """Which tables beside the images are published, once they are de-identified; others are held back."""

    publish: tuple[TableKind, ...]


class Policy(Reasoned):
    """A whole policy, or a layer over the one that it extends."""

    name: Name
    description: Text
    extends: Text | None = None
    covers: Coverage | None = None
    without: tuple[LeftOut, ...] | None = Field(default=None, min_length=1)
    options: tuple[ChosenOption, ...] = ()
    rules: tuple[Rule, ...] = ()
    filters: tuple[Filter, ...] = ()
    unseen_pixels: UnseenPixels | None = None
    burned_in_text: BurnedInText | None = None
    encapsulated_documents: EncapsulatedDocuments | None = None
    free_text: FreeText | None = None
    patients: Patients | None = None
    known_text: tuple[KnownText, ...] | None = Field(default=None, min_length=1)
    never_trust: tuple[NeverTrust, ...] | None = Field(default=None, min_length=1)
    tables: Tables | None = None


EXCLUSIVE = ((Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES),)
"""PS3.15, E.3.6: dates are either kept as they are or modified."""

SELECTORS = ("attribute", "attributes", "tag", "path", "vr", "group", "creator")
"""What a rule can say where it holds with."""

FILTERING = (
    "keep_modalities",
    "drop_modalities",
    "keep_sop_classes",
    "drop_sop_classes",
    "drop_image_types",
    "keep_when",
    "drop_when",
)

TESTS = (
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "matches",
    "not_matches",
    "above",
    "below",
    "at_least",
    "at_most",
    "value",
)
"""What a condition can ask of an attribute, one each."""

ANY_CREATOR = "*"
