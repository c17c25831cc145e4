"""One dataset of an HDF5 file, selected by the user, with parameters from its attributes or a table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile
from tenfold.pipelines.readers.parameters import PARAMETERS, canonical_name, canonical_parameters
from tenfold.pipelines.readers.safe_hdf5 import find_units, get_dataset, list_datasets, mask_values, open_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, file_stem


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the volume (N, N, N) or (N, N, N, C) of the dataset ``stated.key``, which is required.

    Attributes of the dataset take precedence over those of the file: parameters under any of their names, `box_mpc_h`,
    `redshifts`, `units`, `periodic`. The stated metadata supplies values that are missing and must not contradict the
    file.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, lacks the dataset, or contradicts the stated metadata; or the parameters are
        missing.
    """
    with open_hdf5(path) as file:
        if not stated.key:
            available = ", ".join(list(list_datasets(file))[:12]) or "nothing"
            raise UnusableFileError(
                path, "", f"no dataset selected. Set key to one of: {available} (--set ingest.key=…)"
            )
        array = get_dataset(file, stated.key, path)
        shape = array.shape if array.ndim == 4 else (*array.shape, 1)
        check_array(shape, array.dtype, stated.largest_gib, path, stated.key)
        attributes = {**file.attrs, **array.attrs}
        parameters = read_parameters(attributes, stated, path, stated.key)
        redshifts_in_file = np.atleast_1d(np.asarray(attributes.get("redshifts", attributes.get("redshift", ()))))
        redshifts_in_file = tuple(read_scalar(z, "redshifts", path) for z in redshifts_in_file)
        redshifts = reconcile("redshifts", redshifts_in_file, stated.redshifts, path, stated.key) or ()
        if redshifts and len(redshifts) != shape[3]:
            raise UnusableFileError(path, stated.key, f"{len(redshifts)} redshifts for {shape[3]} channels")
        box = read_scalar(attributes["box_mpc_h"], "box_mpc_h", path) if "box_mpc_h" in attributes else None
        native = array.dtype.newbyteorder("=")
        yield Volume(
            simulation=stated.simulation or file_stem(path),
            source=path,
            key=stated.key,
            shape=shape,
            dtype=native,
            parameters=parameters,
            varied=(),
            redshifts=redshifts,
            box_mpc_h=reconcile("box_mpc_h", box, stated.box_mpc_h, path, stated.key),
            periodic=reconcile("periodic", read_periodic(attributes, path), stated.periodic, path, stated.key),
            units=reconcile("units", find_units(array.attrs, file.attrs) or "", stated.units, path, stated.key) or "",
            mask_values=mask_values(array, path),
            read=lambda start, stop: array[start:stop].astype(native, copy=False).reshape(stop - start, *shape[1:]),
        )


def read_parameters(attributes: Mapping[str, object], stated: StatedMetadata, path: Path, key: str) -> dict[str, float]:
    """Return the cosmological parameters of a file by canonical name: from its attributes, completed by a table.

    Parameters
    ----------
    attributes
        Attributes; parameters may have any of their names.
    stated
        Metadata of the file.
    path, key
        File and key, for messages.

    Raises
    ------
    UnusableFileError
        There are no parameters, one is not a number or out of range, or the table contradicts the attributes.
    """
    values = {
        name: read_scalar(value, name, path)
        for name, value in attributes.items()
        if canonical_name(name) or name in stated.listed
    }
    # files of tenfold itself use canonical names, where omega_b is Ω_b
    densities = "fractions" if "emulator" in attributes else stated.densities
    in_file = canonical_parameters(values, values.values(), path, "attributes", densities, others=True)
    parameters = merge_parameters(in_file, stated, path, "attributes")
    if not parameters:
        known = ", ".join(PARAMETERS)
        reason = f"no cosmological parameters in attributes ({known}) or in a table (--set ingest.table=FILE)"
        raise UnusableFileError(path, key, reason)
    return parameters


def read_periodic(attributes: Mapping[str, object], path: Path) -> bool | None:
    """Return the value of the attribute `periodic`; None if there is none.

    Raises
    ------
    UnusableFileError
        The value is neither true nor false.
    """
    if "periodic" not in attributes:
        return None
    flag = np.asarray(attributes["periodic"])
    if flag.size != 1 or flag.dtype.kind not in "biu" or flag.item() not in (0, 1):
        raise UnusableFileError(path, "periodic", f"contains {flag.dtype} {flag.shape}; expected true or false")
    return bool(flag.item())


def read_scalar(value: object, name: str, path: Path) -> float:
    """Return a number that is stored as a scalar or as an array of one element.

    Raises
    ------
    UnusableFileError
        The value is not a single number.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.size != 1:
        raise UnusableFileError(path, name, f"contains {array.dtype} {array.shape}; expected a single number")
    return float(array.reshape(-1)[0])
