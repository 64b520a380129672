"""What cleaning would replace in a text, shown to a person. Writes nothing."""

import bisect
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from governance import ingest, policy, read
from governance.datatypes import Identifiers, Instead, Source, Span
from governance.detect import identifiers, text
from governance.errors import Misconfigured
from governance.keys import Keyring
from governance.pipeline.cleaning import Cleaning
from governance.pipeline.values import Entry, plural, shown
from governance.pseudonymise import Pseudonymiser, Subject

EXAMPLES = "surrogates and moved dates are examples; a run draws others, from the key of its project"

_LARGEST = 4 * text.LONGEST_TEXT
"""Bytes; UTF-8 has four a character at most."""


def try_text(path: Path, *, of: Path | None = None, policy_name: str = "research") -> Iterator[Entry]:
    """The text as it is cleaned, then each place that something stands for: line, column, kind and what is there.

    path: of a text in UTF-8; `-` is standard input. of: a DICOM file, whose identifiers are this study's own.
    policy_name: says what stands instead, and what looks for names. Surrogates and the dates beside them are
    examples, drawn from a key that nobody keeps. With marks, dates get some too; a run moves them, where the policy
    has it so.

    Raises:
        Misconfigured: there is no such file or policy, it is no text or too long for a person, or a model is missing.
        Unreadable: `of` is no DICOM file.
    """
    rules = policy.load(policy_name)
    content = _content(path)
    cleaning = _cleaning(rules, _own(of))
    found, made = cleaning.find(content), cleaning.clean(content)
    yield Entry({"text": made.text, **cleaning.said(), "in_texts": made.instead.value}, made.text)
    lines = [0, *(place + 1 for place, letter in enumerate(content) if letter == "\n")]
    for span in found:
        yield _entry(content, span, lines)
    counts = Counter(span.kind for span in found)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield Entry(None, f"{plural(len(found), 'place')}{': ' if told else ''}{told}")
    if found and made.instead is Instead.SURROGATES:
        yield Entry(None, EXAMPLES)


def _cleaning(rules: policy.Rules, found: Identifiers) -> Cleaning:
    """As a run has it, with keys that are forgotten."""
    by, free = Pseudonymiser(Keyring.generate().project("example")), rules.free_text
    codes = () if free.instead is Instead.MARKS else rules.codes
    nobody = Subject("", "", "", "", "")
    return Cleaning.of(nobody, found, by=by, codes=codes, instead=free.instead, model=free.name_model)


def _entry(content: str, span: Span, lines: list[int]) -> Entry:
    line = bisect.bisect_right(lines, span.start)
    column = span.start - lines[line - 1] + 1
    value = content[span.start : span.stop]
    record = {"line": line, "column": column, "start": span.start, "stop": span.stop, "kind": span.kind, "value": value}
    return Entry(record, f"{line}:{column}  {span.kind:<12}  {shown(value)}")


def _content(path: Path) -> str:
    if str(path) == "-":
        data = sys.stdin.buffer.read(_LARGEST + 1)
    elif os.path.isfile(path):
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    else:
        raise Misconfigured("there is no such file", hint="check its path; - is standard input")
    content = data.decode("utf-8-sig", "replace")
    if len(content) > text.LONGEST_TEXT:
        hint = "a run takes such a text for no description and masks it whole; show a part of it"
        raise Misconfigured(f"the text is longer than {text.LONGEST_TEXT:,} characters", hint=hint)
    if "\ufffd" in content:
        raise Misconfigured("the text is not in UTF-8", hint="convert it, for example with iconv -f LATIN1 -t UTF-8")
    return content


def _own(path: Path | None) -> Identifiers:
    if path is None:
        return Identifiers()
    if not os.path.isfile(path):
        raise Misconfigured("there is no such DICOM file", hint="check the path behind --of")
    (source, *_) = ingest.sources([path])
    if not isinstance(source, Source):
        raise Misconfigured("--of takes one DICOM file", hint="name an image of the study that the text is about")
    return identifiers.collect(read.dicom(source))
