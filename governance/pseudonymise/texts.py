"""What stands in texts instead of what identifies in them, so that they read on: moved dates.

Only what can be replaced without a guess is; for all else `scrub.text` puts a mark.
"""

import re
from collections.abc import Callable, Iterable

from governance.datatypes import Confidential, Span
from governance.pseudonymise.dates import DateShift
from governance.pseudonymise.written_dates import move, order_in

_COMPLETE = re.compile(r"\d{4}[.]?\d\d[.]?\d\d", re.ASCII)


class Texts(Confidential):
    """The texts of one instance. shift: of its patient, or None where dates are not moved. known: days of the study."""

    def __init__(self, shift: DateShift | None, known: Iterable[str]) -> None:
        self._shift = shift
        self._known = frozenset(known)
        self.shifted: set[str] = set()
        """Moved dates that were written as YYYYMMDD or YYYY.MM.DD: one may be another day of the study by chance."""

    def instead(self, text: str) -> Callable[[Span], str | None]:
        """What to write instead of a span of `text`; None: nothing that would be right."""
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
