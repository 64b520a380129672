"""Cases 45-55: pixels, overlays, compressed streams, slides and documents."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from tests.phantoms.archive import pdf
from tests.phantoms.bundled import Person, capture, draw, identify, plant, save
from tests.phantoms.leak_case import ct, item, items, leak, mr, patch

ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
DIGITAL_XRAY = "1.2.840.10008.5.1.4.1.1.1.1"
OPHTHALMIC_PHOTO = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
ENCAPSULATED = {
    "pdf": ("1.2.840.10008.5.1.4.1.1.104.1", "application/pdf"),
    "cda": ("1.2.840.10008.5.1.4.1.1.104.2", "text/XML"),
    "stl": ("1.2.840.10008.5.1.4.1.1.104.3", "model/stl"),
    "obj": ("1.2.840.10008.5.1.4.1.1.104.4", "model/obj"),
}
MPEG4, JPEG_XL = "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.110"


def _person(number: int, words: list[str]) -> Person:
    """The person of a pixel case; its header holds the first three words and one number."""
    return Person(
        family=words[0],
        given="Agnes",
        mrn=f"{number}7731940",
        accession=f"{number}7731941",
        birth="19370411",
        physician=words[1],
        address="14 Wexcombe Lane",
        phone=f"555-{number}77319",
        institution=words[2],
        station=f"ST{number}77319",
    )


def _extra(number: int) -> list[str]:
    return [f"{number}7731940", f"{number}7731941", f"{number}77319"]


def _color(person: Person, *seed: object, size: int = 128) -> Dataset:
    """An RGB Secondary Capture."""
    ds = capture(person, *seed, size=size, caption="")
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = np.repeat(np.frombuffer(ds.PixelData, np.uint8), 3).tobytes()
    ds.SeriesInstanceUID += ".3"
    return ds


def _as_class(ds: Dataset, sop_class: str, modality: str) -> Dataset:
    ds.SOPClassUID, ds.Modality = sop_class, modality
    identify(ds)
    return ds


@leak(45, "Burned-in text in captures, ultrasound and corner annotations", *_extra(45), words=3)
def burned_in(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(45, words)
    save(capture(person, "sc"), folder / "capture.dcm")
    save(_as_class(capture(person, "us"), ULTRASOUND, "US"), folder / "ultrasound.dcm")
    xray = _as_class(capture(person, "dx", caption=""), DIGITAL_XRAY, "DX")
    draw(xray, f"{words[0]}\n11.04.1937", at=(120, 200), size=16)
    save(xray, folder / "xray.dcm")


@leak(46, "Text in one frame only, and text that moves", *_extra(46), words=3)
def one_frame(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(46, words)
    save(capture(person, "last", frames=3), folder / "last.dcm")
    moving = capture(person, "moving", frames=3, size=192, caption="")
    for frame in range(3):
        draw(moving, person.caption, at=(4 + 10 * frame, 20 + 50 * frame), size=16, frame=frame)
    save(moving, folder / "moving.dcm")


@leak(47, "Faint, turned, small and non-Latin text", *_extra(47), words=3)
def hard_text(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(47, words)
    faint = capture(person, "faint", caption="")
    draw(faint, person.caption, at=(4, 190), shade=70, ground=40)
    save(faint, folder / "faint.dcm")
    turned = capture(person, "turned", caption="")
    draw(turned, person.caption, angle=90)
    save(turned, folder / "turned.dcm")
    small = capture(person, "small", caption="")
    draw(small, person.caption, size=9)
    draw(small, "Διονυσιάδης Люксембургов", at=(4, 220), size=14)
    save(small, folder / "small.dcm")


def _overlay(ds: Dataset, *, bits: int, position: int) -> None:
    """Describe an overlay as large as the image (PS3.3, C.9.2)."""
    ds.add_new(0x60000010, "US", ds.Rows)
    ds.add_new(0x60000011, "US", ds.Columns)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", bits)
    ds.add_new(0x60000102, "US", position)


@leak(48, "Overlays as bitmaps, and in the unused high bits of pixels", *_extra(48), words=5)
def overlays(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(48, words)
    ds = ct(48, BurnedInAnnotation="NO")
    plant(ds, person)
    sheet = Image.new("1", (ds.Columns, ds.Rows))
    ImageDraw.Draw(sheet).text((2, 2), words[0], fill=1, font=ImageFont.load_default(size=14))
    bitmap = np.packbits(np.asarray(sheet).ravel(), bitorder="little").tobytes()
    _overlay(ds, bits=1, position=0)
    ds.add_new(0x60000022, "LO", words[3])
    ds.add_new(0x60003000, "OW", bitmap[:-64] + f"bits of {words[4]}".encode().ljust(64, b"\0"))
    save(ds, folder / "bitmap.dcm")

    # Only eight of sixteen bits are stored: the upper byte of each pixel spells a text, or draws one.
    for index, name in enumerate(("spelled", "drawn"), start=1):
        ds = ct(48, index)
        plant(ds, person)
        values = np.frombuffer(ds.PixelData, "<u2") >> 4 & 0xFF
        high = np.asarray(sheet).ravel().astype("<u2") << 8
        if name == "spelled":
            letters = np.frombuffer(person.caption.encode(), np.uint8)
            high = np.zeros(values.size, "<u2")
            high[: letters.size] = letters.astype("<u2") << 8
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 7, 0
        for keyword in ("PixelPaddingValue", "SmallestImagePixelValue", "LargestImagePixelValue"):
            if keyword in ds:
                del ds[keyword]
        ds.PixelData = (values | high).astype("<u2").tobytes()
        _overlay(ds, bits=16, position=8)
        save(ds, folder / f"{name}.dcm")


@leak(49, "Thumbnails, waveform annotations and explanations of tables", *_extra(49), words=7)
def thumbnails(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = ct(49)
    plant(ds, _person(49, words))
    icon = item(SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=64, Columns=128)
    icon.BitsAllocated, icon.BitsStored, icon.HighBit, icon.PixelRepresentation = 8, 8, 7, 0
    icon.PixelData = bytes(64 * 128)
    draw(icon, words[0], size=14, shade=255)
    icon.PixelData = icon.PixelData[:-64] + words[3].encode().ljust(64, b"\0")
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = items(icon)
    ds.WaveformAnnotationSequence = items(item(UnformattedTextValue=f"{words[4]} woke", AnnotationGroupNumber=1))
    table = item(LUTDescriptor=[2, 0, 16], LUTExplanation=words[5], ModalityLUTType="US", LUTData=b"\0\0\1\0")
    ds.ModalityLUTSequence = items(table)
    voi = item(LUTDescriptor=[2, 0, 16], LUTExplanation=words[6], LUTData=b"\0\0\1\0")
    ds.VOILUTSequence = items(voi)
    for element in (table, voi):
        element["LUTDescriptor"].VR, element["LUTData"].VR = "US", "OW"
    save(ds, folder / "one.dcm")


def _jpeg(pixels: bytes, size: int) -> bytes:
    out = io.BytesIO()
    Image.frombytes("L", (size, size), pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def _segment(code: int, text: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(text) + 2) + text


@leak(50, "Comments, boxes and gaps of compressed streams, and what hides behind pixels", *_extra(50), words=17)
def streams(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(50, words)

    def jpeg_instance(name: str, stream: bytes, hidden: bytes = b"") -> None:
        ds = capture(person, name, size=128, caption="")
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        stream += b"\0" * (len(stream) % 2)
        ds.PixelData = encapsulate([stream], has_bot=not hidden)
        if hidden:
            ds.ExtendedOffsetTable = struct.pack("<Q", 0)
            ds.ExtendedOffsetTableLengths = struct.pack("<Q", len(stream))
            ds.PixelData += struct.pack("<HHI", 0xFFFE, 0xE000, len(hidden)) + hidden
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        ds.LossyImageCompression = "01"
        save(ds, folder / f"{name}.dcm")

    plain = _jpeg(capture(person, "jpeg", size=128, caption="").PixelData, 128)
    exif = Image.Exif()
    exif[0x010E], exif[0xA431] = f"of {words[5]}", words[6]
    comment = _segment(0xFE, f"patient {words[3]}".encode())
    app1 = _segment(0xE1, b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0"))
    app9 = _segment(0xE9, f"vendor {words[4]}".encode())
    jpeg_instance("segments", plain[:2] + app1 + app9 + comment + plain[2:])
    jpeg_instance("after-eoi", plain + f"tail {words[7]}".encode())
    jpeg_instance("reserved", plain[:2] + _segment(0xC8, f"reserved {words[11]}".encode()) + plain[2:])
    jpeg_instance("hidden", plain, hidden=f"hidden {words[8]}".encode().ljust(64, b"\0"))

    ds = mr(50, 3)
    plant(ds, person)
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    item_at = ds.PixelData.index(b"\xff\x4f\xff\x51")
    length = struct.unpack("<I", ds.PixelData[item_at - 4 : item_at])[0]
    codestream = ds.PixelData[item_at : item_at + length]
    size = struct.unpack(">H", codestream[4:6])[0]
    text = _segment(0x64, b"\0\1" + f"patient {words[9]}".encode())  # ISO 15444-1, A.9.2
    marked = codestream[: 4 + size] + text + codestream[4 + size :]
    ds.PixelData = encapsulate([marked + b"\0" * (len(marked) % 2)])
    ds["PixelData"].is_undefined_length = True
    save(ds, folder / "j2k-comment.dcm")

    ds = mr(50, 4)
    plant(ds, person)
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    boxes = _jp2(codestream, ds.Rows, ds.Columns, f"<patient>{words[10]}</patient>".encode())
    ds.PixelData = encapsulate([boxes + b"\0" * (len(boxes) % 2)])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    save(ds, folder / "jp2-boxes.dcm")
    _gaps(folder, person, words[12:])


def _gaps(folder: Path, person: Person, words: list[str]) -> None:
    """Text where no decoder looks: beside segments and frames, and in a stream that nothing here decodes."""

    def stream(ds: Dataset) -> bytes:
        return next(generate_frames(ds.PixelData, number_of_frames=1))

    def encapsulated(name: str, frame: bytes) -> Path:
        ds.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2)])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        return save(ds, folder / f"{name}.dcm")

    ds = mr(50, 5)
    plant(ds, person)
    ds.compress(RLELossless, generate_instance_uid=False)
    frame, text = stream(ds), words[0].encode()
    second = struct.unpack_from("<I", frame, 8)[0]
    encapsulated(
        "rle-gap", frame[:8] + struct.pack("<I", second + len(text)) + frame[12:second] + text + frame[second:]
    )

    ds = mr(50, 6)
    plant(ds, person)
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    frame = stream(ds)
    start = 4 + struct.unpack_from(">H", frame, 4)[0]
    encapsulated("j2k-extension", frame[:start] + _segment(0x77, words[1].encode()) + frame[start:])

    ds = mr(50, 7)
    plant(ds, person)
    ds.file_meta.TransferSyntaxUID = MPEG4  # pydicom writes no syntax that it does not know
    patch(encapsulated("jpeg-xl", b"\xff\x0a" + words[2].encode()), MPEG4.encode(), JPEG_XL.encode())

    ds = mr(50, 8)
    plant(ds, person)
    ds.FloatPixelData = np.frombuffer(ds.PixelData, "<u2").astype("<f4").tobytes() + words[3].encode() + b"\0"
    del ds.PixelData
    save(ds, folder / "float.dcm")

    ds = mr(50, 9)
    plant(ds, person)
    ds.ExtendedOffsetTable = words[4].encode().ljust(16, b"\0")
    save(ds, folder / "offsets.dcm")


def _jp2(codestream: bytes, rows: int, columns: int, text: bytes) -> bytes:
    """A JP2 file around a codestream, with an XML and a UUID box (ISO 15444-1, Annex I)."""

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", len(data) + 8, kind) + data

    header = box(b"ihdr", struct.pack(">IIHBBBB", rows, columns, 1, 15, 7, 0, 0))
    color = box(b"colr", struct.pack(">BBBI", 1, 0, 0, 17))
    return (
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", header + color)
        + box(b"xml ", text)
        + box(b"uuid", bytes(range(16)) + text)
        + box(b"jp2c", codestream)
    )


@leak(51, "Text of an ICC profile", *_extra(51), words=5)
def color_profile(folder: Path, words: list[str], uids: list[str]) -> None:
    ds = _color(_person(51, words), "icc")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    planted = profile.replace("sRGB built-in".encode("utf-16-be"), words[3].encode("utf-16-be"))
    if planted == profile:
        raise ValueError("the profile has another description")
    ds.ICCProfile = planted + b"\0" * (len(planted) % 2)
    ds.ColorSpace = "SRGB"
    path = item(ICCProfile=ds.ICCProfile, OpticalPathIdentifier="1", OpticalPathDescription=words[4])
    ds.OpticalPathSequence = items(path)
    save(ds, folder / "one.dcm")


@leak(52, "Text in raw values that the default window hides", *_extra(52), words=3)
def window(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(52, words)
    hidden = capture(person, "window", caption="")
    draw(hidden, person.caption, shade=12, ground=2)
    hidden.WindowCenter, hidden.WindowWidth = 180, 60
    save(hidden, folder / "window.dcm")
    ds = ct(52, 1, WindowCenter=900, WindowWidth=50)
    plant(ds, person)
    draw(ds, words[0], size=14, shade=600, ground=500)
    save(ds, folder / "ct.dcm")


@leak(53, "Faces: head volumes, eye photographs, clinical photographs", *_extra(53), words=3)
def faces(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(53, words)
    for index in range(3):
        ds = ct(53, index, BodyPartExamined="HEAD", InstanceNumber=index + 1, StudyDescription=f"Head {words[0]}")
        plant(ds, person)
        ds.ImagePositionPatient = [-158.1, -179.0, 5.0 * index]
        save(ds, folder / f"head{index}.dcm")
    eye = _as_class(_color(person, "eye"), OPHTHALMIC_PHOTO, "OP")
    save(eye, folder / "eye.dcm")
    photo = _as_class(_color(person, "photo"), "1.2.840.10008.5.1.4.1.1.77.1.4", "XC")
    photo.BodyPartExamined = "FACE"
    save(photo, folder / "photo.dcm")


@leak(54, "Slides: labels, overviews and image descriptions", *_extra(54), words=11)
def slides(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(54, words)
    picture = Image.new("RGB", (128, 128), (230, 200, 220))
    picture.save(folder / "slide.tiff", tiffinfo={270: f"case {words[3]}"})
    aperio = f"Aperio Image Library v12.0\n128x128|Title = {words[4]}|User = {words[5]}|Filename = {words[6]}"
    picture.save(folder / "slide.svs", "TIFF", tiffinfo={270: f"{aperio}|Barcode = {words[7]}|Date = 04/11/37"})
    model = f'<?xml version="1.0"?><OME><Image Name="{words[8]}"/></OME>'
    picture.save(folder / "slide.ome.tiff", tiffinfo={270: model})

    for index, kind in enumerate(("LABEL", "OVERVIEW", "THUMBNAIL")):
        ds = _as_class(_color(person, kind), WHOLE_SLIDE, "SM")
        draw(ds, f"{words[0]}\n{person.mrn}", size=14)
        ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
        ds.ImageComments = f"{aperio} {words[9]}"
        ds.ContainerIdentifier, ds.LabelText, ds.InstanceNumber = words[10], words[10], index + 1
        ds.TotalPixelMatrixRows, ds.TotalPixelMatrixColumns, ds.NumberOfFrames = ds.Rows, ds.Columns, 1
        ds.SpecimenLabelInImage = "NO" if kind == "THUMBNAIL" else "YES"
        save(ds, folder / f"{kind.lower()}.dcm")


@leak(55, "Encapsulated PDF, CDA, STL, OBJ and video", *_extra(55), words=8)
def documents(folder: Path, words: list[str], uids: list[str]) -> None:
    person = _person(55, words)
    bodies = {
        "pdf": pdf(f"Dear Mrs {words[3]}"),
        "cda": f"<ClinicalDocument><patient>{words[4]}</patient></ClinicalDocument>".encode(),
        "stl": f"solid {words[5]}".encode().ljust(80) + struct.pack("<I", 0),
        "obj": f"# scan of {words[6]}\nv 0 0 0\n".encode(),
    }
    for kind, body in bodies.items():
        ds = capture(person, kind, size=32, caption="")
        for tag in [element.tag for element in ds if element.tag.group in (0x0028, 0x7FE0)]:
            del ds[tag]
        _as_class(ds, ENCAPSULATED[kind][0], "DOC")
        ds.MIMETypeOfEncapsulatedDocument = ENCAPSULATED[kind][1]
        ds.DocumentTitle = f"About {words[0]}"
        ds.EncapsulatedDocument = body + b" " * (len(body) % 2)
        save(ds, folder / f"{kind}.dcm")

    video = _as_class(_color(person, "video", size=64), VIDEO, "XC")
    video.file_meta.TransferSyntaxUID = MPEG4
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + struct.pack(">I4s", 40, b"udta") + words[7].encode().ljust(32)
    video.PixelData = encapsulate([film])
    video["PixelData"].VR, video["PixelData"].is_undefined_length = "OB", True
    save(video, folder / "video.dcm")
