"""What is looked for in texts, as recognisers of presidio-analyzer, for whoever works with that.

A run does not take this way: an analyzer adds some 40 microseconds to each text, remembered ones too, and finds the
same. Importing this module imports Presidio, which takes seconds.
"""

from collections.abc import Callable, Iterable, Sequence

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from governance.datatypes import Identifiers, Span
from governance.detect import names, text

POSSIBLE = 0.5
"""The score of what is only possibly a name; of all else it is 1."""


class SpanRecognizer(EntityRecognizer):  # type: ignore[misc]
    """A recogniser of what a function finds, under the kinds of this project: NAME, PLACE, ID, ..."""

    def __init__(
        self, find: Callable[[str], Iterable[Span]], *, name: str, entities: Sequence[str], language: str
    ) -> None:
        self._find = find
        super().__init__(supported_entities=sorted(entities), name=name, supported_language=language)

    def load(self) -> None:
        """Nothing: what is needed is loaded with the first text."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: object = None) -> list[RecognizerResult]:
        """What is found of the `entities` that are asked for."""
        return [
            RecognizerResult(kind, start, stop, POSSIBLE if kind == "UNKNOWN_WORD" else 1.0)
            for start, stop, kind in self._find(text)
            if kind in entities
        ]


def of_names(*, language: str = "en") -> SpanRecognizer:
    """Our network for names of people and places; it takes texts of any language as of this one."""
    entities = ("NAME", "PLACE", "UNKNOWN_WORD")
    return SpanRecognizer(names.find, name="governance names", entities=entities, language=language)


def of_study(identifiers: Identifiers, *, language: str = "en") -> SpanRecognizer:
    """All that cleaning takes from the texts of a study, its own identifiers first."""
    return SpanRecognizer(
        lambda said: text.find(said, identifiers), name="governance text", entities=sorted(text.ALL), language=language
    )


def analyzer(*recognizers: SpanRecognizer) -> AnalyzerEngine:
    """An analyzer with these recognisers of one language and no others, without a model of Presidio's."""
    language = recognizers[0].supported_language
    engine = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "none"}])
    engine.load()
    registry = RecognizerRegistry(recognizers=list(recognizers), supported_languages=[language])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[language])
