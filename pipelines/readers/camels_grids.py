"""Grids of the CAMELS Multifield Dataset (CMD): one NPY file per field, a grid per simulation, and a parameter file.

Format of https://camels-multifield-dataset.readthedocs.io (arXiv:2109.10915), with the metadata in the file name as for
maps (`tenfold.pipelines.readers.camels_maps`). Other NPY files of grids (M, N, N, N) are read too.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.camels_maps import add_name_metadata
from tenfold.pipelines.readers.cmd_names import parse_file_name
from tenfold.pipelines.readers.npy import inspect_array, read_header, volume_of
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array


def is_grids(path: Path) -> bool:
    """Whether an NPY file contains grids (M, N, N, N), and not one volume (N, N, N) or (N, N, N, C).

    Its name decides if it is that of a CMD file, and otherwise the shape.

    Raises
    ------
    UnusableFileError
        The file is damaged; or the shape is (N, N, N, N), which may be N grids or N channels.
    """
    shape, *_ = read_header(path)
    name = parse_file_name(path)
    if name is not None or len(shape) != 4:
        return name is not None and name.kind == "Grids"
    if len(set(shape)) == 1:
        raise UnusableFileError(
            path, "", f"shape {shape} may be {shape[0]} grids, or one volume of {shape[0]} channels: --set "
            "ingest.format=camels for grids (M, N, N, N), or ingest.format=npy for channels (N, N, N, C)",
        )  # fmt: skip
    return len(set(shape[1:])) == 1


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the grids ``stated.part`` of a file (M, N, N, N), memory-mapped, so that a grid at a time is in memory.

    Raises
    ------
    UnusableFileError
        The header is damaged; the shape is not that of grids, or disagrees with the size or the name of the file; the
        stated metadata contradict the name; or the parameters are not stated.
    """
    shape, dtype, start, fortran = inspect_array(path)
    name = parse_file_name(path)
    if name is not None and name.kind == "Maps":
        reason = "maps of the CAMELS Multifield Dataset: ingest them with `tenfold ingest massmaps`"
        raise UnusableFileError(path, "", reason)
    if len(shape) != 4:
        raise UnusableFileError(path, "", f"shape {shape} is not that of grids, (M, N, N, N)")
    check_array((*shape[1:], 1), dtype, stated.largest_gib, path, "")
    if name is not None:
        stated = add_name_metadata(path, name, stated)
        if name.voxels not in (None, shape[1]):
            reason = f"shape {shape}, but the name states {name.voxels} voxels per side: complete, and under its name?"
            raise UnusableFileError(path, "", reason)
    if not stated.parameters:
        remedy = "give a table with a row per grid, --set ingest.table=FILE"
        if name is not None:
            remedy = "give the parameter file of the grids, --set ingest.camels_parameters=FILE"
        raise UnusableFileError(path, "", f"no cosmological parameters: {remedy}")
    array = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    for n in stated.records(shape[0]):
        yield volume_of(array[n, ..., np.newaxis], stated, path, f"grid {n}")
