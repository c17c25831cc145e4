"""One dataset of an HDF5 file, named by the user; parameters from its attributes or from a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.safe_hdf5 import dataset, datasets, masked_values, open_hdf5, text
from tenfold.pipelines.readers.volume import (
    PARAMETERS,
    Stated,
    UnusableFileError,
    Volume,
    canonical,
    canonical_name,
    check_array,
)


def volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The volume (N, N, N) or (N, N, N, C) under ``stated.key``.

    Attributes of the dataset go before those of the file: parameters by any of their names, `box_mpc_h`, `redshifts`,
    `units`. What the user states stands in for what is not there; a table of parameters goes first.

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
        redshifts = about.get("redshifts", about.get("redshift", stated.redshifts))
        redshifts = tuple(number(z, "redshifts", path) for z in np.atleast_1d(np.asarray(redshifts)))
        if redshifts and len(redshifts) != shape[3]:
            raise UnusableFileError(path, stated.key, f"{len(redshifts)} redshifts for {shape[3]} channels")
        box = about.get("box_mpc_h", stated.box_mpc_h)
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
            box_mpc_h=None if box is None else number(box, "box_mpc_h", path),
            periodic=True,
            units=stated.units or text(about.get("units", "")),
            masked=masked_values(array, path),
            read=lambda start, stop: array[start:stop].astype(native, copy=False).reshape(stop - start, *shape[1:]),
        )


def parameters_of(about: Mapping[str, object], stated: Stated, path: Path, key: str) -> dict[str, float]:
    """Parameters that are stated, or else those among attributes, by any of their names.

    Raises
    ------
    UnusableFileError
        There are none, or one is no number or no value of a cosmology.
    """
    named = {name: number(value, name, path) for name, value in about.items() if canonical_name(name)}
    parameters = stated.parameters or canonical(named, named.values(), path, "attributes")
    if not parameters:
        reason = f"no cosmological parameters: neither attributes ({', '.join(PARAMETERS)}) nor a table: ingest.table"
        raise UnusableFileError(path, key, reason)
    return parameters


def number(value: object, name: str, path: Path) -> float:
    """One number, also where it is kept as an array of one."""
    found = np.asarray(value)
    if found.dtype.kind not in "iuf" or found.size != 1:
        raise UnusableFileError(path, name, f"holds {found.dtype} {found.shape} where one number is meant")
    return float(found.reshape(-1)[0])
