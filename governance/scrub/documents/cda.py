"""A CDA made anew (HL7 Clinical Document Architecture, Release 2): its structure stays, who it is about does not.

Persons, places and ways to reach them become null flavors (`MSK`), identifiers are replaced, days are moved, and every
other text loses what identifies. Comments, processing instructions, media, signatures and what no schema of HL7 has
are left out. What a style sheet would show is what is written: nothing is hidden in a second form.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from lxml import etree
from lxml.etree import _Element as Node

from governance.datatypes import Confidential
from governance.errors import Refused
from governance.scrub.documents import Cleaned, Treatment
from governance.scrub.documents.layout import Word
from governance.scrub.documents.wording import Piece, Wording

MAX_BYTES = 16 << 20
LONGEST_SECTION = 90_000
"""Characters of one narrative."""
_HL7, _XSI = "urn:hl7-org:v3", "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES = frozenset({"", _HL7, "urn:hl7-org:sdtc"})
_MASKED = "MSK"
"""HL7 v3, NullFlavor: there is information, and it is not given for privacy."""

_NULLED = frozenset({"addr", "telecom", "birthTime"})
_LEFT_OUT = frozenset(
    {"maritalStatusCode", "religiousAffiliationCode", "raceCode", "ethnicGroupCode", "guardian", "birthplace"}
    | {"renderMultiMedia", "regionOfInterest", "signatureText", "thumbnail", "integrityCheck"}
)
"""All of them optional in their places."""
_AROUND_MEDIA = frozenset({"entry", "entryRelationship", "component"})
_GONE = "{urn:left-out}_"
"""What an element is called until it is left out."""
_THINGS = frozenset(
    {"manufacturedMaterial", "manufacturedLabeledDrug", "manufacturerOrganization", "playingEntity", "playingDevice"}
)
"""What has a name that no person has."""
_INLINE = frozenset({"content", "sub", "sup", "linkHtml", "footnoteRef", "br"})

_STANDARD = re.compile(
    r"2\.16\.840\.1\.113883\.(?:1|5|6|10|11)(?:\.\d+)*|1\.2\.840\.10008(?:\.\d+)*|1\.3\.6\.1\.4\.1\.19376(?:\.\d+)*"
)
"""Code systems, value sets and templates of HL7, DICOM and IHE; other branches belong to whoever asked for one."""
_WORD_OF_STRUCTURE = re.compile(r"[A-Za-z0-9_.:,%/\[\]{}*^'#() +-]{0,64}", re.ASCII)
_STRUCTURE = frozenset(
    {"classCode", "moodCode", "typeCode", "determinerCode", "contextControlCode", "contextConductionInd"}
    | {"negationInd", "inversionInd", "independentInd", "nullFlavor", "use", "unit", "operator", "mediaType", "type"}
    | {"representation", "partType", "qualifier", "inclusive", "institutionSpecified", "codeSystemVersion", "styleCode"}
    | {"align", "valign", "char", "charoff", "border", "colspan", "rowspan", "cellspacing", "cellpadding", "width"}
    | {"height", "listType", "rules", "frame", "scope"}
)
"""Attributes that say how a document is built."""
_CODED_BY_HL7 = frozenset({"realmCode", "languageCode", "statusCode", "signatureCode", "priorityCode"})
_DROPPED = frozenset({"href", "assigningAuthorityName", "schemaLocation", "noNamespaceSchemaLocation", "base"})
_TIME = re.compile(r"((?:1[89]|20)\d{6})((?:\d\d){0,3})(\.\d+)?([+-]\d{4})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,8}(?:\.\d{1,9})?", re.ASCII)
_EDITION = re.compile(r"POCD_HD\d{6}[A-Z0-9]*|\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class Subject(Confidential):
    """What stands instead of identifiers. uid: of one; pseudonym: of a number; patient: of one that is the patient's.

    move: a day as YYYYMMDD, None where it cannot stay. keeps_sex: whether the policy does.
    """

    patient: str
    is_patients: Callable[[str], bool]
    uid: Callable[[str], str]
    pseudonym: Callable[[str], str]
    move: Callable[[str], str | None]
    keeps_sex: bool


def clean(data: bytes, treatment: Treatment, subject: Subject) -> tuple[Cleaned, str]:
    """Make a new CDA of `data`, and say what identifies it, as HL7InstanceIdentifier has it (root^extension).

    Raises:
        Refused: no well-formed CDA, one with a document type, or one whose body is another document.
    """
    root = _parsed(data)
    made = _Cda(treatment, subject)
    made.clean(root)
    etree.cleanup_namespaces(root)
    written = etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
    texts = (written.decode(), "".join(root.itertext()), " ".join(root.itertext()))
    spans = {f"spans_{kind.lower()}": count for kind, count in sorted(made.wording.counts.items())}
    identifier = next((each for each in root if _name(each) == "id"), None)
    parts = [] if identifier is None else [identifier.get("root", ""), identifier.get("extension", "")]
    return Cleaned(written, texts, {**made.said, **spans}), "^".join(filter(None, parts))


def _parsed(data: bytes) -> Node:
    if len(data) > MAX_BYTES:
        raise Refused(f"a CDA of more than {MAX_BYTES >> 20} MiB", hint="split it at its source")
    # Before anything is expanded, in whatever encoding of one or two bytes.
    if b"<!DOCTYPE" in data.replace(b"\0", b"") or b"<!ENTITY" in data.replace(b"\0", b""):
        raise Refused("a CDA with a document type, which can hide text", hint="no CDA needs one: remove it")
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    root = None
    with suppress(etree.XMLSyntaxError, ValueError):
        root = etree.fromstring(data.rstrip(b"\0 "), parser)
    if root is None or _name(root) != "ClinicalDocument" or etree.QName(root).namespace not in (None, _HL7):
        raise Refused("EncapsulatedDocument is no CDA that can be read", hint="have it written again at its source")
    if root.getroottree().docinfo.doctype:
        raise Refused("a CDA with a document type, which can hide text", hint="no CDA needs one: remove it")
    if any(_name(each) == "nonXMLBody" for each in root.iter("*")):
        hint = "encapsulate that document by itself"
        raise Refused("a CDA whose body is another document, which nothing here looks into", hint=hint)
    return root


def _name(node: Node) -> str:
    return str(etree.QName(node).localname) if isinstance(node.tag, str) else ""


def _namespace(node: Node) -> str:
    return str(etree.QName(node).namespace or "")


@dataclass(slots=True, repr=False)
class _Cda(Confidential):
    """One pass over one document."""

    treatment: Treatment
    subject: Subject
    said: dict[str, int] = field(default_factory=lambda: {"left_out": 0, "masked": 0, "moved_times": 0, "ids": 0})
    wording: Wording = field(init=False)
    patients: list[Node] = field(default_factory=list)
    """Their names, which are written last: a pseudonym is no text to clean."""

    def __post_init__(self) -> None:
        self.wording = Wording(self.treatment)

    def clean(self, root: Node) -> None:
        """Leave out, mask, replace, and clean what is left, in this order."""
        for node in list(root.iter("*")):
            if _namespace(node) not in _NAMESPACES or _name(node) in _LEFT_OUT:
                self._leave_out(node)
            elif _name(node) == "observationMedia":
                around = node.getparent()
                self._leave_out(around if around is not None and _name(around) in _AROUND_MEDIA else node)
        # What follows an element in a narrative is no part of it. All at once: one by one, what follows a thousand
        # of them would be put together a thousand times.
        etree.strip_elements(root, _GONE, etree.Comment, etree.PI, etree.Entity, with_tail=False)
        for node in list(root.iter("*")):
            self._mask(node)
        for node in root.iter("*"):
            self._attributes(node)
        self._texts(root)
        for node in self.patients:
            node.text = self.subject.patient

    def _leave_out(self, node: Node) -> None:
        if node.tag != _GONE:
            node.tag = _GONE
            self.said["left_out"] += 1

    def _mask(self, node: Node) -> None:
        parent = node.getparent()
        if parent is None or _is_narrative(node):
            return
        name, around = _name(node), _name(parent)
        is_name = name == "name" and (around not in _THINGS or _is_of_person(node))
        is_sex = name == "administrativeGenderCode" and not self.subject.keeps_sex
        if not (is_name or is_sex or name in _NULLED or node.get("representation") == "B64"):
            return
        tail = node.tail
        node.clear()
        node.tail = tail
        if is_name and around == "patient":
            self.patients.append(node)
        else:
            node.set("nullFlavor", _MASKED)
        self.said["masked"] += 1

    # -------------------------------------------------------------------- attributes

    def _attributes(self, node: Node) -> None:
        """What is written of each attribute of an element that stays."""
        is_standard = _STANDARD.fullmatch(node.get("codeSystem") or node.get("root") or "") is not None
        for key, value in list(node.attrib.items()):
            name = etree.QName(key)
            new = (
                None
                if name.namespace not in (None, _XSI)
                else self._attribute(node, name.localname, value, is_standard)
            )
            if new is None:
                del node.attrib[key]
            elif new != value:
                node.set(key, new)

    def _attribute(self, node: Node, name: str, value: str, is_standard: bool) -> str | None:
        is_template = _name(node) in ("templateId", "typeId")
        if name in _DROPPED:
            return None
        if name in ("root", "codeSystem"):
            if _STANDARD.fullmatch(value) and (name == "codeSystem" or is_template):
                return value
            self.said["ids"] += 1
            return self.subject.uid(value)
        if name == "extension":
            return self._extension(node, value, is_template=is_template and is_standard)
        if name == "value":
            return self._value(node, value)
        if name in ("ID", "IDREF", "referencedObject"):
            return self._link(value)
        if name == "code":
            is_known = is_standard or _name(node) in _CODED_BY_HL7
            find = self.treatment.find_own if is_known else self.treatment.find_in_code
            return self.subject.pseudonym(value) if find(value) or not _WORD_OF_STRUCTURE.fullmatch(value) else value
        if name in _STRUCTURE:
            return None if self.treatment.find_across(value) or not _WORD_OF_STRUCTURE.fullmatch(value) else value
        if name == "displayName" and is_standard and not self.treatment.find_across(value):
            return value
        return self._cleaned(value)

    def _extension(self, node: Node, value: str, *, is_template: bool) -> str:
        if is_template and _EDITION.fullmatch(value):
            return value
        self.said["ids"] += 1
        if self.subject.is_patients(value.strip()):
            return self.subject.patient
        return self.subject.pseudonym(value)

    def _value(self, node: Node, value: str) -> str | None:
        if _is_time(node) or _TIME.fullmatch(value):
            time = _TIME.fullmatch(value)
            moved = None if time is None else self.subject.move(time[1])
            if time is None or moved is None:
                node.set("nullFlavor", _MASKED)
                return None
            self.said["moved_times"] += 1
            # Without the offset, which tells the season and the place.
            return moved + time[2] + (time[3] or "")
        if _name(node) == "reference":
            return "#" + self._link(value[1:]) if value.startswith("#") else None
        if _NUMBER.fullmatch(value):
            is_old_age = node.get("unit") == "a" and abs(float(value)) > 89  # 45 CFR 164.514
            if not is_old_age and not self.treatment.find_own(value):
                return value
            node.set("nullFlavor", _MASKED)
            return None
        return self._cleaned(value)

    def _link(self, value: str) -> str:
        """A name that one part of the document calls another one by: the same wherever it stands."""
        if re.fullmatch(r"[A-Za-z_][\w.-]{0,63}", value, re.ASCII) and not self.treatment.find_across(value):
            return value
        return f"i{self.subject.pseudonym(value)}"

    def _cleaned(self, text: str) -> str:
        word = _word(text)
        self.wording.read([Piece(word, len(text), "")], self.treatment.find)
        return self.wording.written(word)

    # -------------------------------------------------------------------- texts

    def _texts(self, root: Node) -> None:
        """Each block of text by itself, over what is set apart in it, and then all of a section in a row."""
        chunks: list[tuple[Node, str, Word]] = []
        for blocks in _sections(root, chunks):
            for block in blocks:
                self.wording.read(block, self.treatment.find)
            in_a_row = [
                piece if index else piece._replace(between=" ") for b in blocks for index, piece in enumerate(b)
            ]
            if sum(piece.stop for piece in in_a_row) > LONGEST_SECTION:
                raise Refused("a CDA with a section that is too long to be looked at as a whole", hint="split it")
            self.wording.read(in_a_row, self.treatment.find_across)
        for node, place, word in chunks:
            setattr(node, place, self.wording.written(word))


def _word(text: str) -> Word:
    return Word(text, 0, 0, 0, 0, 0)


def _is_of_person(name: Node) -> bool:
    """Whether the name of something is a person's: by its parts, or by what it is said to be."""
    parent = name.getparent()
    parts = {_name(each) for each in name}
    return bool(parts & {"given", "family", "prefix"}) or (parent is not None and parent.get("classCode") == "PSN")


