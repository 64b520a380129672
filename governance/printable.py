"""Text on one line, of a terminal or a picture: what somebody typed makes no line of its own and moves no cursor."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Controls, what turns the direction of text, what is no character, and line and paragraph ends: XML has not all."""


def shown(text: str) -> str:
    """`text` on one line: with a control character in it, it could pass for another line."""
    hidden = {character for character in text if unicodedata.category(character) in _HIDDEN}
    return text.translate({ord(character): character.encode("unicode_escape").decode() for character in hidden})
