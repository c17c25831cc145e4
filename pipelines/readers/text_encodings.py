"""Encodings of text files: from a byte-order mark or stated by the user, never guessed."""

import codecs

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAX_BOM_BYTES = 4
"""Length of the longest byte-order mark [bytes]."""


def detect_encoding(head: bytes, stated: str) -> str:
    """Return the encoding of a file: that of its byte-order mark, else the stated one, else UTF-8.

    Parameters
    ----------
    head
        The first bytes of the file, `MAX_BOM_BYTES` or more.
    stated
        Encoding stated by the user; empty: none.
    """
    return next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), stated or "utf-8")


def has_ascii_line_ends(encoding: str) -> bool:
    """Whether an encoding has the line ends of ASCII, so that text can be divided into lines before decoding."""
    return "a\r\n".encode(encoding) == b"a\r\n"


def check_encoding(encoding: str) -> None:
    """Check that Python supports an encoding; empty means none is stated.

    Raises
    ------
    ValueError
        The encoding is unknown, or not a text encoding.
    """
    try:
        "a".encode(encoding or "utf-8")
    except (LookupError, UnicodeError) as error:
        raise ValueError(
            f"encoding: found {encoding!r}, examples of valid ones are utf-8, latin-1, cp1252, utf-16"
        ) from error
