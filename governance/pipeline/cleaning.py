"""How a text of one subject is cleaned, wherever it stands: what is found in it, and what is written instead.

Tags, content trees, documents and rows of tables all ask here, so that `free_text` of a policy means the same in each.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import NamedTuple, Self

from governance.datatypes import Confidential, Identifiers, Instead, NameModel, Span
from governance.detect import identifiers, installed, tagger, text
from governance.pseudonymise import Pseudonymiser, Subject, Texts
from governance.scrub.text import joined
from governance.scrub.text import replace as replace_text

_ACROSS = text.ALL - {"UNKNOWN_WORD"}


class Written(NamedTuple):
    """A cleaned text, how many places of it were replaced, and by what: marks alone, or surrogates too."""

    text: str
    replaced: int
    instead: Instead


@dataclass(slots=True, repr=False)
class Cleaning(Confidential):
    """The texts of one subject under one policy. found: what is its own.

    asked: whether the installed model was; ran: whether our own network did.
    """

    found: Identifiers
    texts: Texts
    model: NameModel | None = None
    asked: bool = False
    ran: bool = False
    drew: bool = False
    """Whether a surrogate was put anywhere, and stayed there."""
    written: dict[str, Instead] = field(default_factory=dict)
    """What was written for each text, the last time."""

    @classmethod
    def of(
        cls,
        subject: Subject,
        found: Identifiers,
        *,
        by: Pseudonymiser,
        codes: Collection[str],
        instead: Instead,
        model: NameModel | None,
    ) -> Self:
        """codes, instead, model: of the policy."""
        taken = None if instead is Instead.MARKS else partial(text.holds_own, identifiers=found)
        return cls(found, by.texts(subject, codes=codes, known=found.dates, taken=taken), model)

    def with_marks(self) -> Self:
        """The same, which writes no surrogates."""
        return replace(self, texts=self.texts.with_marks(), asked=False, ran=False, drew=False, written={})

    def forget(self) -> None:
        """Begin to say what was done from here."""
        self.asked = self.ran = False
        self.written.clear()

    @property
    def wrote_surrogates(self) -> bool:
        """Whether one is in what was written for any text since then."""
        return Instead.SURROGATES in self.written.values()

    @property
    def instead(self) -> Instead:
        """What is written, where it can be."""
        return Instead.MARKS if self.texts.surrogates is None else Instead.SURROGATES

    def said(self) -> Mapping[str, str]:
        """What a receipt says of texts that were cleaned: surrogates only where one was put, models that were asked."""
        instead = Instead.SURROGATES if self.drew else Instead.MARKS
        return said(instead, network=self.ran, model=self.model if self.asked else None)

    # -------------------------------------------------------------------- what is found

    def find(self, value: str) -> tuple[Span, ...]:
        """All that may identify, also by the installed model."""
        besides = None if self.model is None else installed.load(self.model).find
        looks = besides is not None and bool(value.strip()) and text.is_looked_into(value)
        self.asked, self.ran = self.asked or looks, self.ran or text.asks_network(value)
        return text.find(value, self.found, besides=besides)

    def find_in_code(self, value: str) -> tuple[Span, ...]:
        """The same in what is no sentence, and not shown to that model."""
        self.ran = self.ran or text.asks_network(value)
        return text.find(value, self.found)

    def find_across(self, value: str) -> tuple[Span, ...]:
        """What is found in texts that do not belong together, without asking what a single word may be."""
        return text.find(value, self.found, kinds=_ACROSS)

    def find_own(self, value: str) -> tuple[Span, ...]:
        """What is this study's own."""
        return text.find_own(value, self.found)

    # -------------------------------------------------------------------- what is written

    def replacing(self, value: str) -> Callable[[Span], str | None]:
        """What to write for a span of a text; None: its mark."""
        drawn = self.texts.in_plain_sight(value)

        def noted(span: Span) -> str | None:
            instead = drawn(span)
            self.drew = self.drew or (instead is not None and span.kind != "DATE")
            return instead

        return noted

    def clean(self, value: str, limit: int | None = None) -> Written:
        """A text with surrogates, or with none at all: where they make it too long, or like one of the study's own.

        limit: the most characters that it may have.
        """
        made = self._cleaned(value, limit)
        self.written[value] = made.instead
        return made

    def _cleaned(self, value: str, limit: int | None) -> Written:
        spans = self.find(value)
        if spans and self.instead is Instead.SURROGATES:
            before, self.drew = self.drew, False
            made = replace_text(value, joined(value, spans, kind="PLACE"), instead=self.replacing(value))
            drew, self.drew = self.drew, before
            if (limit is None or len(made) <= limit) and not self.identifies([made]):
                self.drew = before or drew
                return Written(made, len(spans), Instead.SURROGATES if drew else Instead.MARKS)
        made = replace_text(value, spans, limit=limit, instead=self.texts.instead(value))
        return Written(made, len(spans), Instead.MARKS)

    def identifies(self, written: Sequence[str]) -> bool:
        """Whether texts with surrogates hold something of the study, in bytes or as people write it.

        Of UIDs, which differ from file to file, none is drawn.
        """
        sought, allowed = replace(self.found, uids=frozenset()), frozenset(self.texts.shifted)
        return any(
            identifiers.search(each.encode("utf-8", "surrogatepass"), sought, codecs=("utf-8",), allowed=allowed)
            or any(span.kind != "DATE" for span in text.own(each, self.found))
            for each in written
        )


def said(instead: Instead, *, network: bool, model: NameModel | None) -> Mapping[str, str]:
    """What a receipt says of texts. network: whether our own looked for names; model: what looked besides it."""
    ours = {"names_sha256": _network()} if network else {}
    return {"in_texts": instead.value, **ours, **({} if model is None else installed.load(model).said)}


@cache
def _network() -> str:
    return tagger.digest()
