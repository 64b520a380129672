"""Leak cases 37 to 44: private and unknown elements, identifiers and alphabets."""

import struct

from tests.phantoms import plant
from tests.phantoms.plot import EITHER, Plot, case


@case(37, "private creators that name the hospital, and swapped blocks")
def creators(plot: Plot) -> None:
    dataset = plot.image()
    dataset.private_block(0x0029, plot.word("ST_") + " PACS", create=True).add_new(1, "LO", plot.word("Wexford"))
    plot.write(dataset, "named.dcm")
    # Which creator owns 10xx and which 11xx is for the file to say, not for a table.
    for number, owners in enumerate((("SIEMENS MR HEADER", "SYNTH GATEWAY"), ("SYNTH GATEWAY", "SIEMENS MR HEADER"))):
        dataset = plot.image(variant=1 + number)
        for block, owner in enumerate(owners, 0x10):
            dataset.add_new(0x00190000 | block, "LO", owner)
            value = plot.word("Tarnholm") if owner == "SYNTH GATEWAY" else "DIRECTIONAL"
            dataset.add_new(0x0019000D | block << 8, "CS" if owner != "SYNTH GATEWAY" else "LO", value)
        plot.write(dataset, f"swapped{number}.dcm")


@case(38, "the safe list's element under another creator, and private sequences of unknown kind")
def not_the_safe_one(plot: Plot) -> None:
    dataset = plot.image()
    # (0019,xx0D) of SIEMENS MR HEADER is in the safe list; of anybody else it is not.
    dataset.private_block(0x0019, "SIEMENS MR HEADERS", create=True).add_new(0x0D, "CS", plot.word("Wexford").upper())
    dataset.add_new(0x00211008, "LO", plot.word("Nobodys"))  # a block that nobody reserved
    plot.write(dataset, "creator.dcm")
    dataset = plot.image(variant=1)
    hidden = explicit(0x0010, 0x0010, b"PN", plot.name("Tarnholm", "Anselm").encode())
    dataset.private_block(0x0029, "SYNTH GATEWAY", create=True).add_new(0x10, "UN", item_of(hidden))
    plot.write(dataset, "unknown.dcm")
    dataset = plot.image(variant=2)
    # The right creator and number, and a name where the list has a number.
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "PN", plot.name("Rowanby", "Perrin"))
    plot.write(dataset, "kind.dcm")


