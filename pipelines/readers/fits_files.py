"""FITS files, plain or compressed by gzip, opened without reading their data."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tenfold.pipelines.readers.gzipped import open_content
from tenfold.pipelines.readers.volume import UnusableFileError

MAGIC = b"SIMPLE  ="


@dataclass(frozen=True, kw_only=True)
class FitsFile:
    """An open FITS file."""

    content: BinaryIO
    """Its bytes, unpacked."""
    hdus: Any
    """Its HDUs (`astropy.io.fits.HDUList`), loaded when they are first needed; stored values are not scaled."""


@contextlib.contextmanager
def open_fits(path: Path, largest_gib: float) -> Iterator[FitsFile]:
    """Open a FITS file. Exceptions of astropy in the body of the `with` statement count as damage of the file.

    Parameters
    ----------
    path
        File.
    largest_gib
        Largest size of the unpacked file, if it is compressed by gzip [GiB].

    Raises
    ------
    UnusableFileError
        It is not a FITS file, is damaged or truncated, or unpacks to more than `largest_gib`.
    """
    from astropy.io import fits

    try:
        with contextlib.ExitStack() as stack:
            content = stack.enter_context(open_content(path, largest_gib))
            if content.read(len(MAGIC)) != MAGIC:  # astropy would decompress a file of any size
                raise UnusableFileError(path, "", "not a FITS file, plain or compressed by gzip once")
            content.seek(0)
            with warnings.catch_warnings():  # astropy warns about properties that are checked here
                warnings.simplefilter("ignore")
                hdus = stack.enter_context(
                    fits.open(content, mode="readonly", memmap=True, lazy_load_hdus=True, do_not_scale_image_data=True)
                )
            yield FitsFile(content=content, hdus=hdus)
    except UnusableFileError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, Warning, fits.VerifyError) as error:
        detail = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnusableFileError(path, "", f"not a complete FITS file, truncated or damaged ({detail})") from error
