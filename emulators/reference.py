"""What an atom of each element adds to a property, by least squares: what is left is for a network to learn."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tenfold.emulators.graphs import FeatureLayout, Graphs

RIDGE_PENALTY = 1e-8
"""Weight of the references' own size beside the squared residuals: elements that always come together share evenly."""


class Standardisation(NamedTuple):
    """What a network is built with (see `tenfold.emulators.mpnn.build`)."""

    location: np.ndarray
    """Mean of each target, shape (T,); of extensive ones per atom, with the reference taken off."""
    scale: np.ndarray
    """Standard deviation of the same, shape (T,)."""
    atom_reference: np.ndarray
    """What an atom adds by its element's code, shape (codes, T); 0 for targets that are not extensive."""


def element_counts(graphs: Graphs, codes: int) -> np.ndarray:
    """Atoms of each element in each molecule, shape (G, codes)."""
    owner = np.repeat(np.arange(len(graphs)), graphs.sizes)
    counts = np.bincount(owner * codes + graphs.atoms[:, 0].astype(np.int64), minlength=len(graphs) * codes)
    return counts.reshape(len(graphs), codes)


def fit_standardisation(
    graphs: Graphs, targets: np.ndarray, layout: FeatureLayout, extensive: Sequence[bool]
) -> Standardisation:
    """Fit the references of extensive targets, and standardise all, on the training split.

    Parameters
    ----------
    graphs
        G molecules.
    targets
        Shape (G, T), NaN where missing.
    layout
        What the codes of the atoms are.
    extensive
        Which targets grow with the molecule, T values.

    Raises
    ------
    ValueError
        A target is known of no molecule.
    """
    counts, sizes = element_counts(graphs, layout.atoms[0].width).astype(np.float64), graphs.sizes
    number = targets.shape[1]
    found = Standardisation(np.zeros(number), np.ones(number), np.zeros((counts.shape[1], number)))
    for t in range(number):
        known = np.isfinite(targets[:, t])
        if not known.any():
            raise ValueError(f"targets: column {t} is known of no molecule")
        values = targets[known, t]
        if extensive[t]:
            # weighed by 1 / atoms, since it is the residual per atom that is to be small
            rows, goal = counts[known] / sizes[known, None], values / sizes[known]
            normal = rows.T @ rows + RIDGE_PENALTY * len(rows) * np.eye(rows.shape[1])
            found.atom_reference[:, t] = np.linalg.solve(normal, rows.T @ goal)
            values = goal - rows @ found.atom_reference[:, t]
        found.location[t] = values.mean()
        found.scale[t] = values.std() or 1.0
    return found
