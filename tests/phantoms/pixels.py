"""Leak cases 45 to 53 and 56: what pixels show, what hides around them, and what records tell together."""

import io
import struct

import numpy
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from tests.phantoms import plant
from tests.phantoms.plot import EITHER, HELD, Plot, case

US, SC, CR = "examples_rgb_color.dcm", "SC_rgb_jpeg_dcmd.dcm", "1.2.840.10008.5.1.4.1.1.1"
MASKED = "where a file is published, `legible` is false for each of its inks"


def secondary(plot: Plot, *, variant: int = 0, rows: int = 200, columns: int = 320, frames: int = 1) -> Dataset:
    """A secondary capture with a grey gradient in RGB: a real header, made-up pixels."""
    dataset = plot.image("SC_rgb_small_odd.dcm", variant=variant)
    dataset.Rows, dataset.Columns = rows, columns
    ramp = numpy.linspace(30, 90, columns, dtype=numpy.uint8)
    values = numpy.broadcast_to(ramp[None, None, :, None], (frames, rows, columns, 3))
    plant.put(dataset, values)
    if frames > 1:
        dataset.NumberOfFrames = frames
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.4"
        dataset.FrameIncrementPointer = 0x00181063
        dataset.FrameTime = "40"
    else:
        dataset.pop("NumberOfFrames", None)
    return dataset


def radiograph(plot: Plot, *, variant: int = 0) -> Dataset:
    """A CR with a real header and a made-up grey wedge of 12 bits in 16."""
    dataset = plot.image("CT_small.dcm", variant=variant)
    dataset.SOPClassUID, dataset.Modality = CR, "CR"
    for element in [element for element in dataset if element.tag.is_private or element.tag.group == 0x0018]:
        del dataset[element.tag]
    dataset.Rows, dataset.Columns = 400, 400
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = 500, 1000
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        dataset.pop(keyword, None)
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", "PA"
    wedge = numpy.linspace(100, 900, 400).astype("<u2")
    plant.put(dataset, numpy.broadcast_to(wedge[None, :, None, None], (1, 400, 400, 1)))
    return dataset


@case(45, "text burned into ultrasound, captures and radiographs", EITHER, check=MASKED)
def burned_in(plot: Plot) -> None:
    lines = ["WEXFORD ANSELM", "ID 974540283", "03.04.1931"]
    dataset = plot.image(US)
    plot.write(dataset, "us.dcm", ink=plant.text(dataset, lines))
    dataset = secondary(plot, variant=1)
    plot.write(dataset, "sc.dcm", ink=plant.text(dataset, lines, at=(60, 40), size=22))
    dataset = radiograph(plot, variant=2)
    plot.write(dataset, "cr.dcm", ink=plant.text(dataset, lines, at=(320, 200), size=20, value=1000))


@case(46, "text in one frame only, and text that moves", EITHER, check=MASKED)
def one_frame(plot: Plot) -> None:
    dataset = secondary(plot, frames=4)
    ink = plant.text(dataset, ["WEXFORD ANSELM"], frames=[2], at=(20, 20), size=22)
    ink += plant.text(dataset, ["ID 974640283"], frames=[3], at=(120, 60), size=22)
    plot.write(dataset, "frames.dcm", ink=ink)


@case(47, "text that is faint, turned, small, or not Latin", EITHER, check=MASKED + "; what is not is recall")
def difficult(plot: Plot) -> None:
    kinds: dict[str, dict[str, int]] = {
        "faint": {"value": 110, "size": 24},
        "turned": {"turn": 90, "size": 20},
        "small": {"size": 10},
    }
    for number, (name, how) in enumerate(kinds.items()):
        dataset = secondary(plot, variant=number)
        plot.write(dataset, f"{name}.dcm", ink=plant.text(dataset, ["WEXFORD ANSELM"], at=(10, 60), **how))
    dataset = radiograph(plot, variant=5)
    plot.write(dataset, "marker.dcm", ink=plant.text(dataset, ["R AW"], at=(30, 30), size=40, value=1000))


