"""Tables of parameters as published sets and other programs write them."""

from pathlib import Path

import h5py
import numpy as np
from astropy.table import Table

QUIJOTE = "#Omega_m                 Omega_b                  h                        n_s                      sigma_8"


def quijote_rows(count: int) -> np.ndarray:
    """Parameters of Quijote's Latin hypercube, (count, 5): Ωm Ωb h n_s σ8."""
    low, high = [0.1, 0.03, 0.5, 0.8, 0.6], [0.5, 0.07, 0.9, 1.2, 1.0]
    return np.random.default_rng(0).uniform(low, high, (count, 5)).round(4)


def write_quijote(path: Path, rows: np.ndarray) -> Path:
    """Write ``latin_hypercube_params.txt``: a comment with the names, and a row per simulation, which has no column."""
    np.savetxt(path, rows, header=QUIJOTE.removeprefix("#"), comments="#")
    return path


def write_fits_table(path: Path, columns: dict[str, list]) -> Path:
    """Write a table as astropy does, in the first extension."""
    Table(columns).write(path, format="fits")
    return path


def write_columns(path: Path, columns: dict[str, list]) -> Path:
    """Write an HDF5 file with a dataset per column."""
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values
    return path


def write_compound(path: Path, columns: dict[str, list]) -> Path:
    """Write an HDF5 file with one compound dataset, as PyTables and pandas do."""
    types = [(name, "S16" if isinstance(values[0], str) else "f8") for name, values in columns.items()]
    with h5py.File(path, "w") as file:
        file["parameters/table"] = np.array(list(zip(*columns.values(), strict=True)), types)
    return path
