"""Escaping of control characters in text from files and paths, so that it cannot control the terminal."""

import unicodedata

_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Bidirectional marks, and separators that terminals treat as line ends."""


def visible(text: str) -> str:
    r"""Return text with control characters and bidirectional marks escaped, such as ``\x1b``; line ends stay.

    Example
    -------
    >>> visible("a\x1b[31mred\x07")
    'a\\x1b[31mred\\x07'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if _controls(character) else character for character in text)


def _controls(character: str) -> bool:
    return character in _BIDIRECTIONAL or (character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs"))


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
