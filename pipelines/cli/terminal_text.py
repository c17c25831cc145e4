"""Text from other people's files and paths, made fit for a terminal: nothing in it steers what is shown."""

import unicodedata

_STEERING = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks that change the direction of writing, and separators that terminals take for ends of lines."""


def visible(text: str) -> str:
    r"""Return text with control characters and marks of direction written out, such as ``\x1b``; lines stay lines.

    Example
    -------
    >>> visible("a\x1b[31mred\x07")
    'a\\x1b[31mred\\x07'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_written_out(each) if _steers(each) else each for each in text)


def _steers(character: str) -> bool:
    return character in _STEERING or (character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs"))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
