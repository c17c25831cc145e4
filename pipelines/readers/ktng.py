"""Convergence maps of κTNG (arXiv:2010.09731): HDF5 with a group per source plane, such as ``z23/kappa``."""

import re
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile
from tenfold.pipelines.readers.field_names import field_name
from tenfold.pipelines.readers.safe_hdf5 import find_units, get_dataset, mask_values, open_hdf5
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, file_stem

SIDE_DEG = 5.0
TNG_PARAMETERS = {"omega_m": 0.3089, "sigma_8": 0.8159, "n_s": 0.9667, "h": 0.6774, "omega_b": 0.0486}
"""Cosmology of IllustrisTNG (Planck 2015), the same for all κTNG maps."""


def list_maps(file: h5py.File) -> list[str]:
    """Return the names of the maps in a file, one per source plane."""
    return sorted(f"{name}/kappa" for name in file if re.fullmatch(r"z\d+", name) and f"{name}/kappa" in file)


def read_volumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the map ``stated.key`` of a file, or its only dataset ``z…/kappa``.

    A file is recognised as κTNG by its name or by ``stated.format``; its cosmology and side are then known. Any other
    file with such groups needs a table and a side. Files of the same random arrangement of planes
    (``LP001_run001_maps.hdf5``: LP001) are assigned to the same simulation.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, has several candidates, or contradicts the stated metadata; or the cosmology
        or the side of the map is missing.
    """
    with open_hdf5(path) as file:
        map_names = list_maps(file)
        if not stated.key and len(map_names) != 1:
            reason = f"several maps. Set key to one of: {', '.join(map_names)} (--set ingest.key=…)"
            raise UnusableFileError(path, "", reason if map_names else "contains no map z…/kappa")
        key = stated.key or map_names[0]
        array = get_dataset(file, key, path)
        shape = array.shape if array.ndim == 3 else (*array.shape, 1)
        check_array(shape, array.dtype, stated.largest_gib, path, key, 2)
        native = array.dtype.newbyteorder("=")
        arrangement = re.match(r"(LP\d+)_run\d+", path.name)
        if stated.redshifts and len(stated.redshifts) != shape[2]:
            raise UnusableFileError(path, key, f"{len(stated.redshifts)} redshifts stated for {shape[2]} channels")

        def read(start: int, stop: int) -> np.ndarray:
            slab = np.asarray(array[start:stop])
            return np.ascontiguousarray(slab, dtype=native).reshape(stop - start, *shape[1:])

        is_ktng = arrangement is not None or stated.format == "ktng"
        parameters = merge_parameters(TNG_PARAMETERS if is_ktng else {}, stated, path, key)
        if not parameters:
            raise UnusableFileError(
                path, key, "the name is not that of a κTNG file, LP…_run…_maps.hdf5. If it is one, --set "
                "ingest.format=ktng; otherwise give its cosmology in a table, --set ingest.table=FILE",
            )  # fmt: skip
        side_deg = reconcile("side_deg", SIDE_DEG if is_ktng else None, stated.side_deg, path, key)
        if side_deg is None:
            raise UnusableFileError(path, key, "the side of the map is unknown: --set ingest.side_deg=…")

        yield Volume(
            simulation=stated.simulation or (arrangement[1] if arrangement else file_stem(path)),
            source=path,
            key=key,
            shape=shape,
            dtype=native,
            parameters=parameters,
            varied=(),
            redshifts=stated.redshifts,
            box_mpc_h=None,
            periodic=reconcile("periodic", False, stated.periodic, path, key),
            units=reconcile("units", find_units(array.attrs) or "", stated.units, path, key) or field_name(key),
            mask_values=mask_values(array, path),
            side_deg=side_deg,
            read=read,
        )
