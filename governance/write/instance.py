"""Instance + Edits -> the bytes of a new DICOM file.

Runs of untouched elements are copied as slices of the source. A sequence with anything
changed inside is written anew, with explicit lengths. Of the head nothing is taken over:
the preamble is zeros and the file meta information is ours.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from governance import dicom
from governance.datatypes import Added, Confidential, Edits, Element, Instance, Item, PixelData
from governance.errors import Refused

IMPLEMENTATION_CLASS_UID = "2.25.250682585381552499896224307746855494562"
"""This program, as PS3.10, 7.1 wants it named; drawn once, a UUID in the form of PS3.5, B.2."""
IMPLEMENTATION_VERSION_NAME = "GOVERNANCE_01"

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_NATIVE = frozenset({_IMPLICIT, _EXPLICIT})
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_END = dicom.header(dicom.SEQUENCE_END, "", 0, explicit=True)

Part = bytes | memoryview


def instance(
    instance: Instance,
    edits: Edits,
    added: Sequence[Added],
    *,
    pixel_data: PixelData | None = None,
    transfer_syntax: str | None = None,
    appended_items: Mapping[int, bytes] | None = None,
) -> Sequence[Part] | Iterator[Part]:
    """The new file in parts, to be written one after the other.

    added: new elements, also instead of what the source has under the same tag.
    pixel_data: instead of what the source has; its parts are made when they are due.
    transfer_syntax: the syntax of an edited or added PixelData, where it is another one.
    appended_items: encoded items to put behind those that a sequence has after the edits.

    Raises:
        Refused: no SOP class or instance UID, or a transfer syntax that needs another encoding.
    """
    syntax = transfer_syntax or instance.transfer_syntax
    new = {element.tag: element for element in added}
    if pixel_data is not None:
        new[dicom.PIXEL_DATA] = Added(dicom.PIXEL_DATA, pixel_data.vr, b"")
    _check_syntax(instance, edits, new, syntax)
    encapsulated = syntax not in _NATIVE and _is_encapsulated(instance, transfer_syntax)
    writer = _Writer(instance, edits, encapsulated=encapsulated, pixel_data=pixel_data)
    data_set = writer.data_set(new, appended_items or {})
    parts = [_head(instance, edits, new, syntax), *data_set]
    if pixel_data is None:
        return parts
    place = 1 + writer.pixels_at
    return chain(parts[:place], pixel_data.parts(), parts[place:])


def encoded(
    instance: Instance,
    edits: Edits,
    elements: Sequence[Element],
    *,
    encapsulated: bool = False,
    frame: Instance | None = None,
) -> bytes:
    """Some top-level elements of the data set, one after the other, as `instance` would write them.

    frame: the attributes around the pixels, where `instance` does not hold them.
    """
    parts: list[Part] = []
    _Writer(instance, edits, encapsulated=encapsulated, frame=frame).write(parts, _sorted(elements))
    return b"".join(parts)


def data_set(instance: Instance, edits: Edits, added: Sequence[Added], appended_items: Mapping[int, bytes]) -> bytes:
    """The whole data set, as `instance` would write it behind its head."""
    writer = _Writer(instance, edits, encapsulated=False)
    return b"".join(writer.data_set({element.tag: element for element in added}, appended_items))


def _is_encapsulated(instance: Instance, transfer_syntax: str | None) -> bool:
    """Whether PixelData is a stream of items: as in the source, or as a new syntax has it."""
    return bool(instance.fragments) if transfer_syntax is None else transfer_syntax not in _NATIVE


def _check_syntax(instance: Instance, edits: Edits, new: Mapping[int, Added], syntax: str) -> None:
    if (syntax == _IMPLICIT) == instance.explicit:
        raise Refused("the new transfer syntax needs another encoding of the data set")
    if syntax == instance.transfer_syntax or dicom.PIXEL_DATA in new:
        return
    element = instance.first(dicom.PIXEL_DATA)
    if element is not None and element not in edits:
        raise Refused("the transfer syntax changes, but the pixel data does not")


def _head(instance: Instance, edits: Edits, new: Mapping[int, Added], syntax: str) -> bytes:
    values = []
    for tag in (_SOP_CLASS, _SOP_INSTANCE):
        source = instance.first(tag)
        if tag in new:
            value: bytes | None = new[tag].value
        elif source is not None and source in edits:
            value = edits[source]
        else:
            value = None if source is None else instance.value(source)
        values.append((value or b"").strip(b"\0 "))
    return head(values[0], values[1], syntax)


def head(sop_class: bytes, sop_instance: bytes, syntax: str) -> bytes:
    """Preamble and file meta information (PS3.10, 7.1), with nothing of the source's.

    Raises:
        Refused: one of the UIDs is empty.
    """
    for tag, uid in ((_SOP_CLASS, sop_class), (_SOP_INSTANCE, sop_instance)):
        if not uid:
            raise Refused(f"{dicom.keyword_of(tag)} is missing or empty")
    meta = b"".join(
        dicom.element(tag, vr, value, explicit=True)
        for tag, vr, value in (
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", sop_class),
            (0x00020003, "UI", sop_instance),
            (0x00020010, "UI", syntax.encode()),
            (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
            (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode()),
        )
    )
    return bytes(128) + b"DICM" + dicom.element(0x00020000, "UL", len(meta).to_bytes(4, "little"), explicit=True) + meta


class _Writer(Confidential):
    """Writes one data set with its edits, in the encoding that its top level has."""

    pixels_at = 0
    """How many parts are before the value of new pixel data."""

    def __init__(
        self,
        instance: Instance,
        edits: Edits,
        *,
        encapsulated: bool,
        frame: Instance | None = None,
        pixel_data: PixelData | None = None,
    ) -> None:
        self._buffer = memoryview(instance.buffer)
        self._elements = instance.elements
        self._edits = edits
        self._explicit = instance.explicit
        self._encapsulated = encapsulated
        self._pixel_data = pixel_data
        self._signed = bool((frame or instance).number(dicom.PIXEL_REPRESENTATION) & 1)

    def data_set(self, new: Mapping[int, Added], appended: Mapping[int, bytes]) -> list[Part]:
        """The top level: elements by tag, those in `new` instead of the source's own."""
        elements = [element for element in _sorted(self._elements) if element.tag not in new]
        parts: list[Part] = []
        done = 0
        for tag in sorted({*new, *appended}):
            split = bisect_left(elements, tag, lo=done, key=lambda element: element.tag)
            self.write(parts, elements[done:split])
            own = elements[split] if split < len(elements) and elements[split].tag == tag else None
            done = split if own is None else split + 1
            if tag in appended:
                value = new[tag].value if tag in new else self._kept_items(own)
                parts.append(self._sequence(tag, value + appended[tag]))
            elif tag == dicom.PIXEL_DATA and self._pixel_data is not None:
                length = dicom.UNDEFINED if self._encapsulated else self._pixel_data.size
                parts.append(dicom.header(tag, self._pixel_data.vr, length, explicit=self._explicit))
                self.pixels_at = len(parts)
            else:
                parts.append(self._pixels_or_primitive(tag, new[tag].vr, new[tag].value))
        self.write(parts, elements[done:])
        return parts

    def _kept_items(self, element: Element | None) -> bytes:
        if element is None or element.items is None:
            return b""
        if element in self._edits:
            return self._edits[element] or b""
        return self._items(element.items)

    def write(self, parts: list[Part], elements: Sequence[Element], *, explicit: bool | None = None) -> None:
        """Append `elements`, sorted and encoded like the data set; `explicit`: how they are encoded now."""
        buffer, edits = self._buffer, self._edits
        same = explicit is None or explicit == self._explicit
        start = stop = 0
        for element in elements:
            if not element.tag & 0xFFFF:  # group lengths are retired, and would be wrong (PS3.5, 7.2)
                continue
            items = element.items
            if (
                same
                and element not in edits
                and not (element.end - element.header) & 1  # odd: no element may be (PS3.5, 7.1.1)
                and (not items or not self._is_touched(items))
            ):
                if element.header != stop:
                    if start != stop:
                        parts.append(buffer[start:stop])
                    start = element.header
                stop = element.end
                continue
            if start != stop:
                parts.append(buffer[start:stop])
            start = stop = 0
            vr = element.vr if same else dicom.vr_to_declare(element.tag, element.vr, signed=self._signed)
            written = self._changed(element, vr)
            if written is not None:
                parts.append(written)
        if start != stop:
            parts.append(buffer[start:stop])

    def _is_touched(self, items: Iterable[Item]) -> bool:
        """Whether anything inside is edited or has to be padded."""
        edits = self._edits
        for item in items:
            for element in item.elements:
                if element in edits or (element.end - element.header) & 1:
                    return True
                if element.items and self._is_touched(element.items):
                    return True
        return False

    def _changed(self, element: Element, vr: str) -> bytes | None:
        """An element that cannot be copied; None if it is removed. vr: to declare, where that is done."""
        if element in self._edits:
            value = self._edits[element]
            return None if value is None else self._pixels_or_primitive(element.tag, vr, value)
        if element.items is not None:
            return self._sequence(element.tag, self._items(element.items))
        value = bytes(self._buffer[element.start : element.stop])
        if value and bytes(self._buffer[element.start - 4 : element.start]) == b"\xff\xff\xff\xff":
            return dicom.header(element.tag, "OB", dicom.UNDEFINED, explicit=self._explicit) + value
        return dicom.element(element.tag, vr, value, explicit=self._explicit)

    def _sequence(self, tag: int, items: bytes) -> bytes:
        if self._explicit or not dicom.is_private(tag):
            return dicom.element(tag, "SQ", items, explicit=self._explicit)
        # With no VR to say so, only an undefined length tells that a private element is a sequence.
        return dicom.header(tag, "SQ", dicom.UNDEFINED, explicit=False) + items + _SEQUENCE_END

    def _items(self, items: Iterable[Item]) -> bytes:
        parts: list[Part] = []
        for item in items:
            content: list[Part] = []
            self.write(content, _sorted(item.elements), explicit=item.explicit)
            parts.append(dicom.header(dicom.ITEM, "", sum(map(len, content)), explicit=True))
            parts += content
        return b"".join(parts)

    def _pixels_or_primitive(self, tag: int, vr: str, value: bytes) -> bytes:
        if tag != dicom.PIXEL_DATA or not self._encapsulated or not value:
            return dicom.element(tag, vr, value, explicit=self._explicit)
        if not value.startswith(_ITEM):
            raise Refused("PixelData is to be compressed, but is no stream of items")
        if not value.endswith(_SEQUENCE_END):
            value += _SEQUENCE_END
        return dicom.header(tag, "OB", dicom.UNDEFINED, explicit=self._explicit) + value


def _sorted(elements: Sequence[Element]) -> Sequence[Element]:
    """By tag (PS3.5, 7.1); nearly always they are already, and then nothing is copied."""
    last = -1
    for element in elements:
        if element.tag <= last:
            return sorted(elements, key=lambda element: element.tag)
        last = element.tag
    return elements
