"""Atomic reference values of extensive targets, fitted by least squares, and the standardisation of all targets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tenfold.emulators.graphs import FeatureLayout, Graphs

RIDGE_PENALTY = 1e-8
"""Weight of the L2 penalty relative to the mean squared residual: elements that always occur together share evenly."""


class Standardisation(NamedTuple):
    """Location, scale and atomic references of the targets (see `tenfold.emulators.mpnn.build`)."""

    location: np.ndarray
    """Mean of each target, shape (T,). For extensive targets: per atom, after subtraction of the references."""
    scale: np.ndarray
    """Standard deviation of the same quantity, shape (T,)."""
    atom_reference: np.ndarray
    """Contribution of an atom of each element code, shape (codes, T); 0 for targets that are not extensive."""


def element_counts(graphs: Graphs, codes: int) -> np.ndarray:
    """Count the atoms of each element code in each molecule, shape (G, codes)."""
    owner = np.repeat(np.arange(len(graphs)), graphs.sizes)
    counts = np.bincount(owner * codes + graphs.atoms[:, 0].astype(np.int64), minlength=len(graphs) * codes)
    return counts.reshape(len(graphs), codes)


def fit_standardisation(
    graphs: Graphs, targets: np.ndarray, layout: FeatureLayout, extensive: Sequence[bool]
) -> Standardisation:
    """Fit the atomic references of extensive targets, and the location and scale of all, on the training split.

    Parameters
    ----------
    graphs
        G molecules.
    targets
        Labels, shape (G, T), NaN where missing.
    layout
        Meaning of the atoms' feature codes.
    extensive
        Which targets are extensive, T values.

    Raises
    ------
    ValueError
        A target has no label.
    """
    counts, sizes = element_counts(graphs, layout.atoms[0].width).astype(np.float64), graphs.sizes
    n_targets = targets.shape[1]
    fitted = Standardisation(np.zeros(n_targets), np.ones(n_targets), np.zeros((counts.shape[1], n_targets)))
    for t in range(n_targets):
        known = np.isfinite(targets[:, t])
        if not known.any():
            raise ValueError(f"targets: column {t} has no label")
        values = targets[known, t]
        if extensive[t]:
            # weighted by 1 / atoms, because the residual per atom is what the network learns
            composition, per_atom = counts[known] / sizes[known, None], values / sizes[known]
            normal = composition.T @ composition + RIDGE_PENALTY * len(composition) * np.eye(composition.shape[1])
            fitted.atom_reference[:, t] = np.linalg.solve(normal, composition.T @ per_atom)
            values = per_atom - composition @ fitted.atom_reference[:, t]
        fitted.location[t] = values.mean()
        fitted.scale[t] = values.std() or 1.0
    return fitted
