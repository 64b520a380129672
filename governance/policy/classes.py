"""What the whole instance says: whether a policy covers it, a filter drops it, text is likely in its pixels."""

import re

from pydicom.uid import UID_dictionary

from governance import dicom
from governance.datatypes import DocumentKind, Instance, KnownDevice, Region
from governance.errors import Undecided
from governance.policy import conditions, standard, waveforms
from governance.policy.rules import Rules
from governance.policy.schema import Filter

_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.(4\.10[0-8](\.1)?|7\.[123])")
"""MPEG2, MPEG-4 and HEVC (PS3.5, 10.7-10.11) and SMPTE ST 2110 (10.17): streams that nobody here can look into."""

_ELSEWHERE = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (94, 95, 204, 205))
"""JPIP: the pixels are on a server, and the object holds its address."""

_ROWS, _COLUMNS = 0x00280010, 0x00280011
RISKY_MODALITIES = frozenset({"US", "IVUS", "SC", "OT", "XA", "RF", "ES", "GM", "CR", "DX", "XC", "DG", "IO", "PX"})
RISKY_IODS = frozenset(
    {
        "ultrasound-image",
        "ultrasound-multi-frame-image",
        "enhanced-us-volume",
        "photoacoustic-image",
        "x-ray-angiographic-image",
        "x-ray-radiofluoroscopic-image",
        "enhanced-xa-image",
        "enhanced-xrf-image",
        "computed-radiography-image",
        "digital-x-ray-image",
        "digital-mammography-x-ray-image",
        "breast-projection-x-ray-image",
        "digital-intra-oral-x-ray-image",
        "intravascular-optical-coherence-tomography-image",
    }
)
RISKY_GROUPS = frozenset({"secondary_capture", "visible_light", "photographs"})
DOCUMENTS = {"encapsulated_pdf": DocumentKind.PDF, "encapsulated_cda": DocumentKind.CDA}
"""Groups of classes that hold a document of a kind that can be cleaned."""
_WITHOUT_IMAGES = frozenset({"registration", "presentation", "structured_report", "waveform", *DOCUMENTS})
"""Groups of classes that are no images: nobody can say what pixels in one of them show."""
_IMAGES_OF_RADIOTHERAPY = frozenset({"rt-image", "rt-dose", "enhanced-rt-image", "enhanced-continuous-rt-image"})

_PICTURES_OF_TEXT = ("SCREEN", "DOSE", "REPORT", "CAPTURE", "PROTOCOL", "SUMMARY", "PASTED")
"""Parts of ImageType values with which scanners mark pages, dose reports and screen shots."""

_SERIES_OF_TEXT = re.compile(r"dose|report|protocol\b|screen|capture|summary|scan(ned)? doc|form\b", re.IGNORECASE)
_NEVER_IN_COLOUR = frozenset({"CT", "MR", "PT", "MG"})


def iod_of(instance: Instance) -> str:
    """The IOD of the instance's SOP class, empty if the standard does not know the class."""
    return standard.iods().get(instance.text("SOPClassUID"), "")


def is_report(iod: str) -> bool:
    """Whether an IOD is a structured report, whose content is a tree."""
    return standard.groups().get(iod) == "structured_report"


def class_name(instance: Instance) -> str:
    """What the standard calls the instance's SOP class; its UID is quoted only where the standard has a name for it."""
    name, kind, *_ = UID_dictionary.get(instance.text("SOPClassUID"), ("", ""))
    return str(name) if kind == "SOP Class" else "a SOP class that the standard does not know"


def refuse_uncovered(instance: Instance, iod: str, rules: Rules) -> None:
    """Let pass what the policy was written for.

    Raises:
        Undecided: the SOP class, the transfer syntax or what may be sound is not covered.
        Refused: a waveform has not the samples that it says.
    """
    if not instance.text("SOPClassUID"):
        raise Undecided("SOPClassUID is missing or empty")
    if standard.groups().get(iod, "") not in rules.groups:
        raise Undecided(f"{class_name(instance)} is not covered by this policy", hint="see covers in the policy")
    if standard.groups().get(iod) == "waveform":
        waveforms.refuse_sound(instance)
    kind = DOCUMENTS.get(standard.groups()[iod])
    if kind is not None and kind not in rules.cleaned_documents:
        hint = "see encapsulated_documents in the policy"
        raise Undecided(f"{class_name(instance)} is held back by this policy", hint=hint)
    for syntax in (instance.transfer_syntax, instance.source_syntax):
        if _VIDEO.fullmatch(syntax):
            raise Undecided("video is not covered by this policy", hint="every frame would have to be looked at")
        if syntax in _ELSEWHERE:
            raise Undecided("pixels that are on another server are not covered", hint="fetch the image itself")


