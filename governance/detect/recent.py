"""What was lately worked out of pixels, so that it need not be worked out again."""

from collections.abc import Callable
from typing import Generic, TypeVar

from governance.datatypes import Confidential

_T = TypeVar("_T")


class Recent(Confidential, Generic[_T]):
    """Answers by the digest of what was asked, at most so many: the one that came first is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[bytes, _T] = {}

    def once(self, key: bytes, ask: Callable[[], _T]) -> _T:
        """What is known, or what `ask` says now; what it raises is not remembered."""
        if key not in self._known:
            said = ask()
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[key] = said
        return self._known[key]

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
