"""Move every date of one patient by the same secret number of days.

Order and intervals survive; calendar dates do not. Times of day stay, because
the shift is whole days. The UTC offset goes: with summer time it tells the season,
for which Table E.1-1 removes TimezoneOffsetFromUTC. An instance treated this way declares code DCM 113107,
*Retain Longitudinal Temporal Information Modified Dates Option*.

>>> DateShift(days=-10).apply("20240301")
'20240220'
"""

import hmac
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from governance.errors import UnshiftableDate

MAX_DAYS = 3650
"""Shifts reach up to ten years back, which hides both season and year."""

# DA, or DT complete to the day (PS3.5, 6.2). Anything else is refused whole, so that no part of
# the original passes behind the first eight digits; what stands there must be a time of day.
_TIME = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_OFFSET = r"[+-](?:0\d|1[0-4])[0-5]\d"
_DATE = re.compile(rf"(\d{{8}})((?:{_TIME})?)(?:{_OFFSET})? *", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class DateShift:
    """A whole number of days, the same for every date of one patient."""

    days: int

    @classmethod
    def derive(cls, key: bytes, *, patient_id: str) -> Self:
        """Derive one patient's shift from the project's key.

        Shifts point into the past, so that nothing is dated after its release.
        """
        digest = hmac.digest(key, b"date-shift:" + patient_id.encode("utf-8", "surrogatepass"), "sha256")
        return cls(days=-(1 + int.from_bytes(digest) % MAX_DAYS))

    def apply(self, value: str) -> str:
        """Shift one DA or DT value; its time passes through, its UTC offset does not.

        Raises:
            UnshiftableDate: the value is not a complete date, or leaves the calendar.
        """
        if not value.strip():
            return value
        shifted = self._shift(value)
        if shifted is None:  # raised here, not below: a chained error would quote the date
            raise UnshiftableDate("not a complete DICOM date")
        return shifted

    def _shift(self, value: str) -> str | None:
        match = _DATE.fullmatch(value)
        if match is None:
            return None
        day, time = match.groups()
        try:
            moved = date.fromisoformat(day) + timedelta(days=self.days)
        except (ValueError, OverflowError):
            return None
        return moved.isoformat().replace("-", "") + time
