"""Leak cases 54 and 55: slides and documents, which this issue's policies refuse."""

import io
import struct

import numpy
from PIL import Image, TiffImagePlugin

from tests.phantoms.pixels import compressed, secondary
from tests.phantoms.plot import HELD, Plot, case
from tests.phantoms.texts import encapsulated

IMAGE_DESCRIPTION, NDPI_REFERENCE = 270, 65427


def tiff(texts: list[dict[int, str]]) -> bytes:
    """A TIFF with one small page for each of `texts`, which go into its tags."""
    buffer = io.BytesIO()
    pages = []
    for tags in texts:
        page = Image.fromarray(numpy.full((16, 16, 3), 200, numpy.uint8))
        info = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in tags.items():
            info.tagtype[tag] = 2
            info[tag] = value
        page.encoderinfo = {"tiffinfo": info}
        pages.append((page, info))
    pages[0][0].save(buffer, "TIFF", tiffinfo=pages[0][1], save_all=True, append_images=[page for page, _ in pages[1:]])
    return buffer.getvalue()


@case(54, "whole slides: labels, macros, and what scanners write into TIFF tags", HELD)
def slides(plot: Plot) -> None:
    aperio = (
        f"Aperio Image|Title={plot.word('Wexford')}|User={plot.word('Anselm')}|Date=03/04/31|Barcode={plot.digits()}"
    )
    label = f"Aperio Image|label|Filename={plot.word('Tarnholm')}"
    plot.file("slide.svs", tiff([{IMAGE_DESCRIPTION: aperio}, {IMAGE_DESCRIPTION: label}]))
    plot.file("slide.ndpi", tiff([{NDPI_REFERENCE: plot.digits(1)}, {NDPI_REFERENCE: plot.digits(2)}]))
    ome = f'<OME><Image Name="{plot.word("Brackmoor")}"><AcquisitionDate>1931-04-11</AcquisitionDate></Image></OME>'
    plot.file("slide.ome.tiff", tiff([{IMAGE_DESCRIPTION: ome}]))
    for number, kind in enumerate(("LABEL", "OVERVIEW", "THUMBNAIL", "VOLUME")):
        dataset = secondary(plot, variant=number)
        dataset.SOPClassUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.77.1.6", "SM"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
        dataset.ImageComments = aperio
        dataset.BarcodeValue = plot.digits(3)
        dataset.SpecimenLabelInImage = "YES" if kind == "LABEL" else "NO"
        plot.write(dataset, f"{kind.lower()}.dcm")


def pdf(text: str, producer: str) -> bytes:
    """A document of one page, with the least that is one, and an XMP packet."""
    content = f"BT /F1 18 Tf 40 700 Td ({text}) Tj ET"
    xmp = f'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>{producer}</dc:creator></x:xmpmeta>'
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Metadata 6 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Type /Metadata /Subtype /XML /Length {len(xmp)} >>\nstream\n{xmp}\nendstream",
    ]
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode()


def stl(header: str) -> bytes:
    """A binary STL of one triangle, whose header is free text."""
    return header.encode().ljust(80, b" ") + struct.pack("<I12fH", 1, *range(12), 0)


@case(55, "encapsulated PDF, CDA, STL, OBJ, and video", HELD)
def documents(plot: Plot) -> None:
    page = pdf(f"Letter about {plot.word('Wexford')}", plot.word("Anselm"))
    cda = f"<ClinicalDocument><patient>{plot.word('Tarnholm')}</patient></ClinicalDocument>".encode()
    obj = f"# scan of {plot.word('Objectname')}\nv 0 0 0\n".encode()
    kinds = {
        "pdf": ("1.2.840.10008.5.1.4.1.1.104.1", page, "application/pdf"),
        "cda": ("1.2.840.10008.5.1.4.1.1.104.2", cda, "text/XML"),
        "stl": ("1.2.840.10008.5.1.4.1.1.104.3", stl(f"cast of {plot.word('Brackmoor')}"), "model/stl"),
        "obj": ("1.2.840.10008.5.1.4.1.1.104.4", obj, "model/obj"),
    }
    for number, (name, (sop_class, content, kind)) in enumerate(kinds.items()):
        plot.write(encapsulated(plot, sop_class, content, kind, variant=number), f"{name}.dcm")
    plot.file("letter.pdf", page)
    film = secondary(plot, variant=7)
    film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
    film.ImageComments = f"endoscopy of {plot.word('Rowanby')}"
    stream = b"\0\0\0\x18ftypmp42" + f"\0\0\0\0mp42isom{plot.word('Filmtitle')}".encode()
    compressed(film, [stream + b"\0" * (len(stream) % 2)], "1.2.840.10008.1.2.4.102")
    plot.write(film, "film.dcm")


CASES = (slides, documents)
