"""Predicted properties of molecules, with uncertainties."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np


@dataclass(frozen=True, kw_only=True, repr=False)
class Predictions:
    """Predicted properties of n molecules.

    Example
    -------
    >>> from tenfold.pipelines import load
    >>> predictions = load("predictor").predict(["CCO", "no molecule"])
    >>> predictions.mean.shape, predictions.reasons[0]
    ((2, 1), None)
    """

    names: tuple[str, ...]
    """Names of the T targets."""
    mean: np.ndarray
    """Predicted value, shape (n, T); NaN for molecules that cannot be read. For two classes the probability of the
    second, for more that of the most probable class."""
    sigma: np.ndarray
    """Standard deviation of the value, or sqrt(p (1 - p)) of a probability, shape (n, T)."""
    reasons: tuple[str | None, ...]
    """Why a molecule cannot be read; None if it can."""
    classes: tuple[tuple[str, ...], ...]
    """Names of the classes of each target; empty for regression."""
    units: tuple[str, ...]
    """Unit of each target; empty if none was declared."""
    smiles: tuple[str, ...] = ()
    """The molecules."""
    probabilities: np.ndarray | None = None
    """Probability of each class, shape (n, T, largest number of classes); None for regression."""

    def _rows(self) -> Iterator[list[str]]:
        heading = [f"{name} [{unit}]" if unit else name for name, unit in zip(self.names, self.units, strict=True)]
        yield ["SMILES", *heading]
        for smiles, reason, mean, sigma in zip(self.smiles, self.reasons, self.mean, self.sigma, strict=True):
            pairs = zip(mean, sigma, strict=True)
            yield [smiles, *([reason] if reason else [f"{value:.4g} ± {error:.2g}" for value, error in pairs])]

    def __repr__(self) -> str:
        return "\n".join("  ".join(row) for row in self._rows())

    def _repr_html_(self) -> str:
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in self._rows())
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
