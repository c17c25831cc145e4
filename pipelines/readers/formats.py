"""Formats of files, detected from their content; file extensions are ignored."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers import (
    camels_grids,
    camels_maps,
    cosmoflow,
    cosmoflow_records,
    fits_maps,
    gadget,
    gadget_binary,
    hdf5,
    hdf5_maps,
    healpix_maps,
    ktng,
    npy,
    nyx,
    packed_maps,
    quijote,
    swift,
)
from tenfold.pipelines.readers.fits_files import MAGIC as FITS_MAGIC
from tenfold.pipelines.readers.gzipped import content_head
from tenfold.pipelines.readers.healpix_tables import is_healpix
from tenfold.pipelines.readers.map_size import complete_size
from tenfold.pipelines.readers.read_errors import translate_iterator_errors
from tenfold.pipelines.readers.safe_hdf5 import has_link, is_hdf5, open_hdf5
from tenfold.pipelines.readers.tfrecord import is_tfrecord
from tenfold.pipelines.readers.unsupported import describe_unsupported, explain_unsupported_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume

VolumeFormat = Literal[
    "auto", "cosmoflow", "cosmoflow-split", "tfrecord", "hdf5", "npy", "camels", "quijote", "nyx", "gadget",
    "gadget-binary", "swift",
]  # fmt: skip
MapFormat = Literal["auto", "fits", "healpix", "camels", "ktng", "hdf5", "packed"]

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
    "tfrecord": cosmoflow_records.read_volumes,
    "camels": camels_grids.read_volumes,
    "quijote": quijote.read_volumes,
    "nyx": nyx.read_volumes,
}
_MAP_READERS: dict[str, Reader] = {
    "fits": fits_maps.read_volumes,
    "healpix": healpix_maps.read_volumes,
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
        return "camels" if camels_grids.is_grids(path) else "quijote" if quijote.is_quijote(path) else "npy"
    if gadget_binary.is_gadget_binary(head):
        return "gadget-binary"
    if not is_hdf5(path):
        if is_tfrecord(path):
            return "tfrecord"
        raise UnusableFileError(path, "", describe_unsupported(path))
    if has_link(path, "full"):
        return "cosmoflow"
    with open_hdf5(path) as opened:
        if "Header" in opened and any(name.startswith("PartType") for name in opened):
            return "swift" if "Units" in opened and "Cosmology" in opened else "gadget"
        if nyx.is_nyx(opened):
            return "nyx"
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
    file_format = detect_format(path, stated)
    if file_format not in readers:
        raise InputError(f"format: found {file_format!r}, valid are {', '.join(('auto', *readers))}")
    if stated.patch_deg is not None and file_format != "healpix":
        raise UnusableFileError(path, "", "not a HEALPix map, and only those are cut into patches (ingest.patch_deg)")
    volumes = readers[file_format](path, stated)
    volumes = volumes if file_format in _READ_PARTS else itertools.islice(volumes, *(stated.part or (None,)))
    for volume in volumes:
        volume = complete_size(volume, stated) if stated.dimensions == 2 else volume
        yield replace(volume, box_mpc_h=None) if stated.box_varies else volume


def detect_format(path: Path, stated: StatedMetadata) -> str:
    """Return the stated format of a file or, if none is stated, that of its content.

    Raises
    ------
    UnusableFileError
        The file is empty, cannot be read, or has an unsupported format.
    """
    if stated.format != "auto":
        return stated.format
    if stated.dimensions == 2:
        file_format = detect_map_format(path, stated.largest_gib)
        return "packed" if file_format == "camels" and packed_maps.is_packed(path, stated) else file_format
    return _format_with_key(path) if stated.key else detect_volume_format(path)


def _format_with_key(path: Path) -> VolumeFormat:
    """Return the format of a file whose dataset the user selects: Nyx, or any HDF5."""
    if not is_hdf5(path):
        return "hdf5"
    with open_hdf5(path) as opened:
        return "nyx" if nyx.is_nyx(opened) else "hdf5"


def detect_map_format(path: Path, largest_gib: float = 16.0) -> MapFormat:
    """Return the format of a file of maps, detected from its content.

    Parameters
    ----------
    path
        File.
    largest_gib
        Largest size to which a FITS file that is compressed by gzip may unpack [GiB].

    Raises
    ------
    UnusableFileError
        The file is empty, cannot be read, or has an unsupported format.
    """
    head = _head(path, len(npy.MAGIC))
    if head.startswith(npy.MAGIC):
        return "camels"
    if content_head(path, len(FITS_MAGIC)) == FITS_MAGIC:
        return "healpix" if is_healpix(path, largest_gib) else "fits"
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
