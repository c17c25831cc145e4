"""Plain arrays: one HDF5 dataset with attributes, or an NPY file with a row in a table."""

import csv
from pathlib import Path

import h5py
import numpy as np


def write_table(path: Path, rows: list[dict]) -> Path:
    """Write a CSV table of parameters."""
    with path.open("w", newline="") as opened:
        table = csv.DictWriter(opened, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def write_dataset(path: Path, key: str, values: np.ndarray, **attributes) -> None:
    """Write one dataset, its parameters as attributes."""
    with h5py.File(path, "w") as file:
        file[key] = values
        file[key].attrs.update(attributes)
