"""Dates of one patient move together, by a secret amount, and never leak."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import UnshiftableDate
from governance.pseudonymise.dates import MAX_DAYS, DateShift

KEY = bytes(32)

days = st.dates(min_value=date(1850, 1, 1), max_value=date(2100, 1, 1))
patients = st.text(min_size=1, max_size=64)


def da(day: date) -> str:
    return day.isoformat().replace("-", "")


@given(patient=patients, first=days, second=days)
def test_interval_between_two_dates_survives(patient: str, first: date, second: date) -> None:
    shift = DateShift.derive(KEY, patient_id=patient)

    moved = [date.fromisoformat(shift.apply(da(day))) for day in (first, second)]

    assert second - first == moved[1] - moved[0]


@given(patient=patients, day=days)
def test_every_date_moves_into_the_past(patient: str, day: date) -> None:
    moved = date.fromisoformat(DateShift.derive(KEY, patient_id=patient).apply(da(day)))

    assert timedelta(days=1) <= day - moved <= timedelta(days=MAX_DAYS)


def test_shift_of_a_patient_is_pinned() -> None:
    """A change here would cut the link between old releases and new ones."""
    assert DateShift(days=-2357) == DateShift.derive(KEY, patient_id="PHANTOM-1")


def test_projects_do_not_share_shifts() -> None:
    ours = DateShift.derive(KEY, patient_id="PHANTOM-1")
    theirs = DateShift.derive(b"\1" * 32, patient_id="PHANTOM-1")

    assert ours != theirs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("20240301", "20240220", id="DA over a leap day"),
        pytest.param("20240301235959.5", "20240220235959.5", id="DT"),
        pytest.param("20240301235959.5-0500", "20240220235959.5", id="UTC offset, which tells the season"),
        pytest.param("20240301+0545", "20240220", id="day with a UTC offset"),
        pytest.param("20240301235960", "20240220235960", id="leap second"),
        pytest.param("20240301 ", "20240220", id="padding"),
        pytest.param("09990115", "09990105", id="year of three digits"),
    ],
)
def test_shifts_by_days_and_keeps_the_time(value: str, expected: str) -> None:
    assert expected == DateShift(days=-10).apply(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2024", id="year only"),
        pytest.param("20240230", id="no such day"),
        pytest.param("2024.03.01", id="retired ACR-NEMA form"),
        pytest.param("20240301-20240305", id="range, whose end would pass through"),
        pytest.param("00010101", id="leaves the calendar"),
        pytest.param("2024-W09", id="ISO week, which Python would accept"),
        pytest.param("20240301731981", id="digits that are no time of day"),
        pytest.param("2024030123.731981", id="fraction of an hour"),
        pytest.param("20240301+7319", id="offset that no place has"),
        pytest.param("٢٠٢٤٠٣٠١", id="digits of another script"),
    ],
)
def test_refuses_what_it_cannot_shift_and_does_not_quote_it(value: str) -> None:
    with pytest.raises(UnshiftableDate) as refusal:
        DateShift(days=-10).apply(value)

    assert value not in str(refusal.value)
    assert refusal.value.__context__ is None
