"""Which format a file has, told by what is in it; the name's ending is not believed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tenfold.pipelines.readers import cosmoflow, hdf5, npy
from tenfold.pipelines.readers.safe_hdf5 import SIGNATURE, open_hdf5
from tenfold.pipelines.readers.volume import Stated, UnusableFileError, Volume

Format = Literal["auto", "cosmoflow", "cosmoflow-split", "hdf5", "npy"]


def format_of(path: Path) -> Format:
    """The format of a file, by its content.

    Raises
    ------
    UnusableFileError
        The file is empty, cannot be read, or is none of those known.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(SIGNATURE))
    except OSError as error:
        raise UnusableFileError(path, "", f"cannot be read ({error.strerror})") from error
    if not head:
        raise UnusableFileError(path, "", "empty file")
    if head.startswith(npy.MAGIC):
        return "npy"
    if head != SIGNATURE:
        raise UnusableFileError(path, "", f"neither HDF5 nor NPY: begins with {head!r}")
    with open_hdf5(path) as opened:
        if "full" in opened:
            return "cosmoflow"
        return "cosmoflow-split" if "x" in opened and "y" in opened else "hdf5"


def volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The volumes of a file, one after the other; each can be read until the next is asked for.

    Raises
    ------
    UnusableFileError
        The file cannot be used: the message says in which key and why.
    """
    told = stated.format if stated.format != "auto" else "hdf5" if stated.key else format_of(path)
    match told:
        case "cosmoflow":
            yield from cosmoflow.raw_volumes(path, stated)
        case "cosmoflow-split":
            yield from cosmoflow.split_volumes(path, stated)
        case "hdf5":
            yield from hdf5.volumes(path, stated)
        case "npy":
            yield from npy.volumes(path, stated)
        case _:
            raise ValueError(f"format: found {told!r}, valid are auto, cosmoflow, cosmoflow-split, hdf5, npy")
