"""Generated files of every kind: nothing planted survives, what is kept is what it was, pydicom agrees."""

import re
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance import policy, read
from governance.datatypes import Decision, Element, Instance, Method, Outcome
from tests.encoding import even
from tests.pipeline.worker import Ended, process, strict, surviving, worker
from tests.read.datasets import differences
from tests.strategies import Generated, files

STRICT = strict()
OURS = frozenset({0x00120062, 0x00120063, 0x00120064, 0x0018A001, 0x00280303})
"""What every output says about its de-identification."""

LEFT_ALONE = frozenset({Method.KEEP, Method.TEXT, Method.MACHINE, Method.CODE})
"""What changes only a value that tells something."""

DAY = re.compile(rb"\d{4}-\d\d-\d\d")
thorough = settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("staging")


def published(file: Generated, staging: Path, rules: policy.Rules = STRICT) -> Ended:
    ended = process(worker(staging, rules), file.data)
    assert (ended.outcome, ended.reason) == (Outcome.PUBLISHED, "")
    return ended


@thorough
@given(file=files())
def test_a_generated_file_is_published_without_any_planted_value(file: Generated, staging: Path) -> None:
    """A stranger's word of no language, where a text is cleaned, is no name to anybody."""
    assert surviving(file.planted - {file.person.word}, published(file, staging)) == []


@thorough
@given(file=files(), name=st.sampled_from(["basic", "research-headers"]))
def test_no_profile_lets_this_study_s_own_identifiers_out(file: Generated, name: str, staging: Path) -> None:
    """`research-headers` keeps what strangers' devices are called, so of `word` it promises nothing."""
    ended = process(worker(staging, policy.load(name)), file.data)

    assert "internal error" not in ended.reason
    own = file.planted - {file.person.word, "1981-09-23", "1981.09.23"} if name != "basic" else file.planted
    assert surviving(own, ended) == []


def decided(instance: Instance, rules: policy.Rules) -> dict[Element, Decision]:
    return {decision.where: decision for decision in policy.plan(instance, rules).decisions}


def pairs(
    before: Iterable[Element], after: Iterable[Element], decisions: Mapping[Element, Decision]
) -> Iterator[tuple[Element, Element | None]]:
    """Elements of the source that have a decision, each with its counterpart in the output."""
    counterparts = {element.tag: element for element in after}
    for element in before:
        other = counterparts.get(element.tag)
        if element in decisions:
            yield element, other
        if other is not None and element.items and other.items and element.tag not in OURS:
            assert len(element.items) == len(other.items)
            for mine, theirs in zip(element.items, other.items, strict=True):
                yield from pairs(mine.elements, theirs.elements, decisions)


@thorough
@given(file=files())
def test_what_the_plan_leaves_alone_is_byte_identical(file: Generated, staging: Path) -> None:
    source = read.parse(file.data)
    output = read.parse(published(file, staging).data)
    planted = [form for text in file.planted for form in (text.encode(), text.upper().encode())]
    decisions = decided(source, STRICT)

    for element, other in pairs(source.elements, output.elements, decisions):
        value = source.value(element)
        tells = not value.isascii() or b"\x1b" in value or any(form in value for form in planted)
        if element.items is None and decisions[element].method in LEFT_ALONE and not tells and element.tag not in OURS:
            assert other is not None
            assert other.items is None
            assert output.value(other) in (even(value), even(value, b"\0"))


@thorough
@given(file=files())
def test_the_output_has_the_elements_that_the_plan_leaves_and_our_marks(file: Generated, staging: Path) -> None:
    source = read.parse(file.data)
    output = read.parse(published(file, staging).data)
    decisions = decided(source, STRICT)
    found = [pair for pair in pairs(source.elements, output.elements, decisions) if pair[0].tag not in OURS]

    removed = [element for element, _ in found if decisions[element].method is Method.REMOVE]
    assert removed == [element for element, other in found if other is None]
    left = {element.tag for element in source.elements} - {
        element.tag for element in source.elements if element in removed
    }
    assert {element.tag for element in output.elements} == left | OURS


@thorough
@given(file=files())
def test_pydicom_reads_the_same_elements_of_input_and_output(file: Generated, staging: Path) -> None:
    ended = published(file, staging)
    for data in (file.data, ended.data):
        instance = read.parse(data)
        theirs = pydicom.dcmread(BytesIO(data), force=True)
        big_endian = instance.repaired == "big endian"

        assert differences(instance, instance.elements, theirs, big_endian=big_endian) == []


@thorough
@given(file=files())
def test_every_output_is_in_order_of_even_lengths_and_without_a_head_of_its_source(
    file: Generated, staging: Path
) -> None:
    data = published(file, staging).data
    output = read.parse(data)
    tags = [element.tag for element in output.elements]

    assert sorted(set(tags)) == tags
    assert [element.tag for element in output.walk() if (element.stop - element.start) % 2] == []
    assert bytes(128) + b"DICM" == data[:132]
    assert output.trailing == 0
    assert not output.repaired
    assert output.value(output.meta[3]) == output.value(next(e for e in output.elements if e.tag == 0x00080018))


@settings(thorough, max_examples=40)
@given(file=files())
def test_cleaning_finds_nothing_more_in_what_it_has_cleaned(file: Generated, staging: Path) -> None:
    once = read.parse(published(file, staging).data)
    twice = read.parse(process(worker(staging, STRICT), bytes(once.buffer)).data)
    decisions = decided(once, STRICT)

    for element, other in pairs(once.elements, twice.elements, decisions):
        if decisions[element].method in LEFT_ALONE - {Method.CODE} and element.tag not in OURS:
            assert other is not None
            # a day in a text moves whenever the text is cleaned, as it has to
            assert DAY.sub(b"", once.value(element)) == DAY.sub(b"", twice.value(other))
