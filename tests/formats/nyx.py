"""Small faithful HDF5 files of Nyx, as its converter of AMReX plotfiles writes them for gimlet."""

from pathlib import Path

import h5py
import numpy as np


def write_nyx(path: Path, fields: dict[str, tuple[np.ndarray, str]], *, size: float = 20.0, **universe) -> None:
    """Write fields (N, N, N) with their units, in a domain of `size` Mpc/h."""
    (first, _), *_ = fields.values()
    cosmology = {"omega_b": 0.0487, "omega_m": 0.31, "omega_l": 0.69, "hubble": 0.675, "redshift": 3.0, **universe}
    with h5py.File(path, "w") as file:
        file.attrs["format"] = np.bytes_("nyx-lyaf")
        domain = file.create_group("domain")
        domain.attrs["shape"] = np.array(first.shape, np.int32)
        domain.attrs["size"] = np.full(3, size)
        file.create_group("universe").attrs.update(cosmology)
        native = file.create_group("native_fields")
        file.create_group("derived_fields")
        for name, (values, units) in fields.items():
            native[name] = values.astype(np.float32)
            native[name].attrs["units"] = np.bytes_(units)


def density(seed: int, side: int = 8) -> np.ndarray:
    """A density in units of its mean, (N, N, N)."""
    values = np.random.default_rng(seed).lognormal(size=(side, side, side))
    return values / values.mean()
