"""Peers over a folder of images, one JSON object a line on stdout; run by the Python of their own environment.

    python looking_peers.py rapidocr|tesseract|presidio WARM FOLDER NAME ...
    python looking_peers.py versions

RapidOCR and Tesseract are shown every frame once, through its default window if it has one, and what they take for
text counts as found and masked. Presidio's redactor is given the file, and what it redacts counts as both. Its
language model `en_core_web_lg` is not on the package registry, so that it has spaCy's blank one: patterns and the
header's own values find identifiers, and names that are nowhere in the header do not count as any.
"""

import json
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["OMP_THREAD_LIMIT"] = "1"  # Tesseract's threads wait for each other, which counts as work

import numpy as np
import pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut, convert_color_space

CONFIDENT = 0
"""From this confidence on Tesseract's words count: below it are blocks and lines, which are no words."""

Box = tuple[int, int, int, int, int]
"""frame, left, top, right, bottom."""
Tool = Callable[[Path], list[Box]]


def main(tool: str, warm: Path, folder: Path, names: list[str]) -> None:
    """Let a tool look at every image; what it cannot take counts as held back."""
    look = {"rapidocr": rapidocr, "tesseract": tesseract, "presidio": presidio}[tool]()
    look(warm)
    for name in names:
        start, boxes, held = cpu_s(), list[Box](), ""
        try:
            boxes = look(folder / name)
        except Exception as error:  # whatever it raises: its words may quote the header
            held = f"it failed with {type(error).__name__}"
        told = {"name": name, "found": boxes, "masked": boxes, "exact": not boxes, "held": held}
        print(json.dumps({**told, "cpu_s": cpu_s() - start}), flush=True)
    print(json.dumps({"peak_mib": peak_mib()}), flush=True)


def rapidocr() -> Tool:
    """Detection and recognition as they are set when the package is installed, on one thread."""
    from rapidocr import RapidOCR

    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )

    def look(path: Path) -> list[Box]:
        found = []
        for number, picture in enumerate(pictures(path)):
            result = engine(np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture[:, :, ::-1])
            for points in () if result.boxes is None else result.boxes:
                (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
                found.append((number, int(left), int(top), int(right) + 1, int(bottom) + 1))
        return found

    return look


def tesseract() -> Tool:
    """Words, by the default settings of pytesseract."""
    import pytesseract
    from PIL import Image

    def look(path: Path) -> list[Box]:
        found = []
        for number, picture in enumerate(pictures(path)):
            read = pytesseract.image_to_data(Image.fromarray(picture), output_type=pytesseract.Output.DICT)
            for at, text in enumerate(read["text"]):
                if text.strip() and float(read["conf"][at]) >= CONFIDENT:
                    left, top, width, height = (int(read[name][at]) for name in ("left", "top", "width", "height"))
                    found.append((number, left, top, left + width, top + height))
        return found

    return look


def presidio() -> Tool:
    """`DicomImageRedactorEngine` with the values of the header, as its documentation uses it."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_image_redactor import DicomImageRedactorEngine, ImageAnalyzerEngine

    model = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    model.nlp = {"en": spacy.blank("en")}
    engine = DicomImageRedactorEngine(ImageAnalyzerEngine(AnalyzerEngine(nlp_engine=model)))

    def look(path: Path) -> list[Box]:
        _, boxes = engine.redact_and_return_bbox(pydicom.dcmread(path))
        return [
            (
                0,
                int(each["left"]),
                int(each["top"]),
                int(each["left"] + each["width"]),
                int(each["top"] + each["height"]),
            )
            for each in boxes
        ]

    return look


def pictures(path: Path) -> Iterator[Any]:
    """Every frame as a screen shows it: 8 bits, grey or RGB."""
    ds = pydicom.dcmread(path)
    pixels = ds.pixel_array
    frames = pixels if int(ds.get("NumberOfFrames", 1) or 1) > 1 else pixels[None]
    for frame in frames:
        if frame.ndim == 3:
            colours = str(ds.PhotometricInterpretation)
            yield np.ascontiguousarray(
                convert_color_space(frame, colours, "RGB") if colours.startswith("YBR") else frame
            )
            continue
        values = windowed(frame, ds)
        shown = (values - values.min()) / max(float(np.ptp(values)), 1e-9) * 255
        yield (255 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown).astype(np.uint8)


def windowed(frame: Any, ds: pydicom.Dataset) -> Any:
    """Through the default window; as stored where the header has none, or one that pydicom cannot apply."""
    try:
        return apply_voi_lut(apply_modality_lut(frame, ds), ds).astype(np.float64)
    except (TypeError, ValueError, AttributeError):
        return frame.astype(np.float64)


def cpu_s() -> float:
    """User and system time of this process and of what it started and saw end."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in every)


def peak_mib() -> float:
    """The largest resident memory of this program, or of one that it started if that is larger."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return max(int(line.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def versions() -> None:
    """One JSON object on stdout."""
    told = {name: version(name) for name in ("rapidocr", "pytesseract", "presidio-image-redactor", "spacy")}
    said = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=False).stdout
    print(json.dumps({**told, "tesseract": (said.split() or ["", "unknown"])[1]}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    match sys.argv[1:]:
        case ["versions"]:
            versions()
        case [("rapidocr" | "tesseract" | "presidio") as tool, warm, folder, *names]:
            main(tool, Path(warm), Path(folder), names)
        case _:
            sys.exit(__doc__)
