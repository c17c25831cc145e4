"""One dataset of an HDF5 file, named by the user; parameters from its attributes or from a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.parameters import PARAMETERS, canonical, canonical_name
from tenfold.pipelines.readers.safe_hdf5 import dataset, datasets, masked_values, open_hdf5, units_of
from tenfold.pipelines.readers.statements import settled, with_table
from tenfold.pipelines.readers.volume import Stated, UnusableFileError, Volume, check_array


def volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The volume (N, N, N) or (N, N, N, C) under ``stated.key``.

    Attributes of the dataset go before those of the file: parameters by any of their names, `box_mpc_h`, `redshifts`,
    `units`, `periodic`. What the user states, or a table, stands in for what is not there; contradict it they may not.

    Raises
    ------
    UnusableFileError
        The file is not safe, not whole, has no such dataset, or nothing gives its parameters.
    """
    with open_hdf5(path) as file:
        if not stated.key:
            held = ", ".join(list(datasets(file))[:12]) or "nothing"
            raise UnusableFileError(path, "", f"which dataset is meant? Set key to one of: {held} (--set ingest.key=…)")
        array = dataset(file, stated.key, path)
        shape = array.shape if array.ndim == 4 else (*array.shape, 1)
        check_array(shape, array.dtype, stated.largest_gib, path, stated.key)
        about = {**file.attrs, **array.attrs}
        parameters = parameters_of(about, stated, path, stated.key)
        own = np.atleast_1d(np.asarray(about.get("redshifts", about.get("redshift", ()))))
        own = tuple(number(z, "redshifts", path) for z in own)
        redshifts = settled("redshifts", own, stated.redshifts, path, stated.key) or ()
        if redshifts and len(redshifts) != shape[3]:
            raise UnusableFileError(path, stated.key, f"{len(redshifts)} redshifts for {shape[3]} channels")
        box = number(about["box_mpc_h"], "box_mpc_h", path) if "box_mpc_h" in about else None
        native = array.dtype.newbyteorder("=")
        yield Volume(
            simulation=stated.simulation or path.name.split(".")[0],
            source=path,
            key=stated.key,
            shape=shape,
            dtype=native,
            parameters=parameters,
            varied=(),
            redshifts=redshifts,
            box_mpc_h=settled("box_mpc_h", box, stated.box_mpc_h, path, stated.key),
            periodic=settled("periodic", periodic_of(about, path), stated.periodic, path, stated.key),
            units=settled("units", units_of(array.attrs, file.attrs) or "", stated.units, path, stated.key) or "",
            masked=masked_values(array, path),
            read=lambda start, stop: array[start:stop].astype(native, copy=False).reshape(stop - start, *shape[1:]),
        )


def parameters_of(about: Mapping[str, object], stated: Stated, path: Path, key: str) -> dict[str, float]:
    """Parameters among attributes, by any of their names, and those that a table adds.

    Raises
    ------
    UnusableFileError
        There are none, one is no number or no value of a cosmology, or the table has another.
    """
    named = {name: number(value, name, path) for name, value in about.items() if canonical_name(name)}
    ours = "emulator" in about  # our own maps have our own names
    own = canonical(named, named.values(), path, "attributes", "fractions" if ours else stated.densities)
    parameters = with_table(own, stated, path, "attributes")
    if not parameters:
        reason = f"no cosmological parameters: neither attributes ({', '.join(PARAMETERS)}) nor a table: ingest.table"
        raise UnusableFileError(path, key, reason)
    return parameters


def periodic_of(about: Mapping[str, object], path: Path) -> bool | None:
    """Whether an attribute `periodic` says so; None where there is none.

    Raises
    ------
    UnusableFileError
        It is neither true nor false.
    """
    if "periodic" not in about:
        return None
    found = np.asarray(about["periodic"])
    if found.size != 1 or found.dtype.kind not in "biu" or found.item() not in (0, 1):
        raise UnusableFileError(path, "periodic", f"holds {found.dtype} {found.shape} where true or false is meant")
    return bool(found.item())


def number(value: object, name: str, path: Path) -> float:
    """One number, also where it is kept as an array of one."""
    found = np.asarray(value)
    if found.dtype.kind not in "iuf" or found.size != 1:
        raise UnusableFileError(path, name, f"holds {found.dtype} {found.shape} where one number is meant")
    return float(found.reshape(-1)[0])
