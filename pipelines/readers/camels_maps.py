"""Maps of the CAMELS Multifield Dataset: one NPY file of a field, 15 maps of each simulation, and a parameter file.

Layout of https://camels-multifield-dataset.readthedocs.io (arXiv:2109.10915). Any NPY file of maps (M, N, N) or
(M, N, N, C) is read so, with as many maps to a row of parameters as the file has more maps than the table rows.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.npy import mapped
from tenfold.pipelines.readers.volume import Stated, UnusableFileError, Volume, canonical, check_array

COLUMNS = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")


def read_parameters(path: Path) -> list[dict[str, float]]:
    """Parameters of each simulation, a row each: columns Ωm σ8 A_SN1 A_AGN1 A_SN2 A_AGN2, or the first few of them.

    Raises
    ------
    InputError
        The file cannot be read, is no table of numbers, or has more columns.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a table of parameters ({error})") from error
    if not len(table) or not 1 <= table.shape[1] <= len(COLUMNS):
        raise InputError(f"{path}: shape {table.shape}, expected a row per simulation with {', '.join(COLUMNS)}")
    names = COLUMNS[: table.shape[1]]
    try:
        return [canonical(names, row.tolist(), path, f"row {n + 1}") for n, row in enumerate(table)]
    except UnusableFileError as error:
        raise InputError(str(error)) from error


def maps_of(path: Path) -> int:
    """Number of maps of a file.

    Raises
    ------
    UnusableFileError
        It is no whole NPY file.
    """
    shape, *_ = mapped(path)
    return shape[0] if len(shape) > 2 else 1


def volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The map (N, N) of a file, or of many (M, N, N), (M, N, N, C) those of ``stated.part``; mapped, not loaded.

    Raises
    ------
    UnusableFileError
        The header is damaged, promises what no set of maps is or more than the file holds, or the parameters are not
        stated.
    """
    shape, dtype, start, fortran = mapped(path)
    if len(shape) not in (2, 3, 4):
        raise UnusableFileError(path, "", f"shape {shape} is not of maps, (N, N), (M, N, N) or (M, N, N, C)")
    if len(shape) == 2:
        shape = (1, *shape)
    one = (*shape[1:3], shape[3] if len(shape) == 4 else 1)
    check_array(one, dtype, stated.largest_gib, path, "", 2)
    if not stated.parameters:
        raise UnusableFileError(
            path,
            "",
            "no cosmological parameters: name the maps' parameter file, --set ingest.camels_parameters=FILE, "
            "or a table with a row per file, --set ingest.table=FILE",
        )
    if stated.redshifts and len(stated.redshifts) != one[2]:
        raise UnusableFileError(path, "", f"{len(stated.redshifts)} redshifts stated for {one[2]} channels")
    array = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    native = dtype.newbyteorder("=")
    first, last = stated.part or (0, shape[0])
    for n in range(first, last):

        def read(begin: int, end: int, n: int = n) -> np.ndarray:
            return np.array(array[n, begin:end], dtype=native, order="C").reshape(end - begin, *one[1:])

        yield Volume(
            simulation=stated.simulation or path.name.split(".")[0],
            source=path,
            key=f"map {n}",
            shape=one,
            dtype=native,
            parameters=stated.parameters,
            varied=(),
            redshifts=stated.redshifts,
            box_mpc_h=stated.box_mpc_h,
            periodic=stated.side_deg is None,
            units=stated.units,
            side_deg=stated.side_deg,
            read=read,
        )
