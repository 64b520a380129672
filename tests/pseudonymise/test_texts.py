"""In texts dates move by the patient's shift where the policy moves dates, and nothing else is replaced."""

from governance.datatypes import Span
from governance.pseudonymise.dates import DateShift
from governance.pseudonymise.surrogates import Surrogates
from governance.pseudonymise.texts import Texts
from governance.scrub.text import replace

TEXT = "seen 03/04/2021, Quill, compared to 2021-02-28"
DATE, NAME, ISO = Span(5, 15, "DATE"), Span(17, 22, "NAME"), Span(36, 46, "DATE")


def written(texts: Texts, text: str = TEXT) -> str:
    return replace(text, [DATE, NAME, ISO], instead=texts.instead(text))


def test_dates_move_and_names_get_a_mark() -> None:
    texts = Texts(DateShift(days=-20), known=["20210304"])

    assert written(texts) == "seen 02/12/2021, [NAME], compared to 2021-02-08"


def test_a_date_that_nothing_tells_gets_a_mark() -> None:
    assert written(Texts(DateShift(days=-20), known=[])) == "seen [DATE], [NAME], compared to 2021-02-08"


def test_without_a_shift_every_date_gets_a_mark() -> None:
    assert written(Texts(None, known=["20210304"])) == "seen [DATE], [NAME], compared to [DATE]"


def test_moved_days_that_a_search_could_take_for_others_are_remembered() -> None:
    texts = Texts(DateShift(days=-20), known=[])
    text = "on 20210304 and 2021.03.04 and 2021-03-04"

    replace(text, [Span(3, 11, "DATE"), Span(16, 26, "DATE"), Span(31, 41, "DATE")], instead=texts.instead(text))

    assert texts.shifted == {"20210212"}


def test_with_surrogates_dates_move_and_names_read_on() -> None:
    drawn = Surrogates(bytes(32), patient_id="PX-1", taken=lambda _text: False)
    texts = Texts(DateShift(days=-20), known=["20210304"], surrogates=drawn)

    made = replace(TEXT, [DATE, NAME, ISO], instead=texts.in_plain_sight(TEXT))

    assert made == f"seen 02/12/2021, {drawn.of('NAME', 'Quill')}, compared to 2021-02-08"
    assert "[" not in made


def test_with_surrogates_a_date_that_nothing_tells_gets_a_mark() -> None:
    drawn = Surrogates(bytes(32), patient_id="PX-1", taken=lambda _text: False)

    made = replace(TEXT, [DATE], instead=Texts(None, [], surrogates=drawn).in_plain_sight(TEXT))

    assert made.startswith("seen [DATE], ")
