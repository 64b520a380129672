"""The document inside an object: made anew of what stays, inspected as a reader sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, assert_never

import numpy as np

from governance import dicom, read, write
from governance.datatypes import (
    Added,
    Confidential,
    DocumentKind,
    Edits,
    Element,
    Identifiers,
    Instance,
    Method,
    Plan,
    Span,
    Step,
)
from governance.detect import identifiers, text
from governance.errors import Leak, Refused
from governance.pipeline.pixels import Pixels, refuse_text_left, scrub_pixels
from governance.pseudonymise import Pseudonymiser, Subject, Texts
from governance.scrub.documents import Cleaned, Picture, Treatment

if TYPE_CHECKING:
    from governance.scrub.documents import cda

_DOCUMENT, _MIME_TYPE, _LENGTH, _HL7_IDENTIFIER, _PATIENT_ID = (
    0x00420011,
    0x00420012,
    0x00420015,
    0x0040E001,
    0x00100020,
)
_KEEPS_CHARACTERISTICS = "113108"  # CID 7050
_ACROSS = text.ALL - {"UNKNOWN_WORD"}
_EXPLICIT = "1.2.840.10008.1.2.1"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(slots=True, repr=False)
class Document(Confidential):
    """What happened to the document of one instance; nothing where it has none. shifted: moved dates in it."""

    edits: Edits = field(default_factory=dict)
    added: list[Added] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    shifted: frozenset[str] = frozenset()


def scrub_document(
    instance: Instance, plan: Plan, found: Identifiers, *, subject: Subject, by: Pseudonymiser
) -> Document:
    """Make the document anew where the plan says so.

    Raises:
        Refused: it cannot be read for sure, or is too large.
        Leak: an identifier of this study can still be read in what was made.
    """
    anew = {each.where.tag: each.where for each in plan.decisions if each.method is Method.DOCUMENT}
    element = anew.get(_DOCUMENT)
    if element is None or plan.document is None:
        return Document()
    texts = by.texts(subject, codes=plan.codes, known=found.dates)
    looks: list[Step] = []
    treatment = Treatment(
        find=partial(text.find, identifiers=found),
        find_across=partial(text.find, identifiers=found, kinds=_ACROSS),
        find_own=partial(text.find_own, identifiers=found),
        instead=texts.instead,
        mask=partial(_masked, plan=plan, found=found, steps=looks),
    )
    data = _bytes_of(instance, element)
    match plan.document:
        case DocumentKind.PDF:
            import pypdfium2  # half a second, for what few archives have

            from governance.scrub.documents import pdf

            cleaned = pdf.clean(data, treatment)
            versions: dict[str, str] = {"pdfium": str(pypdfium2.version.PDFIUM_INFO.version)}
            step = _step(plan.document, "pypdfium2", str(pypdfium2.version.PYPDFIUM_INFO.version), cleaned, versions)
            made = _document(element, cleaned, texts, found, b"application/pdf", [*looks, step])
        case DocumentKind.CDA:
            from lxml import etree

            from governance.scrub.documents import cda

            cleaned, identifier = cda.clean(data, treatment, _subject(instance, plan, texts, subject=subject, by=by))
            step = _step(plan.document, "lxml", etree.__version__, cleaned, {})
            made = _document(element, cleaned, texts, found, b"text/XML", [step])
            if _HL7_IDENTIFIER in anew:
                made.added.append(Added(_HL7_IDENTIFIER, "ST", identifier.encode() + b" " * (len(identifier) % 2)))
        case _:
            assert_never(plan.document)
    return made


def _step(kind: DocumentKind, tool: str, version: str, cleaned: Cleaned, versions: Mapping[str, str]) -> Step:
    return Step("document", tool, version, {"kind": kind.value, "in_texts": "marks", **versions, **cleaned.said})


def _subject(instance: Instance, plan: Plan, texts: Texts, *, subject: Subject, by: Pseudonymiser) -> "cda.Subject":
    from governance.scrub.documents import cda

    def move(day: str) -> str | None:
        return texts.instead(day)(Span(0, len(day), "DATE"))

    patient_id = instance.first(_PATIENT_ID)
    return cda.Subject(
        patient=subject.patient,
        patient_ids=frozenset() if patient_id is None else frozenset(filter(None, instance.decode(patient_id))),
        uid=by.uid,
        pseudonym=by.consistent,
        move=move,
        keeps_sex=_KEEPS_CHARACTERISTICS in plan.codes,
    )


def _document(
    element: Element, cleaned: Cleaned, texts: Texts, found: Identifiers, mime_type: bytes, steps: list[Step]
) -> Document:
    shifted = frozenset(texts.shifted)
    refuse_readable(cleaned, found, shifted)
    data = cleaned.data + b"\n" * (len(cleaned.data) % 2)
    added = [
        Added(_MIME_TYPE, "LO", mime_type + b" " * (len(mime_type) % 2)),
        Added(_LENGTH, "UL", len(data).to_bytes(4, "little")),
    ]
    return Document({element: data}, added, steps, shifted)


def _bytes_of(instance: Instance, element: Element) -> bytes:
    """The document without what was put behind it to make its length even (PS3.3, C.24.2)."""
    value = instance.value(element)
    length = instance.first(_LENGTH)
    if length is None or length.stop - length.start != 4:
        return value
    size = int.from_bytes(instance.value(length), "little")
    return value[:size] if size == len(value) - 1 else value


def refuse_readable(cleaned: Cleaned, found: Identifiers, allowed: frozenset[str]) -> None:
    """Look for this study's identifiers in what can be read, in lines as they are and joined.

    Raises:
        Leak: there is one.
    """
    for each in cleaned.texts:
        joined = " ".join(each.split())
        for form in (each, joined, joined.replace("- ", "")):
            if identifiers.search(form.encode("utf-8", "replace"), found, codecs=("utf-8",), allowed=allowed):
                raise Leak("still there after writing: an identifier that can be read in the new document")


# ------------------------------------------------------------------------ pictures


def _masked(picture: Picture, *, plan: Plan, found: Identifiers, steps: list[Step]) -> tuple[Picture, int]:
    """A picture of a document goes the way of pixels: looked at, masked, looked at again."""
    if not plan.detect_pixels:
        raise Refused("a document with pictures, in which this policy does not look for text", hint="see pixels")
    page_plan = replace(plan, likely_burned_in=True, known_text=(), distrusted=False, accepted_unseen=False)
    page = _capture(picture)
    pixels = scrub_pixels(page, page_plan, found)
    _refuse_unlooked(pixels)
    masked = picture
    if pixels.data is not None:
        masked = np.frombuffer(pixels.data.value, np.uint8)[: picture.size].reshape(picture.shape)
    refuse_text_left(_capture(masked), page_plan, pixels, found)
    steps += [step for step in pixels.steps if step not in steps]
    return masked, len(pixels.regions)


def _refuse_unlooked(pixels: Pixels) -> None:
    if not pixels.looked:
        raise Refused("a picture in a document that nothing looked at")


def _capture(picture: Picture) -> Instance:
    """A picture as an instance, which is never written."""
    rows, columns, _ = picture.shape
    uid = b"2.25.1"
    values = (
        (0x00080016, "UI", _SECONDARY_CAPTURE.encode()),
        (0x00080018, "UI", uid),
        (0x00080060, "CS", b"OT"),
        (0x00280002, "US", _short(3)),
        (0x00280004, "CS", b"RGB "),
        (0x00280006, "US", _short(0)),
        (0x00280010, "US", _short(rows)),
        (0x00280011, "US", _short(columns)),
        (0x00280100, "US", _short(8)),
        (0x00280101, "US", _short(8)),
        (0x00280102, "US", _short(7)),
        (0x00280103, "US", _short(0)),
        (dicom.PIXEL_DATA, "OB", picture.tobytes() + b"\0" * (picture.size % 2)),
    )
    data_set = b"".join(dicom.element(tag, vr, value, explicit=True) for tag, vr, value in values)
    return read.parse(write.head(_SECONDARY_CAPTURE.encode(), uid, _EXPLICIT) + data_set)


def _short(number: int) -> bytes:
    return number.to_bytes(2, "little")
