"""What has the form of an identifier is found by its kind, as Presidio's recognisers find it from the same forms."""

import re
from collections.abc import Mapping
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import Pattern, PatternRecognizer

from governance.datatypes import Span
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


@cache
def recognizers() -> Mapping[str, PatternRecognizer]:
    def asked(kind: str, expressions: tuple[str, ...]) -> list[Pattern]:
        return [Pattern(f"{kind} {number}", expression, 1.0) for number, expression in enumerate(expressions)]

    made = {kind: PatternRecognizer(kind, patterns=asked(kind, each)) for kind, each in patterns.PATTERNS.items()}
    capitals = re.MULTILINE | re.DOTALL
    codes = PatternRecognizer("POSTCODE", patterns=asked("POSTCODE", patterns.POSTCODES), global_regex_flags=capitals)
    return made | {"POSTCODE": codes}


@given(text=texts)
@settings(max_examples=400, deadline=None)
def test_a_part_that_is_not_looked_at_and_a_form_that_is_not_asked_for_would_find_nothing(text: str) -> None:
    found = {(span.start, span.stop, span.kind) for span in patterns.find(text)}

    for kind, recognizer in recognizers().items():
        for result in recognizer.analyze(text, entities=[kind], nlp_artifacts=None):
            harmless = patterns._is_harmless(text[result.start : result.end], kind)
            assert harmless or (result.start, result.end, kind) in found


@given(before=texts, text=texts, behind=texts)
def test_near_a_span_the_words_beside_it_are_looked_at(before: str, text: str, behind: str) -> None:
    whole = f"{before} [{text}] {behind}"
    near = Span(len(before) + 2, len(before) + 2 + len(text), "NAME")

    found = {*patterns.find(whole, near=[near])}

    assert found <= {*patterns.find(whole)}
    touching = {span for span in patterns.find(whole) if span.start <= near.stop and near.start <= span.stop}
    assert touching <= found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NI QQ 12 34 56 C", "ID"),
        ("NIR 1 85 05 78 006 084 36", "ID"),
        ("RVNR 12 345678 M 123", "ID"),
        ("NUSS 28/12345678/40", "ID"),
        ("ring ext. 4471", "CONTACT"),
        ("ring ext. 8900", "CONTACT"),
        ("Durchwahl 4471", "CONTACT"),
        ("an m.o'leary@example.org", "CONTACT"),
        ("desde septiembre de 2021", "DATE"),
        ("desde julio del 2020", "DATE"),
        ("seit 10.8.", "DATE"),
        ("ring ext #4471", "CONTACT"),
        ("an o’neill.d'arcy@example.org", "CONTACT"),
    ],
)
def test_numbers_of_people_and_telephones_are_found_whole(text: str, kind: str) -> None:
    number = text.partition(" ")[2]

    (found,) = {
        (text[span.start : span.stop], span.kind)
        for span in patterns.find(text)
        if len(number) <= span.stop - span.start
    }
    assert found == (number, kind)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("102-year-old lady", "102"),
        ("97-jährige Pat.", "97"),
        ("95 jaehrig", "95"),
        ("97 Jahr alt", "97"),
        ("aged 94, frail", "94"),
        ("a los 95 años", "95"),
    ],
)
def test_of_an_age_the_number_is_found_and_what_says_so_stays(text: str, number: str) -> None:
    assert [text[span.start : span.stop] for span in patterns.find(text)] == [number]


@pytest.mark.parametrize(
    "text",
    [
        "PSA bis 2.5. Keine Metastasen",
        "seit 2.5. SSW",
        "9 am 3.4. slice",
        "elbow ext. 180, flex 120",
        "ext. rotation 300",
    ],
)
def test_a_measure_that_looks_like_a_day_or_an_extension_stays(text: str) -> None:
    assert list(patterns.find(text)) == []