@case(48, "a bitmap in group 60xx, and one in the unused high bits of the pixels", EITHER)
def overlays(plot: Plot) -> None:
    dataset = plot.image()
    mask = numpy.zeros((128, 128), bool)
    letters = plant.lettering("WEXFORD", size=20)[:, :120]
    mask[8 : 8 + letters.shape[0], 4 : 4 + letters.shape[1]] = letters
    bitmap = numpy.packbits(mask, bitorder="little").tobytes()
    dataset.add_new(0x60000010, "US", 128)
    dataset.add_new(0x60000011, "US", 128)
    dataset.add_new(0x60000022, "LO", plot.word("Drawn"))
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60003000, "OW", bitmap)
    plot.blob(bitmap[16 * 12 : 16 * 24])
    plot.write(dataset, "overlay.dcm")
    dataset = radiograph(plot, variant=1)
    values = plant.pixels(dataset)
    letters = plant.lettering("WEXFORD ANSELM", size=24)
    values[0, 20 : 20 + letters.shape[0], 20 : 20 + letters.shape[1], 0] |= letters.astype("<u2") << 14
    plot.blob(values[0, 20 + letters.shape[0] // 2].tobytes())
    plant.put(dataset, values)
    dataset.add_new(0x60000010, "US", 400)
    dataset.add_new(0x60000011, "US", 400)
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 14)
    plot.write(dataset, "high_bits.dcm")


@case(49, "a thumbnail from before masking, and texts of waveforms and lookup tables", EITHER)
def thumbnails(plot: Plot) -> None:
    dataset = secondary(plot)
    icon = numpy.zeros((64, 64), numpy.uint8)
    letters = plant.lettering("WEXFORD", size=12)[:, :60]
    icon[10 : 10 + letters.shape[0], 2 : 2 + letters.shape[1]] = letters * 255
    dataset.IconImageSequence = plant.items(
        plant.item(
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            Rows=64,
            Columns=64,
            BitsAllocated=8,
            BitsStored=8,
            HighBit=7,
            PixelRepresentation=0,
            PixelData=icon.tobytes(),
        )
    )
    dataset.IconImageSequence[0]["PixelData"].VR = "OB"
    plot.blob(icon[10:18].tobytes())
    plot.write(dataset, "icon.dcm")
    dataset = plot.image(variant=1)
    table = plant.item(LUTExplanation=f"made by {plot.word('Tarnholm')}", ModalityLUTType="HU")
    table.add_new(0x00283002, "US", [4, 0, 16])
    table.add_new(0x00283006, "US", [0, 1, 2, 3])
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        dataset.pop(keyword, None)
    dataset.ModalityLUTSequence = plant.items(table)
    plot.write(dataset, "table.dcm")
    dataset = plot.image("waveform_ecg.dcm", variant=2)
    dataset.WaveformAnnotationSequence = plant.items(
        plant.item(UnformattedTextValue=f"rhythm of {plot.word('Wexford')}", ReferencedWaveformChannels=[1, 0])
    )
    plot.write(dataset, "waveform.dcm")


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """One marker segment (ITU T.81, B.1.1.4)."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


@case(50, "comments, EXIF, boxes and hidden bytes in compressed pixels", EITHER)
def codestreams(plot: Plot) -> None:
    grey = Image.fromarray(plant.pixels(radiograph(plot))[0, :128, :128, 0].astype(numpy.uint8))
    buffer = io.BytesIO()
    grey.save(buffer, "JPEG", quality=90)
    jpeg = buffer.getvalue()
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + f"serial {plot.digits(1)} {plot.word('Photographer')}".encode()
    extra = jpeg_segment(0xFE, f"patient {plot.word('Jpegcomment')}".encode()) + jpeg_segment(0xE1, exif)
    thumbnail = jpeg_segment(0xE0, b"JFXX\0\x13\1\1" + plot.blob(bytes(range(96, 99)) * 7))
    after = f"after the end {plot.word('Afterend')}".encode()
    stream = jpeg[:2] + extra + thumbnail + jpeg[2:] + after
    dataset = radiograph(plot, variant=1)
    dataset.Rows = dataset.Columns = 128
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    compressed(dataset, [stream], JPEGBaseline8Bit)
    plot.write(dataset, "jpeg.dcm")
    # A fragment that no offset points at: hidden behind the frame (PS3.5, A.4).
    dataset = radiograph(plot, variant=2)
    dataset.Rows = dataset.Columns = 128
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    hidden = f"unreferenced {plot.word('Fragment')}".encode()
    compressed(dataset, [jpeg, hidden], JPEGBaseline8Bit)
    dataset.add_new(0x7FE00001, "OV", struct.pack("<Q", 0))
    dataset.add_new(0x7FE00002, "OV", struct.pack("<Q", len(jpeg) + len(jpeg) % 2))
    plot.write(dataset, "hidden.dcm")
    # JPEG 2000 with a comment and wrapped in a file with boxes, as some writers do.
    source = plot.image("MR_small_jp2klossless.dcm", variant=3)
    codestream = next(generate_frames(source.PixelData, number_of_frames=1))
    comment = f"\0\1 {plot.word('Codestream')}".encode()
    size = struct.unpack_from(">H", codestream, 4)[0]
    commented = codestream[: 4 + size] + struct.pack(">HH", 0xFF64, len(comment) + 2) + comment + codestream[4 + size :]
    compressed(source, [commented], JPEG2000Lossless)
    plot.write(source, "j2k.dcm")
    boxed = plot.image("MR_small_jp2klossless.dcm", variant=4)
    xml = f"<name>{plot.word('Xmlbox')}</name>".encode()
    signature = struct.pack(">I4sI", 12, b"jP  ", 0x0D0A870A)
    boxes = signature + struct.pack(">I4s", 8 + len(xml), b"xml ") + xml
    compressed(boxed, [boxes + struct.pack(">I4s", 8 + len(codestream), b"jp2c") + codestream], JPEG2000Lossless)
    plot.write(boxed, "boxes.dcm")


def compressed(dataset: Dataset, fragments: list[bytes], syntax: str) -> None:
    """Put fragments into a data set as they are."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(fragments, has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


@case(51, "texts of a colour profile")
def colour_profile(plot: Plot) -> None:
    dataset = secondary(plot)
    profile = (plant.BUNDLED / "crayons.icc").read_bytes()
    text = f"made for {plot.word('Wexford')}, serial {plot.digits()}".encode()
    # One more tag at the end, as ICC.1, 7.3 has it: count, then signature, offset and size of each.
    count = struct.unpack_from(">I", profile, 128)[0]
    moved = bytearray(profile[:128] + struct.pack(">I", count + 1))
    for number in range(count):
        signature, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        moved += struct.pack(">4sII", signature, offset + 12, size)
    moved += struct.pack(">4sII", b"targ", len(profile) + 12, 8 + len(text))
    moved += profile[132 + 12 * count :] + b"text\0\0\0\0" + text
    moved += bytes(len(moved) % 2)
    struct.pack_into(">I", moved, 0, len(moved))
    dataset.ICCProfile = bytes(moved)
    plot.write(dataset)


@case(52, "text that the default window hides and the stored values show", EITHER, check=MASKED)
def outside_the_window(plot: Plot) -> None:
    dataset = radiograph(plot)
    values = plant.pixels(dataset)
    values[0, 40:110, 20:380, 0] = 3000
    plant.put(dataset, values)
    plot.write(dataset, "window.dcm", ink=plant.text(dataset, ["WEXFORD ANSELM"], at=(60, 40), size=32, value=3060))


@case(53, "faces, eyes, and photographs of people", HELD)
def faces(plot: Plot) -> None:
    classes = {
        "photo": "1.2.840.10008.5.1.4.1.1.77.1.4",
        "eye": "1.2.840.10008.5.1.4.1.1.77.1.5.1",
        "film": "1.2.840.10008.5.1.4.1.1.77.1.4.1",
    }
    for number, (name, sop_class) in enumerate(classes.items()):
        dataset = secondary(plot, variant=number)
        dataset.SOPClassUID, dataset.Modality = sop_class, "OP" if name == "eye" else "XC"
        dataset.ImageComments = f"face of {plot.word('Wexford')}"
        plot.write(dataset, f"{name}.dcm")


@case(
    56,
    "dates and keys that differ by series, site or run",
    check=(
        "in both series of the patient the days between StudyDate, SeriesDate and AcquisitionDate are 0 and 30 as "
        "before, and their StudyDate is the same one; in another project the shift and every pseudonym differ"
    ),
)
def combination(plot: Plot) -> None:
    first, later = plot.mark("19710314"), plot.mark("19710413")
    for number in range(2):
        dataset = plot.image(variant=number)
        dataset.StudyDate = first
        dataset.SeriesDate = first if number == 0 else later
        dataset.AcquisitionDate = first if number == 0 else later
        dataset.PatientBirthDate = plot.day()
        dataset.SeriesNumber = number + 1
        plot.write(dataset, f"series{number + 1}.dcm")


CASES = (
    burned_in,
    one_frame,
    difficult,
    overlays,
    thumbnails,
    codestreams,
    colour_profile,
    outside_the_window,
    faces,
    combination,
)
