"""Which of thousands of strings a text holds, in time that the text takes, not the strings times the text."""

from collections.abc import Iterable, Iterator

from governance.datatypes import Confidential


class Held(Confidential):
    """Strings, each for whom it stands."""

    def __init__(self, strings: Iterable[tuple[str, str]]) -> None:
        """strings: each with the identifier that it is a part of."""
        self._by_string: dict[str, set[str]] = {}
        for string, of in strings:
            self._by_string.setdefault(string, set()).add(of)
        self._lengths = sorted({len(string) for string in self._by_string})

    def in_text(self, text: str) -> Iterator[tuple[str, str]]:
        """What of them is anywhere in `text`, each once, with what it is a part of."""
        for length in self._lengths:
            parts = {text[start : start + length] for start in range(len(text) - length + 1)}
            for string in parts & self._by_string.keys():
                yield from ((string, of) for of in self._by_string[string])
