"""The document inside an object: made anew of what stays, inspected as a reader sees it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    Instead,
    Method,
    Plan,
    Span,
    Step,
)
from governance.detect import identifiers
from governance.errors import Leak, Refused
from governance.pipeline.cleaning import Cleaning
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
    cleaning = Cleaning.of(subject, found, by=by, codes=plan.codes, instead=plan.instead, model=plan.name_model)
    data = _bytes_of(instance, element)
    made = _anew(data, instance, plan, cleaning, subject=subject, by=by)
    if cleaning.instead is Instead.SURROGATES and made.identifies():  # as in a text: with none at all
        made = _anew(data, instance, plan, cleaning.with_marks(), subject=subject, by=by)
    if made.can_be_read():
        raise Leak("still there after writing: an identifier that can be read in the new document")
    return made.written(element, identified=_HL7_IDENTIFIER in anew)


@dataclass(frozen=True, slots=True, repr=False)
class _Anew(Confidential):
    """A document made anew. identifier: as it names itself, None if it does not. looks: at pictures in it."""

    cleaned: Cleaned
    cleaning: Cleaning
    kind: DocumentKind
    mime_type: bytes
    by: tuple[str, str]
    versions: Mapping[str, str] = field(default_factory=dict)
    looks: Sequence[Step] = ()
    identifier: str | None = None

    def can_be_read(self) -> bool:
        """Whether an identifier of this study is in what can be read, in lines as they are and joined."""
        return any(map(self._holds_own, _forms(self.cleaned.texts)))

    def identifies(self) -> bool:
        """Whether one is there or in the bytes, as the inspection of what is written would see it."""
        return self.can_be_read() or self._holds_own(self.cleaned.data)

    def _holds_own(self, data: bytes) -> bool:
        allowed = frozenset(self.cleaning.texts.shifted)
        return bool(identifiers.search(data, self.cleaning.found, codecs=("utf-8",), allowed=allowed))

    def written(self, element: Element, *, identified: bool) -> Document:
        """The new value, what the header says of it, and what the receipt does."""
        data = self.cleaned.data + b"\n" * (len(self.cleaned.data) % 2)
        added = [
            Added(_MIME_TYPE, "LO", self.mime_type + b" " * (len(self.mime_type) % 2)),
            Added(_LENGTH, "UL", len(data).to_bytes(4, "little")),
        ]
        if identified and self.identifier is not None:
            added.append(Added(_HL7_IDENTIFIER, "ST", self.identifier.encode() + b" " * (len(self.identifier) % 2)))
        said = {"kind": self.kind.value, **self.cleaning.said(), **self.versions, **self.cleaned.said}
        steps = [*self.looks, Step("document", *self.by, said)]
        return Document({element: data}, added, steps, frozenset(self.cleaning.texts.shifted))


def _forms(texts: Iterable[str]) -> Iterator[bytes]:
    for each in texts:
        joined = " ".join(each.split())
        yield from (form.encode("utf-8", "replace") for form in (each, joined, joined.replace("- ", "")))


def _anew(
    data: bytes, instance: Instance, plan: Plan, cleaning: Cleaning, *, subject: Subject, by: Pseudonymiser
) -> _Anew:
    looks: list[Step] = []
    treatment = Treatment(
        find=cleaning.find,
        find_in_code=cleaning.find_in_code,
        find_across=cleaning.find_across,
        find_own=cleaning.find_own,
        instead=cleaning.replacing,
        mask=partial(_masked, plan=plan, found=cleaning.found, steps=looks),
    )
    match plan.document:
        case DocumentKind.PDF:
            import pypdfium2  # half a second, for what few archives have

            from governance.scrub.documents import pdf

            cleaned = pdf.clean(data, treatment)
            versions = {"pdfium": str(pypdfium2.version.PDFIUM_INFO.version)}
            tool = ("pypdfium2", str(pypdfium2.version.PYPDFIUM_INFO.version))
            return _Anew(cleaned, cleaning, plan.document, b"application/pdf", tool, versions, looks)
        case DocumentKind.CDA:
            from lxml import etree

            from governance.scrub.documents import cda

            of = _subject(instance, plan, cleaning.texts, subject=subject, by=by)
            cleaned, identifier = cda.clean(data, treatment, of)
            tool = ("lxml", etree.__version__)
            return _Anew(cleaned, cleaning, plan.document, b"text/XML", tool, identifier=identifier)
        case None:
            raise AssertionError("asked for without a document")
        case _:
            assert_never(plan.document)


def _subject(instance: Instance, plan: Plan, texts: Texts, *, subject: Subject, by: Pseudonymiser) -> "cda.Subject":
    from governance.scrub.documents import cda

    def move(day: str) -> str | None:
        return texts.instead(day)(Span(0, len(day), "DATE"))

    patient_id = instance.first(_PATIENT_ID)
    written = frozenset() if patient_id is None else frozenset(filter(None, instance.decode(patient_id)))
    is_number = by.is_number_of(subject)
    return cda.Subject(
        patient=subject.patient,
        is_patients=lambda value: value in written or is_number(value),
        uid=by.uid,
        pseudonym=by.consistent,
        move=move,
        keeps_sex=_KEEPS_CHARACTERISTICS in plan.codes,
    )


def _bytes_of(instance: Instance, element: Element) -> bytes:
    """The document without what was put behind it to make its length even (PS3.3, C.24.2)."""
    value = instance.value(element)
    length = instance.first(_LENGTH)
    if length is None or length.stop - length.start != 4:
        return value
    size = int.from_bytes(instance.value(length), "little")
    return value[:size] if size == len(value) - 1 else value


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
