"""What stands in texts instead of what identifies in them, so that they read on: moved dates, and surrogates.

Dates move only where that is no guess. For all that nothing is said about here `scrub.text` puts a mark.
"""

import re
from collections.abc import Callable, Iterable

from governance.datatypes import Confidential, Span
from governance.pseudonymise.dates import DateShift
from governance.pseudonymise.surrogates import Surrogates
from governance.pseudonymise.written_dates import move, order_in

_COMPLETE = re.compile(r"\d{4}[.]?\d\d[.]?\d\d", re.ASCII)


class Texts(Confidential):
    """The texts of one instance."""

    def __init__(self, shift: DateShift | None, known: Iterable[str], *, surrogates: Surrogates | None = None) -> None:
        """shift: of its patient, or None where dates are not moved. known: days of the study.

        surrogates: of its patient, or None where all but dates get marks.
        """
        self.surrogates = surrogates
        self._shift = shift
        self._known = frozenset(known)
        self.shifted: set[str] = set()
        """Moved dates that were written as YYYYMMDD or YYYY.MM.DD: one may be another day of the study by chance."""

    def with_marks(self) -> "Texts":
        """The same, without surrogates, and nothing moved yet."""
        return Texts(self._shift, self._known)

    def instead(self, text: str) -> Callable[[Span], str | None]:
        """What to write instead of a span of `text`: of a date the one that it moves to; None: its mark."""
        shift = self._shift
        order = order_in(text, self._known) if shift is not None else None

        def moved(span: Span) -> str | None:
            if shift is None or span.kind != "DATE":
                return None
            written = move(text[span.start : span.stop], shift, order)
            if written is not None and _COMPLETE.fullmatch(written):
                self.shifted.add(written.replace(".", ""))
            return written

        return moved

    def in_plain_sight(self, text: str) -> Callable[[Span], str | None]:
        """As `instead`, with surrogates for all that has one."""
        moved, surrogates = self.instead(text), self.surrogates

        def drawn(span: Span) -> str | None:
            if surrogates is None or span.kind == "DATE":
                return moved(span)
            return surrogates.of(span.kind, text[span.start : span.stop])

        return drawn
