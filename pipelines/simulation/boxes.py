"""HDF5 files of simulated boxes, in the layout of CosmoFlow."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    """Write a box. The file appears complete or not at all.

    Parameters
    ----------
    path
        Path of the file.
    full
        Counts or densities, shape (N, N, N, C), one channel per redshift.
    cosmology
        Cosmology of the box. `physPar` holds its parameters in CosmoFlow's convention (H_0 in km/s/Mpc), `unitPar` the
        same scaled to [−1, 1] within the ranges.
    ranges
        Varied parameters: name -> (lowest, highest).
    redshifts
        Redshift of each channel.
    seed
        Seed of the initial conditions.
    universe
        Name of the simulation, shared by all files derived from it.
    units
        "counts", "particles" or "overdensity".
    config
        Configuration of the simulation, recorded as JSON. Some entries are attributes as well.
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


def read_box_record(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the attributes of a box and the configuration of its simulation.

    Raises
    ------
    InputError
        The file cannot be read, or was not written by tenfold.
    """
    try:
        with h5py.File(path, "r") as file:
            attributes = dict(file.attrs)
        return attributes, json.loads(attributes["config"])
    except (OSError, KeyError, ValueError) as error:
        message = f"{path}: not a box written by tenfold ({error}). Choose another folder."
        raise InputError(message) from error


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of the simulation of a box, as `read_box_record` does."""
    return read_box_record(path)[1]


def existing_files(
    paths: Iterable[Path], config: Mapping[str, Any], read_config: Callable[[Path], Mapping[str, Any]]
) -> set[Path]:
    """Find the existing files among the paths, and check that all have this configuration.

    ``read_config`` reads the configuration of a file.

    Raises
    ------
    InputError
        A file has another configuration; the message lists the differences.
    """
    existing = {path for path in paths if path.exists()}
    for path in sorted(existing):
        difference = differences(read_config(path), config)
        if difference:
            raise InputError(f"{path}: has another configuration: {difference}. Choose another output folder.")
    return existing


def differences(recorded_config: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """List the differences of a recorded configuration from the requested one; empty if there are none."""
    requested = json.loads(json.dumps(config))
    differing = sorted(key for key in {*requested, *recorded_config} if requested.get(key) != recorded_config.get(key))
    return "; ".join(f"{key} is {recorded_config.get(key)}, requested {requested.get(key)}" for key in differing)


def _unit(value: float, bounds: tuple[float, float] | None) -> float:
    if bounds is None:
        return 0.0
    low, high = bounds
    return (2 * value - low - high) / (high - low)