def filtered_by(instance: Instance, rules: Rules) -> str:
    """The name of the first filter that keeps the instance out, or empty."""
    return next((entry.name for entry in rules.policy.filters if not _passes(instance, entry)), "")


def _passes(instance: Instance, entry: Filter) -> bool:
    facts = conditions.Facts(instance)
    modality, sop_class, image_type = map(facts.values, ("Modality", "SOPClassUID", "ImageType"))
    if entry.keep_modalities is not None and not conditions.any_is(modality, entry.keep_modalities):
        return False
    if conditions.any_is(modality, entry.drop_modalities or ()):
        return False
    kept, dropped = entry.keep_sop_classes, entry.drop_sop_classes
    if kept is not None and not conditions.any_is(sop_class, map(conditions.uid_of, kept)):
        return False
    if conditions.any_is(sop_class, map(conditions.uid_of, dropped or ())):
        return False
    if conditions.any_is(image_type, entry.drop_image_types or ()):
        return False
    if entry.keep_when is not None and not conditions.holds(entry.keep_when, facts):
        return False
    return entry.drop_when is None or not conditions.holds(entry.drop_when, facts)


def may_pass_unseen(instance: Instance, iod: str, rules: Rules) -> bool:
    """Whether the policy accepts the instance's pixels without a look, because another step answers for them.

    Not where the header itself says that text is burned in: then that step was not done.
    """
    unseen = rules.policy.unseen_pixels
    if unseen is None or instance.text("BurnedInAnnotation").upper() == "YES":
        return False
    return standard.groups().get(iod, "") in (unseen.groups or ()) or instance.text("SOPClassUID") in map(
        conditions.uid_of, unseen.sop_classes or ()
    )


def known_text(instance: Instance, rules: Rules) -> tuple[Region, ...]:
    """Where the policy knows that the instance's device writes."""
    said = (instance.text("Manufacturer"), instance.text("ManufacturerModelName"))
    size = (instance.number(_ROWS), instance.number(_COLUMNS))
    found: list[Region] = []
    for entry in rules.policy.known_text or ():
        of_device = all(
            one.strip().lower() == other.strip().lower()
            for one, other in zip(said, (entry.manufacturer, entry.model), strict=True)
        )
        of_class = instance.text("SOPClassUID") == conditions.uid_of(entry.sop_class)
        if of_device and of_class and size == (entry.rows, entry.columns):
            boxes = [tuple(map(int, box.split(","))) for box in entry.boxes]
            found += [Region(left, top, right, bottom, None, "policy", 1.0) for left, top, right, bottom in boxes]
    return tuple(found)


def known_regions(instance: Instance, rules: Rules, device: KnownDevice) -> tuple[Region, ...]:
    """What is masked in every frame whatever is seen there: by the policy, and by its device where that says so."""
    masks_them = rules.burned_in_text.known_regions == "mask"
    return known_text(instance, rules) + (device.text if masks_them else ())


def is_distrusted(instance: Instance, rules: Rules) -> bool:
    """Whether the policy wants a person to look at the instance's pixels, whatever a program sees in them."""
    distrusted = rules.policy.never_trust
    if distrusted is None or not any(map(instance.first, dicom.PIXELS)):
        return False
    facts = conditions.Facts(instance)
    return any(conditions.holds(each.when, facts) for each in distrusted)


def text_is_likely(instance: Instance, iod: str, device: KnownDevice) -> bool:
    """Whether what is known of the device, the class, the device's own words or the header make burned-in text likely.

    BurnedInAnnotation NO is no evidence: modalities set it whatever the pixels hold.
    """
    if device.name:
        return True
    if not any(map(instance.first, dicom.PIXELS)):
        return False
    modality, group = instance.text("Modality"), standard.groups().get(iod)
    if modality in RISKY_MODALITIES or iod in RISKY_IODS or group in RISKY_GROUPS | _WITHOUT_IMAGES:
        return True
    if group == "radiotherapy" and iod not in _IMAGES_OF_RADIOTHERAPY:
        return True
    if instance.text("BurnedInAnnotation").upper() == "YES" or instance.text("ConversionType"):
        return True
    if any(word in value for value in _values(instance, "ImageType")[2:] for word in _PICTURES_OF_TEXT):
        return True
    if modality in _NEVER_IN_COLOUR and not instance.text("PhotometricInterpretation").startswith("MONOCHROME"):
        return True
    return _SERIES_OF_TEXT.search(instance.text("SeriesDescription")) is not None


def _values(instance: Instance, keyword: str) -> list[str]:
    tag = dicom.tag_of(keyword)
    element = None if tag is None else instance.first(tag)
    return [] if element is None else [value.upper() for value in instance.decode(element)]
