"""Small faithful files of the CAMELS Multifield Dataset: maps and grids of a field, and their parameter files."""

from pathlib import Path

import numpy as np

HEADER = "Name  Omega_m  sigma_8  A_SN1     A_AGN1  A_SN2  A_AGN2  seed"


def rows(count: int) -> np.ndarray:
    """Parameters of simulations, (count, 6): Ωm σ8 A_SN1 A_AGN1 A_SN2 A_AGN2, five decimals as CAMELS prints them."""
    drawn = np.random.default_rng(1).uniform(0.25, 4, (count, 6))
    drawn[:, 0], drawn[:, 1] = np.linspace(0.1, 0.5, count), np.linspace(0.6, 1.0, count)
    return drawn.round(5)


def write_maps(folder: Path, name: str, simulations: int, maps: int = 15) -> Path:
    """Write a file of maps, (simulations × maps, 8, 8) float32, under the dataset's name."""
    values = np.random.default_rng(len(name)).lognormal(size=(simulations * maps, 8, 8)).astype(np.float32)
    np.save(folder / name, values)
    return folder / name


def write_grids(folder: Path, name: str, grids: int, side: int = 8) -> np.ndarray:
    """Write a file of grids, (grids, N, N, N) float32, under the dataset's name, and return them."""
    values = np.random.default_rng(len(name)).lognormal(size=(grids, side, side, side)).astype(np.float32)
    np.save(folder / name, values)
    return values


def write_parameters(folder: Path, name: str, table: np.ndarray) -> Path:
    """Write ``params_SET_SUITE.txt``: numbers alone."""
    np.savetxt(folder / name, table, fmt="%.5f")
    return folder / name


def write_named(folder: Path, name: str, table: np.ndarray) -> Path:
    """Write ``CosmoAstroSeed_SUITE_L25n256_SET.txt``: a header, the simulations' names and their seeds."""
    lines = [f"#{HEADER}"]
    lines += [f"  LH_{n} " + " ".join(f"{value:.5f}" for value in row) + f" {n}" for n, row in enumerate(table)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name
