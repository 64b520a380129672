"""Bytes as text of key files."""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any


def encoded(data: bytes) -> str:
    """Base64, RFC 4648 section 4."""
    return b64encode(data).decode()


def decoded(text: object) -> bytes:
    """What was encoded.

    Raises:
        ValueError, TypeError: it is no such text.
    """
    if not isinstance(text, str):
        raise TypeError("not a text")
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        pass
    raise ValueError("not base64")


def canonical(head: Mapping[str, Any]) -> bytes:
    """The same bytes for the same head, whatever wrote it. Pinned: every wrapped secret is bound to them."""
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
