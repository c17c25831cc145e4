"""Errors of readers: any exception raised while a file is read becomes an `UnusableFileError` of that file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.volume import UnusableFileError

Item = TypeVar("Item")


@contextlib.contextmanager
def translate_errors(path: Path, key: str = "") -> Iterator[None]:
    """Convert exceptions that libraries raise while reading a file to `UnusableFileError`.

    Raises
    ------
    UnusableFileError
        The body failed, for example on a damaged chunk, an unexpected header, or for lack of memory.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # libraries raise any exception on damaged files, and one file must not end the run
        if isinstance(error, OSError) and error.errno and error.strerror:
            raise UnusableFileError(path, key, f"cannot be read ({error.strerror})") from error
        detail = (str(error).strip("'\"").splitlines() or [""])[0][:200]
        reason = f"damaged or in an unexpected format: its values could not be read ({type(error).__name__}: {detail})"
        raise UnusableFileError(path, key, reason) from error


def translate_iterator_errors(items: Iterator[Item], path: Path, key: str = "") -> Iterator[Item]:
    """Yield the items of a reader, with its exceptions converted to `UnusableFileError`.

    Raises
    ------
    UnusableFileError
        The reader raised an exception.
    """
    end = object()
    while True:
        with translate_errors(path, key):
            item = next(items, end)
        if item is end:
            return
        yield item  # pyright: ignore[reportReturnType]
