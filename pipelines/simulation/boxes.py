"""Simulated boxes on disk: one HDF5 file each, in CosmoFlow's layout."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.simulation.cosmology import PARAMETERS, Cosmology

COSMOFLOW_NAMES = {"omega_m": "Omega_m", "sigma_8": "sigma_8", "n_s": "N_spec", "h": "H_0", "omega_b": "Omega_b"}


def write_box(
    path: Path,
    full: np.ndarray,
    *,
    cosmology: Cosmology,
    ranges: Mapping[str, tuple[float, float]],
    redshifts: Sequence[float],
    seed: int,
    universe: str,
    units: str,
    config: Mapping[str, Any],
) -> None:
    """Write a box, whole or not at all.

    Parameters
    ----------
    path
        Final name.
    full
        Counts or densities, shape (N, N, N, C), a channel per redshift.
    cosmology
        Its parameters: `physPar` under CosmoFlow's names (H_0 in km/s/Mpc), and `unitPar` in [−1, 1] of the ranges.
    ranges
        Parameter name -> (lowest, highest), of those that vary.
    redshifts
        One per channel.
    seed
        Seed of this box's initial conditions.
    universe
        Name of the simulation, which all files cut or made from it share.
    units
        "counts", "particles" or "overdensity".
    config
        Configuration of the run, recorded as JSON; its entries are attributes, too.
    """
    physical = [getattr(cosmology, name) * (100 if name == "h" else 1) for name in PARAMETERS]
    unit = [_unit(getattr(cosmology, name), ranges.get(name)) for name in PARAMETERS]
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("full", data=full)
        file["physPar"] = np.array(physical)
        file["unitPar"] = np.array(unit)
        file["namePar"] = np.array([COSMOFLOW_NAMES[name].encode() for name in PARAMETERS])
        file["redshifts"] = np.array(redshifts, np.float64)
        for name in ("box_mpc_h", "particles", "mesh_factor", "steps", "assignment"):
            file.attrs[name] = config[name]
        file.attrs["varied"] = list(ranges)
        file.attrs["units"] = units
        file.attrs["seed"] = seed
        file.attrs["seed9"] = seed
        file.attrs["universe_tag"] = universe
        file.attrs["dataset_tag"] = "tenfold dark matter"
        file.attrs["tenfold_version"] = version("tenfold")
        file.attrs["config"] = json.dumps(config, sort_keys=True)


def recorded(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes of a box, and the configuration it was made with.

    Raises
    ------
    InputError
        The file cannot be read, or is no box of ours.
    """
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
        return attributes, json.loads(attributes["config"])
    except (OSError, KeyError, ValueError) as error:
        message = f"{path}: no box written by tenfold ({error}). Choose another folder."
        raise InputError(message) from error


def finished(paths: Sequence[Path], config: Mapping[str, Any]) -> set[Path]:
    """Those of the paths that are there, made with this very configuration.

    Raises
    ------
    InputError
        One was made with another configuration: says what differs.
    """
    there = {path for path in paths if path.exists()}
    for path in sorted(there):
        listed = differences(recorded(path)[1], config)
        if listed:
            raise InputError(f"{path}: made with another configuration: {listed}. Choose another output folder.")
    return there


def differences(found: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Say where a recorded configuration differs from the one wanted; nothing where it does not."""
    wanted = json.loads(json.dumps(config))
    differ = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
    return "; ".join(f"{key} is {found.get(key)} there, {wanted.get(key)} wanted" for key in differ)


def _unit(value: float, bounds: tuple[float, float] | None) -> float:
    if bounds is None:
        return 0.0
    low, high = bounds
    return (2 * value - low - high) / (high - low)
