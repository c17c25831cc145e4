"""Reading a stranger's file: whatever goes wrong inside a reader is a fault of its file, and says so."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.volume import UnusableFileError

Item = TypeVar("Item")


@contextlib.contextmanager
def translate_errors(path: Path, key: str = "") -> Iterator[None]:
    """Turn whatever a library raises while it reads a file into the reason why the file cannot be used.

    Raises
    ------
    UnusableFileError
        The body failed: a damaged chunk, a header nobody foresaw, or too little memory for this file.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # libraries raise what they like on damaged files, and one file must not end the run
        if isinstance(error, OSError) and error.errno and error.strerror:
            raise UnusableFileError(path, key, f"cannot be read ({error.strerror})") from error
        said = (str(error).strip("'\"").splitlines() or [""])[0][:200]
        reason = f"damaged, or not what it seems: its values could not be read ({type(error).__name__}: {said})"
        raise UnusableFileError(path, key, reason) from error


def translate_iterator_errors(items: Iterator[Item], path: Path, key: str = "") -> Iterator[Item]:
    """Give the items of a reader one by one; what the reader raises becomes the reason why the file cannot be used.

    Raises
    ------
    UnusableFileError
        The reader failed, whatever it raised.
    """
    ended = object()
    while True:
        with translate_errors(path, key):
            item = next(items, ended)
        if item is ended:
            return
        yield item  # pyright: ignore[reportReturnType]
