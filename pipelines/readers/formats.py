"""Formats of files, detected from their content; file extensions are ignored."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers import (
    camels_maps,
    cosmoflow,
    fits_maps,
    gadget,
    gadget_binary,
    hdf5,
    hdf5_maps,
    ktng,
    npy,
    packed_maps,
    swift,
)
from tenfold.pipelines.readers.map_size import complete_size
from tenfold.pipelines.readers.read_errors import translate_iterator_errors
from tenfold.pipelines.readers.safe_hdf5 import has_link, is_hdf5, open_hdf5
from tenfold.pipelines.readers.unsupported import describe_unsupported, explain_unsupported_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume

VolumeFormat = Literal["auto", "cosmoflow", "cosmoflow-split", "hdf5", "npy", "gadget", "gadget-binary", "swift"]
MapFormat = Literal["auto", "fits", "camels", "ktng", "hdf5", "packed"]

Reader = Callable[[Path, StatedMetadata], Iterator[Volume]]
"""Reader of a format: yields the volumes or maps of a file, given the metadata that the user states."""

_VOLUME_READERS: dict[str, Reader] = {
    "cosmoflow": cosmoflow.read_boxes,
    "cosmoflow-split": cosmoflow.read_subvolumes,
    "hdf5": hdf5.read_volumes,
    "npy": npy.read_volumes,
    "gadget": gadget.read_volumes,
    "gadget-binary": gadget_binary.read_volumes,
    "swift": swift.read_volumes,
}
_MAP_READERS: dict[str, Reader] = {
    "fits": fits_maps.read_volumes,
    "camels": camels_maps.read_volumes,
    "ktng": ktng.read_volumes,
    "hdf5": hdf5_maps.read_volumes,
    "packed": packed_maps.read_volumes,
}
_READ_PARTS = ("camels", "fits", "hdf5", "packed")
"""Readers that go to the records of one simulation at once."""


def detect_volume_format(path: Path) -> VolumeFormat:
    """Return the format of a file of volumes, detected from its content.

    Raises
    ------
    UnusableFileError
        The file is empty, cannot be read, or has an unsupported format.
    """
    head = _head(path, gadget_binary.HEAD)
    if head.startswith(npy.MAGIC):
        return "npy"
    if gadget_binary.is_gadget_binary(head):
        return "gadget-binary"
    if not is_hdf5(path):
        raise UnusableFileError(path, "", describe_unsupported(path))
    if has_link(path, "full"):
        return "cosmoflow"
    with open_hdf5(path) as opened:
        if "Header" in opened and any(name.startswith("PartType") for name in opened):
            return "swift" if "Units" in opened and "Cosmology" in opened else "gadget"
        if reason := explain_unsupported_hdf5(opened):
            raise UnusableFileError(path, "", reason)
        return "cosmoflow-split" if "x" in opened and "y" in opened else "hdf5"


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the volumes or maps of a file. Each can be read until the next one is requested.

    Parameters
    ----------
    path
        File.
    stated
        Metadata of the file.

    Raises
    ------
    UnusableFileError
        The file cannot be used; the message gives the key and the reason.
    InputError
        The stated format does not exist.
    """
    yield from translate_iterator_errors(_read_volumes(path, stated), path)


def count_volumes(path: Path, stated: StatedMetadata) -> int:
    """Return the number of volumes or maps in a file, from its header.

    Raises
    ------
    UnusableFileError
        The file cannot be used.
    """
    return sum(1 for _ in read_volumes(path, stated))


def _read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    readers = _MAP_READERS if stated.dimensions == 2 else _VOLUME_READERS
    file_format: str = stated.format
    if file_format == "auto":
        if stated.dimensions == 2:
            file_format = detect_map_format(path)
            if file_format == "camels" and packed_maps.is_packed(path, stated):
                file_format = "packed"
        else:
            file_format = "hdf5" if stated.key else detect_volume_format(path)
    if file_format not in readers:
        raise InputError(f"format: found {file_format!r}, valid are {', '.join(('auto', *readers))}")
    volumes = readers[file_format](path, stated)
    volumes = volumes if file_format in _READ_PARTS else itertools.islice(volumes, *(stated.part or (None,)))
    for volume in volumes:
        yield complete_size(volume, stated) if stated.dimensions == 2 else volume


def detect_map_format(path: Path) -> MapFormat:
    """Return the format of a file of maps, detected from its content.

    Raises
    ------
    UnusableFileError
        The file is empty, cannot be read, or has an unsupported format.
    """
    head = _head(path, len(fits_maps.MAGIC))
    formats: tuple[tuple[bytes, MapFormat], ...] = ((fits_maps.MAGIC, "fits"), (npy.MAGIC, "camels"))
    for magic, format_ in formats:
        if head.startswith(magic):
            return format_
    if is_hdf5(path):
        with open_hdf5(path) as opened:
            if reason := explain_unsupported_hdf5(opened):
                raise UnusableFileError(path, "", reason)
            return "ktng" if ktng.list_maps(opened) else "hdf5"
    raise UnusableFileError(path, "", describe_unsupported(path, 2))


def _head(path: Path, length: int) -> bytes:
    """Return the first bytes of a file."""
    if path.is_symlink() and not path.exists():
        reason = "a link to a missing file: fetch the file (with git-annex: `git annex get`)"
        raise UnusableFileError(path, "", reason)
    try:
        with path.open("rb") as file:
            head = file.read(length)
    except OSError as error:
        raise UnusableFileError(path, "", f"cannot be read ({error.strerror})") from error
    if not head:
        raise UnusableFileError(path, "", "empty file")
    return head
