"""Dates in texts move by the patient's shift, in the form in which they stand there, or not at all."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.pseudonymise.dates import DateShift
from governance.pseudonymise.written_dates import Order, move, order_in

SHIFT = DateShift(days=-20)
FORMS = ("%d.%m.%Y", "%Y-%m-%d", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%d%b%Y", "%d.%m.%y", "%Y/%m/%d")
days = st.dates(min_value=date(1951, 1, 1), max_value=date(2049, 12, 31))
shifts = st.integers(min_value=-3650, max_value=-1).map(DateShift)


@given(day=days, form=st.sampled_from(FORMS), shift=shifts)
def test_a_date_in_any_form_moves_by_the_shift(day: date, form: str, shift: DateShift) -> None:
    moved = move(f"{day:{form}}", shift, None)

    expected = day + timedelta(days=shift.days)
    assert moved is not None
    assert re.sub(r"\b0", "", f"{expected:{form}}") == re.sub(r"\b0", "", moved)


@given(day=days, shift=shifts, order=st.sampled_from(list(Order)))
def test_what_the_text_tells_orders_day_and_month(day: date, shift: DateShift, order: Order) -> None:
    form = "%d/%m/%Y" if order is Order.DAY_FIRST else "%m/%d/%Y"

    moved = move(f"{day:{form}}", shift, order)

    assert f"{day + timedelta(days=shift.days):{form}}" == (
        moved if moved is None or "/0" in moved or moved[0] == "0" else _padded(moved)
    )


def _padded(written: str) -> str:
    return "/".join(part.zfill(2) for part in written.split("/"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("12. März 2024", "21. Februar 2024", id="German month"),
        pytest.param("4.3.24", "13.2.24", id="two digits of a year"),
        pytest.param("3. 4. 2024", "14. 3. 2024", id="blanks"),
        pytest.param("13/04/2021", "24/03/2021", id="only a day is above 12"),
        pytest.param("04/13/21", "03/24/21", id="American order"),
        pytest.param("March 4th, 2024", "February 13th, 2024", id="English ordinal"),
        pytest.param("21st March 2024", "1st March 2024", id="ordinals follow the day"),
        pytest.param("1er mars 2024", "10 février 2024", id="only the first has an ordinal in French"),
        pytest.param("4 de marzo de 2024", "13 de febrero de 2024", id="Spanish"),
        pytest.param("04MAR2024", "13FEB2024", id="capitals"),
        pytest.param("Mai 2024", "April 2024", id="German by its capital"),
        pytest.param("mai 2024", "avril 2024", id="French by its small letter"),
        pytest.param("03/2024", "02/2024", id="month and year"),
        pytest.param("2024-03", "2024-02", id="year and month"),
        pytest.param("12 August 98", "23 July 98", id="two digits of the last century"),
        pytest.param("05/05/2021", "15/04/2021", id="the same either way, but for what is written"),
    ],
)
def test_the_form_stays(written: str, expected: str) -> None:
    assert move(written, SHIFT, order_in(written)) == expected


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("03/04/2021", id="nothing tells day from month"),
        pytest.param("4. März", id="no year"),
        pytest.param("2000", id="a year, or a repetition time"),
        pytest.param("30.02.2024", id="no such day"),
        pytest.param("13/13/2021", id="no such month"),
        pytest.param("12 Brumaire 1799", id="no such name"),
        pytest.param("20240304123000", id="with a time"),
        pytest.param("2024-03/04", id="two separators"),
        pytest.param("1849-12-31", id="leaves the years that anybody in an archive lived in"),
        pytest.param("٠٣/٠٤/٢٠٢١", id="digits of another script, which would be written otherwise"),
    ],
)
def test_what_would_be_a_guess_is_not_moved(written: str) -> None:
    assert move(written, SHIFT, order_in(written)) is None


@pytest.mark.parametrize(
    ("text", "known", "order"),
    [
        pytest.param("on 03/04/2021 and 25/12/2020", (), Order.DAY_FIRST, id="another date of the text"),
        pytest.param("on 03/04/2021 and 12/25/2020", (), Order.MONTH_FIRST, id="another one, American"),
        pytest.param("on 03/04/2021", ("20210304",), Order.MONTH_FIRST, id="a day of the study"),
        pytest.param("on 03/04/2021", ("20210304", "20200403"), None, id="days of the study that contradict"),
        pytest.param("25/12/2020, 12/25/2020", (), None, id="dates that contradict"),
        pytest.param("on 03/04/2021", (), None, id="nothing"),
    ],
)
def test_the_order_is_told_by_the_text_and_the_study(text: str, known: tuple[str, ...], order: Order | None) -> None:
    assert order_in(text, known) is order
