"""Dummies of sequences: one item that has the form of the sequence, and says that what was there is taken out.

A code sequence gets a code. Of the others that Table E.1-1 replaces, each has an item of its own;
`dicom.has_dummy_item` tells which sequences have one.
"""

from governance import dicom

Content = bytes | tuple["Attribute", ...]
"""A value of even length, or what is in the one item of a sequence."""
Attribute = tuple[int, str, Content]

_TEXT, _MEANING = b"ANONYMIZED", b"Anonymized"

_CODE: tuple[Attribute, ...] = (
    (0x00080100, "SH", b"ANON"),
    (0x00080102, "SH", b"99GOVERNANCE"),
    (0x00080104, "LO", _MEANING),
)
_ITEMS: dict[str, tuple[Attribute, ...]] = {
    # PS3.3, C.17.3.2: a text whose concept is the code above, in the container that the document is.
    "ContentSequence": (
        (0x0040A010, "CS", b"CONTAINS"),
        (0x0040A040, "CS", b"TEXT"),
        (0x0040A043, "SQ", _CODE),
        (0x0040A160, "UT", _TEXT),
    ),
    # PS3.3, C.10.5: an invisible anchor in the corner of the display.
    "GraphicAnnotationSequence": (
        (0x00700002, "CS", _TEXT),
        (
            0x00700008,
            "SQ",
            (
                (0x00700004, "CS", b"DISPLAY "),
                (0x00700006, "ST", _TEXT),
                (0x00700014, "FL", bytes(8)),
                (0x00700015, "CS", b"N "),
            ),
        ),
    ),
    # PS3.3, C.10.10: of every channel of the first multiplex group.
    "WaveformAnnotationSequence": ((0x00700006, "ST", _TEXT), (0x0040A0B0, "US", b"\1\0\0\0")),
}


def dummy_item(tag: int, *, explicit: bool) -> bytes:
    """The dummy of the sequence `tag`, as one encoded item."""
    return _item(_ITEMS.get(dicom.keyword_of(tag), _CODE), explicit=explicit)


def _item(attributes: tuple[Attribute, ...], *, explicit: bool) -> bytes:
    body = b""
    for tag, vr, content in sorted(attributes, key=lambda attribute: attribute[0]):
        value = content if isinstance(content, bytes) else _item(content, explicit=explicit)
        value += b" " * (len(value) % 2)
        body += dicom.header(tag, vr, len(value), explicit=explicit) + value
    return dicom.header(dicom.ITEM, "", len(body), explicit=explicit) + body
