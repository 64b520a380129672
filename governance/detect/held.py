"""Which of thousands of strings a text holds, in time that the text takes, not the strings times the text."""

from collections.abc import Iterable, Iterator

from governance.datatypes import Confidential

HEAD = 4
"""Letters by which strings are looked up."""


class Held(Confidential):
    """Strings, each for whom it stands."""

    def __init__(self, strings: Iterable[tuple[str, str]]) -> None:
        """strings: each with the identifier that it is a part of."""
        self._by_head: dict[str, set[tuple[str, str]]] = {}
        for string, of in strings:
            self._by_head.setdefault(string[:HEAD], set()).add((string, of))

    def in_text(self, text: str) -> Iterator[tuple[str, str]]:
        """What of them is anywhere in `text`, each once, with what it is a part of."""
        heads = {text[start : start + length] for length in range(1, HEAD + 1) for start in range(len(text))} | {""}
        for head in heads & self._by_head.keys():
            yield from (each for each in self._by_head[head] if each[0] in text)
