"""What has the form of an identifier is found by its kind; recognisers that cannot find anything are not asked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.detect import patterns
from tests.detect.phrases import CLINICAL

MONTHS = (
    "january March märz Maart avril Abril maggio MAYO juin giugno juli luglio août agosto sept settembre Oct okt"
    " ottobre outubro novembre déc dicembre Dez ene gennaio fevereiro février mrz mei maio"
)
months = st.sampled_from(MONTHS.split())
parts = st.one_of(
    months,
    st.integers(0, 2_100).map(str),
    st.from_regex(r"[0-9]{1,9}", fullmatch=True),
    st.sampled_from(
        ["M1 1AE", "K1A 0B1", "1017 ZN", "1.2.3.4.5", "a@b.de", "www.x", "tel", "ext", "y", "yo", "F", "aged"]
    ),
    st.sampled_from(CLINICAL),
)
texts = st.lists(st.tuples(parts, st.sampled_from(["", " ", ". ", "-", "/", ":", ", ", "\n"])), max_size=6).map(
    lambda pairs: "".join(part + between for part, between in pairs)
)


@given(text=texts)
@settings(max_examples=400)
def test_what_is_not_asked_would_find_nothing(text: str) -> None:
    asked = {(span.start, span.stop, span.kind) for span in patterns.find(text)}

    for kind, recognizer in patterns._recognizers().items():
        for result in recognizer.analyze(text, entities=[kind], nlp_artifacts=None):
            harmless = patterns._is_harmless(text[result.start : result.end], kind)
            assert harmless or (result.start, result.end, kind) in asked


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NI QQ 12 34 56 C", "ID"),
        ("NIR 1 85 05 78 006 084 36", "ID"),
        ("RVNR 12 345678 M 123", "ID"),
        ("NUSS 28/12345678/40", "ID"),
        ("ring ext. 4471", "CONTACT"),
        ("Durchwahl 4471", "CONTACT"),
    ],
)
def test_numbers_of_people_and_telephones_are_found_whole(text: str, kind: str) -> None:
    number = text.partition(" ")[2].removeprefix("ext. ")

    (found,) = {
        (text[span.start : span.stop], span.kind)
        for span in patterns.find(text)
        if len(number) <= span.stop - span.start
    }
    assert found == (number, kind)
