"""Maps in plain HDF5: a dataset of one or more maps with metadata in attributes, as written by `tenfold emulate`."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.consistency import reconcile
from tenfold.pipelines.readers.field_names import field_name
from tenfold.pipelines.readers.hdf5 import read_parameters, read_periodic, read_scalar
from tenfold.pipelines.readers.safe_hdf5 import as_text, find_units, get_dataset, list_datasets, mask_values, open_hdf5
from tenfold.pipelines.readers.volume import (
    StatedMetadata,
    UnusableFileError,
    Volume,
    check_array,
    cosmology_id,
)


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the maps (N, N), (M, N, N) or (M, N, N, C) of the dataset ``stated.key``, or of the only dataset of maps.

    Attributes of the dataset take precedence over those of the file: parameters under any of their names, `angle_deg`
    or `box_mpc_h`, `periodic`, `redshifts`, `units`, `multipoles`, `simulation`, `varied`. The stated metadata supplies
    values that are missing and must not contradict the file. If no unit is given, the name of the dataset (``kappa``,
    ``gamma1``) determines it.

    Parameters
    ----------
    path
        HDF5 file.
    stated
        Metadata of the file.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, lacks the dataset, has several candidates, or contradicts the stated metadata;
        or the parameters, the unit or the side of the maps are missing.
    """
    with open_hdf5(path) as file:
        key = stated.key or _only(file, path)
        array = get_dataset(file, key, path)
        if not 2 <= array.ndim <= 4:
            raise UnusableFileError(path, key, f"shape {array.shape} is not of maps, (N, N), (M, N, N) or (M, N, N, C)")
        sides = array.shape[-2:] if array.ndim < 4 else array.shape[1:3]
        shape = (*sides, array.shape[3] if array.ndim == 4 else 1)
        check_array(shape, array.dtype, stated.largest_gib, path, key, 2)
        about = {**file.attrs, **array.attrs}
        parameters = read_parameters(about, stated, path, key)
        own = {
            name: read_scalar(about[name], name, path) if name in about else None for name in ("angle_deg", "box_mpc_h")
        }
        sizes = {
            "angle_deg": reconcile("angle_deg", own["angle_deg"], stated.side_deg, path, key, "ingest.side_deg"),
            "box_mpc_h": reconcile("box_mpc_h", own["box_mpc_h"], stated.box_mpc_h, path, key),
        }
        if own["angle_deg"] is not None and stated.box_mpc_h is not None and own["box_mpc_h"] is None:
            raise UnusableFileError(path, "angle_deg", "the side is an angle, and ingest.box_mpc_h states a length")
        if sizes["angle_deg"] is None and sizes["box_mpc_h"] is None:
            raise UnusableFileError(
                path, key, "neither an attribute angle_deg nor box_mpc_h gives the side of the map: "
                "--set ingest.side_deg=… or ingest.box_mpc_h=…",
            )  # fmt: skip
        redshifts, multipoles = (
            tuple(read_scalar(each, name, path) for each in np.atleast_1d(np.asarray(about.get(name, ()))))
            for name in ("redshifts", "multipoles")
        )
        redshifts = reconcile("redshifts", redshifts, stated.redshifts, path, key) or ()
        if redshifts and len(redshifts) != shape[2]:
            raise UnusableFileError(path, "redshifts", f"{len(redshifts)} for maps of {shape[2]} channels")
        if len(multipoles) not in (0, 2):
            raise UnusableFileError(
                path, "multipoles", f"holds {len(multipoles)} numbers, must be the least and largest"
            )
        said = find_units(array.attrs, file.attrs)
        units = reconcile("units", said or "", stated.units, path, key) or ("" if said is not None else field_name(key))
        if not units and said is None:
            raise UnusableFileError(
                path, key, "neither an attribute units nor its name says what its values are: --set ingest.units=…, "
                "such as kappa for the convergence",
            )  # fmt: skip
        masked = mask_values(array, path)
        native = array.dtype.newbyteorder("=")
        for n in range(1 if array.ndim == 2 else len(array)):

            def read(start: int, stop: int, n: int = n) -> np.ndarray:
                part = np.asarray(array[start:stop] if array.ndim == 2 else array[n, start:stop])
                return np.ascontiguousarray(part, dtype=native).reshape(stop - start, *shape[1:])

            yield Volume(
                simulation=stated.simulation or as_text(about.get("simulation", "")) or cosmology_id(parameters),
                source=path,
                key=f"{key} {n}",
                shape=shape,
                dtype=native,
                parameters=parameters,
                varied=tuple(as_text(about.get("varied", "")).split()),
                redshifts=redshifts,
                box_mpc_h=None if sizes["angle_deg"] is not None else sizes["box_mpc_h"],
                periodic=reconcile("periodic", read_periodic(about, path), stated.periodic, path, key),
                units=units,
                mask_values=masked,
                side_deg=sizes["angle_deg"],
                multipoles=(multipoles[0], multipoles[1]) if multipoles else None,
                read=read,
            )


def _only(file: h5py.File, path: Path) -> str:
    """Return the name of the only dataset whose shape is that of maps."""
    every = list_datasets(file)
    held = [name for name, shape in every.items() if _are_maps(shape)]
    if len(held) == 1:
        return held[0]
    which = f"which dataset is meant? Set key to one of: {', '.join(held or sorted(every)[:12]) or 'nothing'}"
    shapes = ", ".join(f"{name} {every[name]}" for name in held[:12])
    raise UnusableFileError(path, "", f"{which} (--set ingest.key=…){f': {shapes}' if shapes else ''}")


def _are_maps(shape: tuple[int, ...]) -> bool:
    sides = shape[1:3] if len(shape) == 4 else shape[-2:]
    return 2 <= len(shape) <= 4 and len(set(sides)) == 1 and sides[0] > 1
