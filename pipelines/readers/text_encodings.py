"""Encodings of text files: told by a byte-order mark, or said by the user; never guessed."""

import codecs

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAX_BOM_BYTES = 4
"""Bytes of a byte-order mark, at most."""


def detect_encoding(head: bytes, stated: str) -> str:
    """The encoding that a file's byte-order mark says, or else the one stated, or else UTF-8.

    Parameters
    ----------
    head
        The first bytes of the file, `LONGEST_MARK` or more.
    stated
        By the user; empty: not.
    """
    return next((name for mark, name in _MARKS if head.startswith(mark)), stated or "utf-8")


def has_ascii_line_ends(encoding: str) -> bool:
    """Whether a text in an encoding has the line ends of ASCII, so that it can be cut into lines before decoding."""
    return "a\r\n".encode(encoding) == b"a\r\n"


def check_encoding(encoding: str) -> None:
    """Check that Python knows an encoding; empty stands for none.

    Raises
    ------
    ValueError
        It does not, or it is none of texts.
    """
    try:
        "a".encode(encoding or "utf-8")
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"encoding: found {encoding!r}, valid are such as utf-8, latin-1, cp1252, utf-16") from error
