"""What looking for burned-in text must reach, as data."""

from tests.benchmarks.goals import OURS, Goal, Sign

RAPIDOCR, TESSERACT, PRESIDIO = "RapidOCR everywhere", "Tesseract", "Presidio redactor"
TOOLS = (OURS, RAPIDOCR, TESSERACT, PRESIDIO)

SIDES = (512, 1024, 2048)
SERIES = ("CT", "MR")


def cpu_key(side: int) -> str:
    """Of CPU time for an image without text of this side."""
    return f"cpu_{side}"


def ratio_key(side: int) -> str:
    """Of how many times less that is than with RapidOCR everywhere."""
    return f"ratio_{side}"


def series_key(modality: str) -> str:
    """Of CPU time for a slice of a series without text."""
    return f"series_{modality}"


_CPU = {512: 20, 1024: 80, 2048: 250}

GOALS = (
    Goal("identifiers", "identifier boxes masked, real and phantom images", Sign.AT_LEAST, 1),
    Goal("large", "text lines of 8 rows of ink and more found", Sign.AT_LEAST, 0.985),
    Goal("small", "text lines of 5 to 7 rows of ink found", Sign.AT_LEAST, 0.92),
    Goal("exact", "images without text left bit-exact", Sign.AT_LEAST, 0.97),
    Goal("area", "masked area on them", Sign.AT_MOST, 0.1, " %"),
    Goal("markers", "clinical markers kept", Sign.AT_LEAST, 0.9),
    *(
        Goal(cpu_key(side), f"CPU, image without text of {side} squared", Sign.AT_MOST, _CPU[side], " ms")
        for side in SIDES
    ),
    *(
        Goal(ratio_key(side), f"times less than RapidOCR everywhere, {side} squared", Sign.AT_LEAST, 20)
        for side in SIDES
    ),
    *(Goal(series_key(kind), f"CPU a slice, {kind} series without text", Sign.AT_MOST, 5, " ms") for kind in SERIES),
    Goal("one_slice", "text in a single slice of such a series found", Sign.AT_LEAST, 0.97),
    Goal("memory", "peak memory of a process", Sign.AT_MOST, 700, " MB"),
)
