"""What somebody typed into a header makes no line of a trace, moves no cursor, and breaks no picture."""

from unicodedata import category

from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from governance.printable import shown
from governance.provenance import VERIFIED, Release, State, Trace, to_svg
from tests.provenance.test_acquisition import receipt, records

HOSTILE = "ACME\r\n  releases       not verified:  none\n\x1b[8m\x0b\x7f\x9b2J\u202e\u2028\ufffe\ud800"


def traced(value: str) -> Trace:
    facts = {"Manufacturer": value, "DerivationDescription": value, "equipment_history": [value], "Modality": "CT"}
    made = receipt(facts)  # type: ignore[arg-type]
    return Trace(
        "0" * 64, made, True, "b", "2026-01-01T00:00:00Z", (Release("lung@v1", VERIFIED),), State.PRESENT, None
    )


def is_plain(text: str) -> bool:
    return all(each.isprintable() or category(each) == "Zs" for each in text)


@given(text=st.text())
@example(text=HOSTILE)
def test_a_value_stays_on_its_line(text: str) -> None:
    assert is_plain(shown(text))
    assert shown(shown(text)) == shown(text)


@given(text=st.text().filter(str.isprintable))
def test_what_can_be_printed_is_printed_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(value=st.text(max_size=30))
@example(value=HOSTILE)
def test_a_trace_has_as_many_lines_as_its_values_need(value: str) -> None:
    trace = traced(value)
    (series,) = records([trace.receipt])

    for text in (trace.text(), series.text()):
        assert all(is_plain(line) for line in text.split("\n"))
    assert [line.split()[0] for line in trace.text().split("\n")].count("releases") == 1


@given(value=st.text(max_size=30))
@example(value=HOSTILE)
def test_a_picture_is_xml_whatever_was_typed(value: str) -> None:
    etree.fromstring(to_svg([traced(value)]).encode())
