"""CosmoFlow's HDF5 files: complete boxes (`full`) and boxes divided into sub-volumes (`x`, `y`).

Format of https://portal.nersc.gov/project/m3363 (arXiv:1808.04728), also used for tenfold's own simulated boxes.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from tenfold.pipelines.readers.consistency import merge_parameters, reconcile, values_agree
from tenfold.pipelines.readers.parameters import PARAMETERS, canonical_name, canonical_parameters
from tenfold.pipelines.readers.safe_hdf5 import as_text, get_dataset, mask_values, open_hdf5, read_names, read_numbers
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array

_SPLIT_NAMES = ("Omega_m", "sigma_8", "N_spec", "H_0")
_USUAL = {"omega_m": (0.05, 0.7), "sigma_8": (0.3, 1.6), "n_s": (0.6, 1.4), "h": (0.3, 1.2), "omega_b": (0.01, 0.15)}
"""Ranges of simulated cosmologies, which distinguish physical values from unit parameters in [-1, 1]."""


def read_boxes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the box of a raw CosmoFlow file: counts or densities (N, N, N, C) in `full`.

    Parameters
    ----------
    path
        HDF5 file.
    stated
        Metadata of the file. Parameters of a table and the side of the box supply values that are missing; they must
        not contradict the file.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, does not follow the format, or contradicts the stated metadata.
    """
    with open_hdf5(path) as file:
        full = get_dataset(file, "full", path)
        shape = full.shape if full.ndim == 4 else (*full.shape, 1)
        check_array(shape, full.dtype, stated.largest_gib, path, "full")
        named, values = read_names(file, "namePar", path), read_numbers(file, "physPar", path)
        if len(named) != len(values):
            raise UnusableFileError(path, "physPar", f"{len(values)} values for {len(named)} names in namePar")
        redshifts = reconcile("redshifts", _redshifts(file, path), stated.redshifts, path, "redshifts") or ()
        if redshifts and len(redshifts) != shape[3]:
            raise UnusableFileError(path, "redshifts", f"{len(redshifts)} redshifts for {shape[3]} channels of full")
        particles = file.attrs.get("particles")
        units = reconcile("units", as_text(file.attrs.get("units", "")), stated.units, path, "units")
        units = units or ("counts" if full.dtype.kind in "iu" else "density")
        box = float(file.attrs["box_mpc_h"]) if "box_mpc_h" in file.attrs else None
        parameters = canonical_parameters(named, values.tolist(), path, "namePar/physPar")
        yield Volume(
            simulation=_simulation(file, path, stated),
            source=path,
            key="full",
            shape=shape,
            dtype=full.dtype.newbyteorder("="),
            parameters=merge_parameters(parameters, stated, path, "namePar/physPar"),
            varied=tuple(as_text(name) for name in np.atleast_1d(np.asarray(file.attrs["varied"])))
            if "varied" in file.attrs
            else (),
            redshifts=redshifts,
            box_mpc_h=reconcile("box_mpc_h", box, stated.box_mpc_h, path, "box_mpc_h"),
            periodic=reconcile("periodic", True, stated.periodic, path, "full"),
            units=units,
            mask_values=mask_values(full, path),
            expected_total=float(particles) ** 3
            if particles is not None and units in ("counts", "particles")
            else None,
            read=lambda start, stop: _native(full[start:stop]).reshape(stop - start, *shape[1:]),
        )


