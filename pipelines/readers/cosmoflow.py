"""CosmoFlow's HDF5 files: whole boxes (`full`) and boxes already split into sub-volumes (`x`, `y`).

Layout of https://portal.nersc.gov/project/m3363 (arXiv:1808.04728). Our own simulated boxes have it too.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.safe_hdf5 import dataset, masked_values, names, numbers, open_hdf5, text
from tenfold.pipelines.readers.volume import Stated, UnusableFileError, Volume, canonical, canonical_name, check_array

_SPLIT_NAMES = ("omega_m", "sigma_8", "n_s", "H_0")


def raw_volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The box of a raw CosmoFlow file: counts or densities (N, N, N, C) under `full`.

    Parameters
    ----------
    stated
        A table's parameters and a stated box side stand in for what the file lacks.

    Raises
    ------
    UnusableFileError
        The file is not safe, not whole, or not what the layout says.
    """
    with open_hdf5(path) as file:
        full = dataset(file, "full", path)
        shape = full.shape if full.ndim == 4 else (*full.shape, 1)
        check_array(shape, full.dtype, stated.largest_gib, path, "full")
        named, values = names(file, "namePar", path), numbers(file, "physPar", path)
        if len(named) != len(values):
            raise UnusableFileError(path, "physPar", f"{len(values)} values for {len(named)} names in namePar")
        redshifts = numbers(file, "redshifts", path).tolist() if "redshifts" in file else stated.redshifts
        if redshifts and len(redshifts) != shape[3]:
            raise UnusableFileError(path, "redshifts", f"{len(redshifts)} redshifts for {shape[3]} channels of full")
        particles = file.attrs.get("particles")
        units = stated.units or text(file.attrs.get("units", "counts" if full.dtype.kind in "iu" else "density"))
        box = file.attrs.get("box_mpc_h", stated.box_mpc_h)
        yield Volume(
            simulation=_simulation(file, path, stated),
            source=path,
            key="full",
            shape=shape,
            dtype=full.dtype.newbyteorder("="),
            parameters=stated.parameters or canonical(named, values.tolist(), path, "namePar/physPar"),
            varied=tuple(text(name) for name in np.atleast_1d(np.asarray(file.attrs["varied"])))
            if "varied" in file.attrs
            else (),
            redshifts=tuple(redshifts),
            box_mpc_h=None if box is None else float(box),
            periodic=True,
            units=units,
            masked=masked_values(full, path),
            total=float(particles) ** 3 if particles is not None and units in ("counts", "particles") else None,
            read=lambda start, stop: _native(full[start:stop]).reshape(stop - start, *shape[1:]),
        )


def split_volumes(path: Path, stated: Stated) -> Iterator[Volume]:
    """The sub-volumes of one box: `x` (n, N, N, N, C) and `y` (n, P) in the order Ωm, σ8, N_spec, H_0.

    One file is one simulation, so that its sub-volumes stay in one split.

    Raises
    ------
    UnusableFileError
        As for `raw_volumes`; `y` differs between sub-volumes; or `y` holds unit parameters and nothing says of what.
    """
    with open_hdf5(path) as file:
        x, y = dataset(file, "x", path), numbers(file, "y", path, ndim=2)
        if x.ndim != 5 or len(x) != len(y):
            reason = f"x {x.shape} and y {y.shape} are not (n, N, N, N, C) and (n, P)"
            raise UnusableFileError(path, "x", reason)
        check_array(x.shape[1:], x.dtype, stated.largest_gib, path, "x")
        if not np.array_equal(y, np.broadcast_to(y[:1], y.shape)):
            raise UnusableFileError(path, "y", "parameters differ between sub-volumes: one file is one simulation")
        if not len(x):
            raise UnusableFileError(path, "x", f"shape {x.shape} is empty")
        named = names(file, "namePar", path) if "namePar" in file else _SPLIT_NAMES
        if y.shape[1] != len(named):
            raise UnusableFileError(path, "y", f"{y.shape[1]} columns where {len(named)} are known: {', '.join(named)}")
        parameters = stated.parameters or _physical(dict(zip(named, y[0].tolist(), strict=True)), stated, path)
        for n in range(len(x)):
            yield Volume(
                simulation=_simulation(file, path, stated),
                source=path,
                key=f"x[{n}]",
                shape=x.shape[1:],
                dtype=x.dtype.newbyteorder("="),
                parameters=parameters,
                varied=(),
                redshifts=stated.redshifts,
                box_mpc_h=stated.box_mpc_h,
                periodic=False,
                units=stated.units or ("counts" if x.dtype.kind in "iu" else "density"),
                masked=masked_values(x, path),
                read=lambda start, stop, n=n: _native(x[n, start:stop]),
            )


def _simulation(file: h5py.File, path: Path, stated: Stated) -> str:
    """The file's own name of its universe goes before the file's name, which a copy may change."""
    return stated.simulation or text(file.attrs.get("universe_tag", "")) or path.name.split(".")[0]


def _physical(row: dict[str, float], stated: Stated, path: Path) -> dict[str, float]:
    if all(-1 <= value <= 1 for value in row.values()):
        own = {str(canonical_name(name)): value for name, value in row.items()}
        if not set(own) <= set(stated.unit_ranges):
            reason = f"holds unit parameters in [-1, 1]: give unit_ranges of {', '.join(map(str, own))}, or a table"
            raise UnusableFileError(path, "y", reason)
        row = {}
        for name, unit in own.items():
            low, high = stated.unit_ranges[name]
            row[name] = (low + high) / 2 + unit * (high - low) / 2
    return canonical(row, row.values(), path, "y")


def _native(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
