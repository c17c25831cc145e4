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
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError, Volume, check_array, file_stem

SPLIT_NAMES = ("Omega_m", "sigma_8", "N_spec", "H_0")
"""Parameters `y` of sub-volumes that do not name their own."""
_TYPICAL_RANGES = {
    "omega_m": (0.05, 0.7),
    "sigma_8": (0.3, 1.6),
    "n_s": (0.6, 1.4),
    "h": (0.3, 1.2),
    "omega_b": (0.01, 0.15),
}
"""Ranges of simulated cosmologies, which distinguish physical values from unit parameters in [-1, 1]."""


def read_boxes(path: Path, stated: StatedMetadata) -> Iterator[Volume]:
    """Yield the box of a raw CosmoFlow file: counts or densities (N, N, N, C) in `full`.

    The stated parameters and side of the box supply values that are missing; they must not contradict the file.

    Raises
    ------
    UnusableFileError
        The file is unsafe or incomplete, does not follow the format, or contradicts the stated metadata.
    """
    with open_hdf5(path) as file:
        full = get_dataset(file, "full", path)
        shape = full.shape if full.ndim == 4 else (*full.shape, 1)
        check_array(shape, full.dtype, stated.largest_gib, path, "full")
        names, values = read_names(file, "namePar", path), read_numbers(file, "physPar", path)
        if len(names) != len(values):
            raise UnusableFileError(path, "physPar", f"{len(values)} values for {len(names)} names in namePar")
        redshifts = reconcile("redshifts", _redshifts(file, path), stated.redshifts, path, "redshifts") or ()
        if redshifts and len(redshifts) != shape[3]:
            raise UnusableFileError(path, "redshifts", f"{len(redshifts)} redshifts for {shape[3]} channels of full")
        particles = file.attrs.get("particles")
        units = reconcile("units", as_text(file.attrs.get("units", "")), stated.units, path, "units")
        units = units or ("counts" if full.dtype.kind in "iu" else "density")
        box = float(file.attrs["box_mpc_h"]) if "box_mpc_h" in file.attrs else None
        parameters = canonical_parameters(names, values.tolist(), path, "namePar/physPar")
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
            raise UnusableFileError(
                path, "y", "parameters differ between sub-volumes: a file must contain one simulation"
            )
        if not len(x):
            raise UnusableFileError(path, "x", f"shape {x.shape} is empty")
        names = read_names(file, "namePar", path) if "namePar" in file else SPLIT_NAMES
        if y.shape[1] == len(names):
            parameters = merge_parameters(physical_parameters(names, y[0].tolist(), stated, path), stated, path, "y")
        elif "namePar" in file or not stated.parameters:
            problem = f", but namePar has {len(names)} names" if "namePar" in file else " without names in namePar"
            raise UnusableFileError(path, "y", f"{y.shape[1]} columns{problem}: give a table, --set ingest.table=FILE")
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
    return stated.simulation or as_text(file.attrs.get("universe_tag", "")) or file_stem(path)


def physical_parameters(
    names: Sequence[str], row: Sequence[float], stated: StatedMetadata, path: Path
) -> dict[str, float]:
    """Return the physical parameters of a row of `y`; empty if they are unit parameters that only a table resolves.

    Values within the ranges of simulated cosmologies count as physical; unit parameters need ``stated.unit_ranges``.

    Parameters
    ----------
    names, row
        Names and values in the file.
    stated, path
        Metadata and path of the file.

    Raises
    ------
    UnusableFileError
        The values are unit parameters without known ranges, may be either, or are out of range.
    """
    may_be_unit = all(-1 <= value <= 1 for value in row)
    canonical_names = [str(canonical_name(name)) for name in names]
    listed = ", ".join(f"{name} = {value:g}" for name, value in zip(names, row, strict=True))
    candidates = []
    if not may_be_unit or _is_typical(names, row):
        candidates.append(canonical_parameters(names, row, path, "y", stated.densities))
    if may_be_unit and set(canonical_names) <= set(stated.unit_ranges):
        centre = {name: sum(stated.unit_ranges[name]) / 2 for name in canonical_names}
        half_width = {name: stated.unit_ranges[name][1] - centre[name] for name in canonical_names}
        values = [centre[name] + half_width[name] * value for name, value in zip(canonical_names, row, strict=True)]
        candidates.append(canonical_parameters(canonical_names, values, path, "y", "fractions"))
    agreeing = [
        candidate
        for candidate in candidates
        if all(values_agree(candidate[k], v) for k, v in stated.parameters.items() if k in candidate)
    ]
    if stated.parameters:
        return (agreeing or candidates or [{}])[0]
    if not candidates:
        reason = (
            f"contains {listed}: unit parameters in [-1, 1]; give unit_ranges of {', '.join(canonical_names)}, or a "
            "table, --set ingest.table=FILE"
        )
        raise UnusableFileError(path, "y", reason)
    if len(candidates) > 1:
        reason = (
            f"contains {listed}, which may be physical values or unit parameters (ingest.unit_ranges is set): give "
            "the physical values in a table, --set ingest.table=FILE"
        )
        raise UnusableFileError(path, "y", reason)
    return candidates[0]


def _is_typical(names: Sequence[str], row: Sequence[float]) -> bool:
    """Whether values are within the ranges of simulated cosmologies."""
    for name, value in zip(names, row, strict=True):
        canonical = canonical_name(name) or ""
        low, high = _TYPICAL_RANGES.get(
            canonical, PARAMETERS[canonical][1:] if canonical in PARAMETERS else (-math.inf, math.inf)
        )
        if not low <= (value / 100 if name in ("H_0", "H0") else value) <= high:
            return False
    return True


def _native(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("="), copy=False)
