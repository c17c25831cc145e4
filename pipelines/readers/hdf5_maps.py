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
    """Yield the maps (Y, X), (M, Y, X) or (M, Y, X, C) of the dataset ``stated.key``, or of the only dataset of maps.

    Attributes of the dataset take precedence over those of the file: parameters under any of their names, `angle_deg`,
    `pixel_arcmin` or `box_mpc_h`, `periodic`, `redshifts`, `units`, `multipoles`, `simulation`, `varied`. The
    stated metadata supplies values that are missing and must not contradict the file. If no unit is given, the name of
    the dataset (``kappa``, ``gamma1``) determines it.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, lacks the dataset, has several candidates, or contradicts the stated metadata;
        or the parameters, the unit or the side of the maps are missing.
    """
    with open_hdf5(path) as file:
        key = stated.key or _only_map_dataset(file, path)
        array = get_dataset(file, key, path)
        if not 2 <= array.ndim <= 4:
            raise UnusableFileError(
                path, key, f"shape {array.shape} is not that of maps, (Y, X), (M, Y, X) or (M, Y, X, C)"
            )
        sides = array.shape[-2:] if array.ndim < 4 else array.shape[1:3]
        shape = (*sides, array.shape[3] if array.ndim == 4 else 1)
        check_array(shape, array.dtype, stated.largest_gib, path, key, 2)
        attributes = {**file.attrs, **array.attrs}
        parameters = read_parameters(attributes, stated, path, key)
        sizes_in_file = {
            name: read_scalar(attributes[name], name, path) if name in attributes else None
            for name in ("angle_deg", "box_mpc_h", "pixel_arcmin")
        }
        sizes = {
            "angle_deg": reconcile(
                "angle_deg", sizes_in_file["angle_deg"], stated.side_deg, path, key, "ingest.side_deg"
            ),
            "box_mpc_h": reconcile("box_mpc_h", sizes_in_file["box_mpc_h"], stated.box_mpc_h, path, key),
        }
        if (
            sizes_in_file["angle_deg"] is not None
            and stated.box_mpc_h is not None
            and sizes_in_file["box_mpc_h"] is None
        ):
            raise UnusableFileError(path, "angle_deg", "the side is an angle, but ingest.box_mpc_h is a length")
        pixel = sizes_in_file["pixel_arcmin"]
        if sizes["angle_deg"] is None and sizes["box_mpc_h"] is None and pixel is None and stated.pixel_arcmin is None:
            raise UnusableFileError(
                path, key, "no attribute angle_deg, pixel_arcmin or box_mpc_h gives the size of the map: "
                "--set ingest.side_deg=…, ingest.pixel_arcmin=… or ingest.box_mpc_h=…",
            )  # fmt: skip
        redshifts, multipoles = (
            tuple(read_scalar(value, name, path) for value in np.atleast_1d(np.asarray(attributes.get(name, ()))))
            for name in ("redshifts", "multipoles")
        )
        redshifts = reconcile("redshifts", redshifts, stated.redshifts, path, key) or ()
        if redshifts and len(redshifts) != shape[2]:
            raise UnusableFileError(path, "redshifts", f"{len(redshifts)} redshifts for maps of {shape[2]} channels")
        if len(multipoles) not in (0, 2):
            raise UnusableFileError(
                path, "multipoles", f"contains {len(multipoles)} numbers; expected minimum and maximum"
            )
        stored_units = find_units(array.attrs, file.attrs)
        units = reconcile("units", stored_units or "", stated.units, path, key) or (
            "" if stored_units is not None else field_name(key)
        )
        if not units and stored_units is None:
            raise UnusableFileError(
                path, key, "neither an attribute units nor the name of the dataset determines the unit: "
                "--set ingest.units=…, for example kappa for the convergence",
            )  # fmt: skip
        masked = mask_values(array, path)
        native = array.dtype.newbyteorder("=")
        for n in stated.records(1 if array.ndim == 2 else len(array)):

            def read(start: int, stop: int, n: int = n) -> np.ndarray:
                slab = np.asarray(array[start:stop] if array.ndim == 2 else array[n, start:stop])
                return np.ascontiguousarray(slab, dtype=native).reshape(stop - start, *shape[1:])

            yield Volume(
                simulation=stated.simulation or as_text(attributes.get("simulation", "")) or cosmology_id(parameters),
                source=path,
                key=f"{key} {n}",
                shape=shape,
                dtype=native,
                parameters=parameters,
                varied=tuple(as_text(attributes.get("varied", "")).split()),
                redshifts=redshifts,
                box_mpc_h=None if sizes["angle_deg"] is not None else sizes["box_mpc_h"],
                periodic=reconcile("periodic", read_periodic(attributes, path), stated.periodic, path, key),
                units=units,
                mask_values=masked,
                side_deg=sizes["angle_deg"],
                pixel_arcmin=pixel,
                multipoles=(multipoles[0], multipoles[1]) if multipoles else None,
                read=read,
            )


def _only_map_dataset(file: h5py.File, path: Path) -> str:
    """Return the name of the only dataset whose shape is that of maps."""
    shapes = list_datasets(file)
    candidates = [name for name, shape in shapes.items() if _is_map_shape(shape)]
    if len(candidates) == 1:
        return candidates[0]
    reason = f"no dataset selected. Set key to one of: {', '.join(candidates or sorted(shapes)[:12]) or 'nothing'}"
    listed = ", ".join(f"{name} {shapes[name]}" for name in candidates[:12])
    raise UnusableFileError(path, "", f"{reason} (--set ingest.key=…){f': {listed}' if listed else ''}")


def _is_map_shape(shape: tuple[int, ...]) -> bool:
    sides = shape[1:3] if len(shape) == 4 else shape[-2:]
    return 2 <= len(shape) <= 4 and len(set(sides)) == 1 and sides[0] > 1