def explicit(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """One element with a short length, explicit little endian."""
    value += b" " * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def implicit(group: int, number: int, value: bytes) -> bytes:
    """One element, implicit little endian."""
    value += b" " * (len(value) % 2)
    return struct.pack("<HHI", group, number, len(value)) + value


def item_of(content: bytes) -> bytes:
    """An item of defined length."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


@case(39, "public names and sequences of unknown kind")
def unknown_kind(plot: Plot) -> None:
    # (1) a name as UN
    dataset = plot.image(patient=False)
    dataset.add_new(0x00100010, "OB", plot.name("Wexford", "Anselm").encode())
    plot.file("name.dcm", as_unknown(plant.encode(dataset), 0x00100010))
    # (2) a sequence as UN of defined length, its items implicit (PS3.5, 6.2.2)
    dataset = plot.image(variant=1)
    other = implicit(0x0010, 0x0020, plot.digits().encode()) + implicit(0x0010, 0x0021, plot.word("Issuer").encode())
    dataset.add_new(0x00101002, "OB", item_of(other))
    plot.file("defined.dcm", as_unknown(plant.encode(dataset), 0x00101002))
    # (3) the same of undefined length
    dataset = plot.image(variant=2)
    other = implicit(0x0010, 0x0010, plot.word("Tarnholm").encode()) + implicit(0x0010, 0x0020, plot.digits(1).encode())
    dataset.add_new(0x00101002, "OB", item_of(other))
    dataset[0x00101002].is_undefined_length = True
    plot.file("undefined.dcm", as_unknown(plant.encode(dataset), 0x00101002))


def as_unknown(data: bytes, tag: int) -> bytes:
    """An explicit file in which one element of bytes says UN; pydicom would look up what it is."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    assert data.count(head + b"OB") == 1
    return data.replace(head + b"OB", head + b"UN")


@case(40, "elements that nobody registered, and groups 50xx and 60xx", EITHER)
def unregistered(plot: Plot) -> None:
    dataset = plot.image()
    dataset.add_new(0x00189FF0, "LO", plot.word("Wexford"))
    dataset.add_new(0x0012EEEE, "PN", plot.name("Tarnholm", "Anselm"))
    dataset.add_new(0x00094321, "LO", plot.word("Orphan"))
    plot.write(dataset, "unregistered.dcm")
    dataset = plot.image(variant=1)
    dataset.add_new(0x50000020, "CS", "ECG")
    dataset.add_new(0x50000022, "LO", plot.word("Curve"))
    dataset.add_new(0x50002500, "LO", plot.word("Curvelabel"))
    dataset.add_new(0x50003000, "OW", plot.blob(b"the points of a curve of one man"))
    dataset.add_new(0x60004000, "LT", f"overlay by {plot.word('Overlay')}")
    dataset.add_new(0x60001500, "LO", plot.word("Overlaylabel"))
    dataset.add_new(0x00204000, "LT", f"frame of {plot.word('Framecomment')}")
    plot.write(dataset, "retired.dcm")


@case(41, "names with ideographic and phonetic groups, and credentials")
def component_groups(plot: Plot) -> None:
    ideographic = plot.mark("碧咲菖") + "^" + plot.mark("紺野蓮太")
    phonetic = plot.mark("みどりさきしょう") + "^" + plot.mark("こんのれんた")
    name = f"{plot.word('Midorisaki')}^{plot.word('Renta')}={ideographic}={phonetic}"
    for number, charset in enumerate(("ISO_IR 192", ["", "ISO 2022 IR 87"])):
        dataset = plot.image(variant=number, patient=False)
        dataset.PatientID = plot.digits()
        dataset.SpecificCharacterSet = charset
        dataset.PatientName = name
        dataset.StudyDescription = f"thorax {ideographic.partition('^')[0]}"
        dataset.ReferringPhysicianName = f"{plot.word('Wexford')}^{plot.word('Anselm')}^^Dr^{plot.word('Cred')}"
        plot.write(dataset, f"groups{number}.dcm")


@case(42, "a wrong or changing character set", EITHER)
def character_sets(plot: Plot) -> None:
    # (1) Latin-1 bytes in a file that says UTF-8
    dataset = plot.image()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    umlaut = plot.mark("Wäxföhrdzq") + "^" + plot.word("Anselm")
    dataset.ReferringPhysicianName = umlaut
    dataset.StudyDescription = f"thorax {umlaut.partition('^')[0]}"
    data = plant.encode(dataset)
    plot.file("wrong.dcm", data.replace(b"ISO_IR 100", b"ISO_IR 192"))
    # (2) one name in two alphabets: escapes in one element, none in the next
    dataset = plot.image(variant=1, patient=False)
    dataset.PatientID = plot.digits()
    dataset.SpecificCharacterSet = ["ISO 2022 IR 100", "ISO 2022 IR 144"]
    cyrillic = plot.mark("Вексфордский")
    dataset.PatientName = f"{plot.word('Veksford')}^X={cyrillic}^Y"
    dataset.StudyDescription = f"control {cyrillic}"
    plot.write(dataset, "escapes.dcm")
    # (3) an item with a character set of its own
    dataset = plot.image(variant=2)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    greek = plot.mark("Ουέξφορντ")
    inner = plant.item(SpecificCharacterSet="ISO_IR 126", PatientName=f"{greek}^{plot.word('Anselm')}")
    dataset.OriginalAttributesSequence = plant.items(
        plant.item(
            AttributeModificationDateTime="20010101",
            ModifyingSystem="x",
            SourceOfPreviousValues="",
            ReasonForTheAttributeModification="COERCE",
            ModifiedAttributesSequence=plant.items(inner),
        )
    )
    plot.write(dataset, "item.dcm")
    # (4) no character set at all, and bytes of one
    dataset = plot.image(variant=3)
    bare = plot.mark("Тарнхольм").encode("koi8-r")
    dataset.EthnicGroup = "#" * len(bare)
    data = plant.encode(dataset)
    plot.file("none.dcm", data.replace(b"#" * len(bare), bare))


@case(
    43,
    "UIDs made of a record number, a date or a time; a UID that two patients share",
    check="two patients with one StudyInstanceUID do not become one patient; digests of sources are keyed",
)
def telling_uids(plot: Plot) -> None:
    number, day = plot.digits(), plot.day()
    dataset = plot.image(patient=False)
    dataset.PatientID = number
    dataset.StudyDate = day
    dataset.SOPInstanceUID = f"{plot.uid()}.{number}.{day}.83015"
    dataset.StudyInstanceUID = f"{plot.uid(1)}.{number}"
    plot.write(dataset, "telling.dcm")
    for which in range(2):
        dataset = plot.image(variant=1 + which, patient=False)
        dataset.PatientID = plot.digits(1 + which)
        dataset.PatientName = plot.name(("Rowanby", "Tarnholm")[which], "Perrin")
        dataset.StudyInstanceUID = plot.uid(2)
        plot.write(dataset, f"shared{which}.dcm")


@case(
    44,
    "look-alike ids and spellings",
    check=(
        "padded.dcm and plain.dcm are one pseudonymous patient; zeros.dcm is another one, as nothing says that "
        "leading zeros do not count; the spelling of a name changes no pseudonym, as only the id makes it"
    ),
)
def look_alikes(plot: Plot) -> None:
    family = plot.mark("Müllerfordzq"), plot.mark("Muellerfordzq"), plot.mark("MULLERFORDZQ")
    number = plot.digits()
    ids = {"plain": number, "padded": f" {number} ", "zeros": f"00{number}", "spelling": number}
    for variant, (name, patient_id) in enumerate(ids.items()):
        dataset = plot.image(variant=variant, patient=False)
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.PatientName = f"{family[variant % 3]}^{plot.word('Oda')}"
        dataset.PatientID = patient_id
        plot.write(dataset, f"{name}.dcm")


CASES = (
    creators,
    not_the_safe_one,
    unknown_kind,
    unregistered,
    component_groups,
    character_sets,
    telling_uids,
    look_alikes,
)
