"""Maps of the CAMELS Multifield Dataset (CMD): one NPY file per field, 15 maps per simulation, and a parameter file.

Format of https://camels-multifield-dataset.readthedocs.io (arXiv:2109.10915). The metadata of the maps are in the file
name. Any other NPY file of maps (M, N, N) or (M, N, N, C) is read as one simulation, with a row in a table.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.cmd_names import BOX_MPC_H, CMDName, parse_file_name, parse_table_name
from tenfold.pipelines.readers.consistency import reconcile
from tenfold.pipelines.readers.npy import inspect_array
from tenfold.pipelines.readers.parameters import canonical_name
from tenfold.pipelines.readers.tables import parameters_by_row, read_text_table
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array

DEFAULT_COLUMNS = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")
"""Columns of a parameter file without column names."""
_COSMOLOGY = ("omega_m", "sigma_8")


def read_parameters(path: Path, name: CMDName) -> list[dict[str, float]]:
    """Return the parameters of each simulation, from the rows of the parameter file for a suite and set.

    Columns are identified by the names in the header. Without names they are the six documented for the dataset: Ωm σ8
    A_SN1 A_AGN1 A_SN2 A_AGN2. For N-body simulations only Ωm and σ8 are kept, because the other parameters do not
    apply.

    Parameters
    ----------
    path
        ``params_SET_SUITE.txt``, or ``CosmoAstroSeed_SUITE_L25n256_SET.txt`` of CAMELS.
    name
        Metadata in the name of the file of maps.

    Raises
    ------
    InputError
        The name of the parameter file gives another suite or set, or none; or the file cannot be read, is not a table
        of numbers, or has neither column names nor six columns.
    """
    suite_and_set = parse_table_name(path)
    if suite_and_set is None:
        expected = f"params_{name.set}_{name.suite}.txt"
        raise InputError(f"{path}: the name does not give suite and set; expected a name such as {expected}")
    if suite_and_set != (name.suite, name.set):
        raise InputError(
            f"{path}: parameters of {suite_and_set[0]}, set {suite_and_set[1]}, but the {name.kind.lower()} are of "
            f"{name.suite}, set {name.set}: give their own parameter file as ingest.camels_parameters"
        )
    table = read_text_table(path)
    names = table.names or DEFAULT_COLUMNS
    if len(table.cells[0]) != len(names):
        raise InputError(
            f"{path}: {len(table.cells[0])} columns without names, but the dataset documents {len(names)}: "
            f"{', '.join(DEFAULT_COLUMNS)}. Name them in a first line that begins with #"
        )
    skipped = [column for column in names if column.lower() in ("name", "seed")]
    if name.suite.startswith("Nbody"):
        skipped += [column for column in names if canonical_name(column) not in _COSMOLOGY]
    if table.names and table.names[0].lower() == "name":
        for n, (position, cells) in enumerate(zip(table.positions, table.cells, strict=True)):
            if name.set in ("LH", "CV", "EX") and cells[0] != f"{name.set}_{n}":
                raise InputError(f"{path}, {position}: is of {cells[0]}, but row {n} must be of {name.set}_{n}")
    return parameters_by_row(table, names, skipped)


def metadata_by_simulation(path: Path, name: CMDName, parameters: Path, stated: StatedMetadata) -> list[StatedMetadata]:
    """Return the stated metadata of each simulation in a file of maps or grids.

    Parameters
    ----------
    path
        File of maps or grids.
    name
        Metadata in its name.
    parameters
        Parameter file of its suite and set.
    stated
        Metadata that the user states; they must not contradict the name.

    Raises
    ------
    InputError
        The number of maps is not 15 per row of parameters, that of grids not 1; or the stated metadata contradict the
        name.
    """
    rows = read_parameters(parameters, name)
    records, each, kind = count_records(path), name.per_simulation, name.kind.lower()
    if records != each * len(rows):
        per_simulation = f" are {records / each:g} simulations of {each} {kind}" if each > 1 else ""
        raise InputError(
            f"{path}: {records} {kind}{per_simulation}, but {parameters} has {len(rows)} rows of parameters"
        )
    stated = add_name_metadata(path, name, stated)
    return [
        replace(
            stated, simulation=f"{name.set}_{name.suite}_{n}", parameters=row, part=(n * each, (n + 1) * each)
        )
        for n, row in enumerate(rows)
    ]  # fmt: skip


def check_no_table_row(path: Path, stated: StatedMetadata) -> None:
    """Check that the table has no row for a file, since a row cannot label maps or grids of many simulations.

    Raises
    ------
    InputError
        The table has a row for the file.
    """
    if (stated.parameters or stated.simulation) and stated.part is None:
        name = parse_file_name(path)
        kind = name.kind.lower() if name else "maps"
        raise InputError(
            f"{path}: contains {kind} of many simulations, whose parameters are in ingest.camels_parameters: remove "
            "its row from ingest.table"
        )


def add_name_metadata(path: Path, name: CMDName, stated: StatedMetadata) -> StatedMetadata:
    """Return the stated metadata of a CMD file, completed by the metadata in its name.

    Raises
    ------
    UnusableFileError
        They contradict each other.
    """
    if stated.side_deg is not None:
        reason = f"ingest.side_deg is {stated.side_deg:g}, but maps of CMD have a length, {BOX_MPC_H:g} Mpc/h"
        raise UnusableFileError(path, "", reason)
    return replace(
        stated,
        units=reconcile("units", name.units, stated.units, path, "") or "",
        box_mpc_h=reconcile("box_mpc_h", BOX_MPC_H, stated.box_mpc_h, path, ""),
        periodic=reconcile("periodic", True, stated.periodic, path, ""),
        redshifts=reconcile("redshifts", (name.redshift,), stated.redshifts, path, "") or (),
    )


def check_same_data_set(paths: list[Path]) -> None:
    """Check that CMD files have the same field, suite, set and redshift, and grids the same size.

    Raises
    ------
    InputError
        Two files differ.
    """
    named = [(path, name) for path in paths if (name := parse_file_name(path)) is not None]
    for path, name in named[1:]:
        if name != named[0][1]:
            raise InputError(
                f"{named[0][0]} and {path} differ in field, suite, set or redshift: they are not one data set. "
                "Ingest them separately, into folders of their own"
            )


def count_records(path: Path) -> int:
    """Return the number of maps or grids in a file.

    Raises
    ------
    UnusableFileError
        The file is not a complete NPY file.
    """
    shape, *_ = inspect_array(path)
    return shape[0] if len(shape) > 2 else 1


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the map (N, N) of a file, or the maps ``stated.part`` of (M, N, N) or (M, N, N, C), memory-mapped.

    Raises
    ------
    UnusableFileError
        The header is damaged, the shape is not that of maps or disagrees with the size of the file, or the parameters
        are not stated.
    """
    shape, dtype, start, fortran = inspect_array(path)
    name = parse_file_name(path)
    if name is not None and name.kind == "Grids":
        reason = "grids of the CAMELS Multifield Dataset: ingest them with `tenfold ingest volumes`"
        raise UnusableFileError(path, "", reason)
    if len(shape) not in (2, 3, 4):
        raise UnusableFileError(path, "", f"shape {shape} is not that of maps, (Y, X), (M, Y, X) or (M, Y, X, C)")
    if len(shape) == 2:
        shape = (1, *shape)
    map_shape = (*shape[1:3], shape[3] if len(shape) == 4 else 1)
    check_array(map_shape, dtype, stated.largest_gib, path, "", 2)
    if not stated.parameters:
        remedy = "give the file a row in a table, --set ingest.table=FILE"
        if name is not None:
            remedy = "give the parameter file of the maps, --set ingest.camels_parameters=FILE"
        raise UnusableFileError(path, "", f"no cosmological parameters: {remedy}")
    if stated.redshifts and len(stated.redshifts) != map_shape[2]:
        raise UnusableFileError(path, "", f"{len(stated.redshifts)} redshifts stated for {map_shape[2]} channels")
    array = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")
    native = dtype.newbyteorder("=")
    for n in stated.records(shape[0]):

        def read(begin: int, end: int, n: int = n) -> np.ndarray:
            return np.array(array[n, begin:end], dtype=native, order="C").reshape(end - begin, *map_shape[1:])

        yield Volume.from_stated(stated, path, f"map {n}", shape=map_shape, dtype=native, read=read)