def _is_narrative(node: Node) -> bool:
    """Whether it is, or lies in, the text of a section."""
    return any(
        _name(each) == "text" and (above := each.getparent()) is not None and _name(above) == "section"
        for each in (node, *node.iterancestors())
    )


def _is_time(node: Node) -> bool:
    """Whether the value of an element is a moment (TS): by its type, its own name, or what it is an end of."""
    if node.get("unit") is not None:
        return False
    for each in (node, *node.iterancestors()):
        kind = each.get(f"{{{_XSI}}}type", "")
        if kind:
            return str(kind).endswith("TS")
        if _name(each).lower().endswith("time"):
            return True
        if _name(each) not in ("low", "high", "center", "phase"):
            return False
    return False


def _sections(root: Node, chunks: list[tuple[Node, str, Word]]) -> Iterator[list[list[Piece]]]:
    """Blocks of text, those of each narrative together; all that they are made of is noted in `chunks`."""
    narratives: list[Node] = []
    inside: set[Node] = set()
    for each in root.iter("*"):
        if _name(each) == "text" and each not in inside and _is_narrative(each):
            narratives.append(each)
            inside.update(each.iter("*"))  # one in another is read with it
    for narrative in narratives:
        blocks: list[list[Piece]] = [[]]
        _gather(narrative, blocks, chunks)
        yield [block for block in blocks if block]
    for node in root.iter("*"):
        if node not in inside:
            blocks = [[]]
            _note(node, "text", blocks, chunks)
            for child in node:
                blocks.append([])
                _note(child, "tail", blocks, chunks)
            yield [block for block in blocks if block]


def _gather(node: Node, blocks: list[list[Piece]], chunks: list[tuple[Node, str, Word]]) -> None:
    is_block = _name(node) not in _INLINE
    if is_block:
        blocks.append([])
    _note(node, "text", blocks, chunks, between=" " if _name(node) == "br" else "")
    for child in node:
        _gather(child, blocks, chunks)
        _note(child, "tail", blocks, chunks, between=" " if _name(child) == "br" else "")
    if is_block:
        blocks.append([])


def _note(
    node: Node, place: str, blocks: list[list[Piece]], chunks: list[tuple[Node, str, Word]], *, between: str = ""
) -> None:
    text = getattr(node, place)
    if text:  # spaces alone too: without them two words would be one
        word = _word(text)
        blocks[-1].append(Piece(word, len(text), between))
        chunks.append((node, place, word))