def read_subvolumes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the sub-volumes of one box: `x` (n, N, N, N, C) with parameters `y` (n, P).

    The names of the parameters are in `namePar`, and Ωm, σ8, N_spec, H_0 without it. A file is one simulation, so that
    its sub-volumes stay in the same split. `y` contains physical values, or unit parameters in [-1, 1]. Values within
    the ranges of simulated cosmologies count as physical.

    Parameters
    ----------
    path
        HDF5 file.
    stated
        Metadata of the file.

    Raises
    ------
    UnusableFileError
        As for `read_boxes`; also if `y` differs between sub-volumes, has no names, or contains unit parameters without
        known ranges.
    """
    with open_hdf5(path) as file:
        x, y = get_dataset(file, "x", path), read_numbers(file, "y", path, ndim=2)
        if x.ndim != 5 or len(x) != len(y):
            reason = f"x {x.shape} and y {y.shape} are not (n, N, N, N, C) and (n, P)"
            raise UnusableFileError(path, "x", reason)
        check_array(x.shape[1:], x.dtype, stated.largest_gib, path, "x")
        if not np.array_equal(y, np.broadcast_to(y[:1], y.shape)):
            raise UnusableFileError(path, "y", "parameters differ between sub-volumes: one file is one simulation")
        if not len(x):
            raise UnusableFileError(path, "x", f"shape {x.shape} is empty")
        named = read_names(file, "namePar", path) if "namePar" in file else _SPLIT_NAMES
        if y.shape[1] == len(named):
            parameters = merge_parameters(_physical(named, y[0].tolist(), stated, path), stated, path, "y")
        elif "namePar" in file or not stated.parameters:
            said = f"namePar has {len(named)}" if "namePar" in file else "no namePar says of what"
            raise UnusableFileError(
                path, "y", f"{y.shape[1]} columns, and {said}: give a table, --set ingest.table=FILE"
            )
        else:
            parameters = stated.parameters
        redshifts = reconcile("redshifts", _redshifts(file, path), stated.redshifts, path, "redshifts") or ()
        if redshifts and len(redshifts) != x.shape[4]:
            raise UnusableFileError(path, "redshifts", f"{len(redshifts)} redshifts for {x.shape[4]} channels of x")
        for n in range(len(x)):
            yield Volume(
                simulation=_simulation(file, path, stated),
                source=path,
                key=f"x[{n}]",
                shape=x.shape[1:],
                dtype=x.dtype.newbyteorder("="),
                parameters=parameters,
                varied=(),
                redshifts=redshifts,
                box_mpc_h=stated.box_mpc_h,
                periodic=reconcile("periodic", False, stated.periodic, path, "x"),
                units=stated.units or ("counts" if x.dtype.kind in "iu" else "density"),
                mask_values=mask_values(x, path),
                read=lambda start, stop, n=n: _native(x[n, start:stop]),
            )


def _redshifts(file: h5py.File, path: Path) -> tuple[float, ...]:
    return tuple(map(float, read_numbers(file, "redshifts", path))) if "redshifts" in file else ()


def _simulation(file: h5py.File, path: Path, stated: StatedMetadata) -> str:
    """Return the name of the simulation: the attribute, or else the file name, which copying may change."""
    return stated.simulation or as_text(file.attrs.get("universe_tag", "")) or path.name.split(".")[0]


def _physical(named: Sequence[str], row: Sequence[float], stated: StatedMetadata, path: Path) -> dict[str, float]:
    """Return the physical parameters of a row of `y`; empty if they are unit parameters that only a table resolves."""
    unit = all(-1 <= value <= 1 for value in row)
    own = [str(canonical_name(name)) for name in named]
    listed = ", ".join(f"{name} = {value:g}" for name, value in zip(named, row, strict=True))
    readings = []
    if not unit or _usual(named, row):
        readings.append(canonical_parameters(named, row, path, "y", stated.densities))
    if unit and set(own) <= set(stated.unit_ranges):
        middle = {name: sum(stated.unit_ranges[name]) / 2 for name in own}
        half = {name: stated.unit_ranges[name][1] - middle[name] for name in own}
        values = [middle[name] + half[name] * value for name, value in zip(own, row, strict=True)]
        readings.append(canonical_parameters(own, values, path, "y", "fractions"))
    agreeing = [
        each for each in readings if all(values_agree(each[k], v) for k, v in stated.parameters.items() if k in each)
    ]
    if stated.parameters:
        return (agreeing or readings or [{}])[0]
    if not readings:
        reason = f"holds {listed}: unit parameters, in [-1, 1]: give unit_ranges of {', '.join(own)}, or a table"
        raise UnusableFileError(path, "y", reason)
    if len(readings) > 1:
        reason = (
            f"holds {listed}, which may be physical values, and unit parameters as ingest.unit_ranges says: give the "
            "physical values in a table, --set ingest.table=FILE"
        )
        raise UnusableFileError(path, "y", reason)
    return readings[0]


def _usual(named: Sequence[str], row: Sequence[float]) -> bool:
    """Whether values are within the ranges of simulated cosmologies."""
    for name, value in zip(named, row, strict=True):
        own = canonical_name(name) or ""
        low, high = _USUAL.get(own, PARAMETERS[own][1:] if own in PARAMETERS else (-math.inf, math.inf))
        if not low <= (value / 100 if name in ("H_0", "H0") else value) <= high:
            return False
    return True


def _native(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
