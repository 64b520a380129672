"""What a leak case is, and the small tools its builders share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.phantoms.bundled import load, unchecked


@dataclass(frozen=True, slots=True)
class LeakCase:
    """One way in which identifiers leaked, and the values that must not come out.

    What a builder draws into pixels stands in the header too, so that every marker is text somewhere.
    `kept`: clinical words beside a marker that must come out.
    """

    number: int
    title: str
    build: Callable[[Path], None]
    markers: list[str]
    kept: tuple[str, ...] = ()


CASES: dict[int, LeakCase] = {}


def marker(number: int, index: int) -> str:
    """An invented word of 13 letters and digits, which fits every text VR."""
    return f"ZQ{number:02d}Wex{index:02d}ford"


def marker_uid(number: int, index: int) -> str:
    """A UID of a root that nobody has."""
    return f"1.2.999.44{number:02d}77319.{index + 1}"


def leak(
    number: int, title: str, *extra: str, words: int = 0, uids: int = 0, kept: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a builder `(folder, words, uids)` as a case.

    It plants `words` marker words, `uids` marker UIDs, and the `extra` strings, beside words to be `kept`.
    """
    texts = [marker(number, index) for index in range(words)]
    roots = [marker_uid(number, index) for index in range(uids)]

    def register(builder: Callable[..., None]) -> Callable[..., None]:
        def build(folder: Path) -> None:
            with unchecked():
                builder(folder, texts, roots)

        CASES[number] = LeakCase(number, title, build, [*texts, *roots, *extra], kept)
        return builder

    return register


def item(**values: Any) -> Dataset:
    """A dataset of the named elements, such as the item of a sequence."""
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def items(*datasets: Dataset) -> Sequence:
    return Sequence(datasets)


def code(meaning: str, value: str = "121071", scheme: str = "DCM") -> Sequence:
    """A code sequence with its one item."""
    return items(item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning))


def ct(number: int, index: int = 0, **values: Any) -> Dataset:
    """The bundled CT as instance `index` of a case, with the named elements set."""
    return _with(load("CT_small.dcm", "case", number, index), values)


def mr(number: int, index: int = 0, **values: Any) -> Dataset:
    """The bundled MR as instance `index` of a case, with the named elements set."""
    return _with(load("MR_small.dcm", "case", number, index), values)


def _with(ds: Dataset, values: dict[str, Any]) -> Dataset:
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def patch(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes that occur in a written file by as many others."""
    data = path.read_bytes()
    if old not in data or len(old) != len(new):
        raise ValueError("nothing to patch, or another length")
    path.write_bytes(data.replace(old, new))
