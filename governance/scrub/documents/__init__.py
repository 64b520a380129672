"""Documents inside DICOM objects, made anew: what stays is written into a new document, nothing is taken over.

pdf.py      a PDF: pages.py reads it, layout.py orders its words, wording.py cleans them, fitting.py
            finds room for them, writing.py writes the new one
cda.py      a CDA: by its structure

How identifiers are found and pictures are masked is handed in, because that is the work of other stages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from governance.datatypes import Confidential, Span

Picture = NDArray[np.uint8]
"""One page as drawn without its text: (rows, columns, 3)."""

MAX_BYTES = 64 << 20
"""Of a document; a longer one is no report."""


@dataclass(frozen=True, slots=True, repr=False)
class Treatment(Confidential):
    """How a document of one study is cleaned.

    find: everything that may identify in a text that stands for itself. find_in_code: the same in a code of a system
    that is not a published one. find_across: what is found in texts that do not belong together, such as cells of a
    row, without asking what a single word may be. find_own: what is this study's own, in codes and numbers.
    instead: what to write for a span of a text, None for its mark. mask: paints over text in a picture, and says
    how many places were masked; it may raise Refused.
    """

    find: Callable[[str], Sequence[Span]]
    find_in_code: Callable[[str], Sequence[Span]]
    find_across: Callable[[str], Sequence[Span]]
    find_own: Callable[[str], Sequence[Span]]
    instead: Callable[[str], Callable[[Span], str | None]]
    mask: Callable[[Picture], tuple[Picture, int]]


@dataclass(frozen=True, slots=True, repr=False)
class Cleaned(Confidential):
    """A new document; `texts` is all that can be read in it, `said` counts what was done, for a receipt."""

    data: bytes
    texts: tuple[str, ...]
    said: dict[str, int] = field(default_factory=dict)
