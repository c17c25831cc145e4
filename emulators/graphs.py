"""Batches of molecular graphs: ragged arrays of atoms and bonds, and the meaning of their feature codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Feature:
    """One column of integer feature codes, and its encoding."""

    name: str
    width: int
    """Number of codes, which run from 0 to width - 1."""
    scale: float | None = None
    """None: one-hot encoding. Otherwise the feature is numeric: the code times the scale."""

    @property
    def columns(self) -> int:
        """Number of columns after encoding."""
        return self.width if self.scale is None else 1


@dataclass(frozen=True)
class FeatureLayout:
    """Features of atoms and of bonds, in column order. The first atom feature is the element, one-hot."""

    atoms: tuple[Feature, ...]
    bonds: tuple[Feature, ...]


@dataclass(frozen=True)
class Graphs:
    """G molecular graphs, concatenated."""

    atoms: np.ndarray
    """Feature codes of the A atoms of all molecules, shape (A, K), uint8."""
    atom_offsets: np.ndarray
    """Index of the first atom of each molecule, and A, shape (G + 1,), int64."""
    bonds: np.ndarray
    """The two atoms of each bond, numbered within their molecule, each bond once, shape (B, 2), int32."""
    bond_features: np.ndarray
    """Feature codes of the bonds, shape (B, L), uint8."""
    bond_offsets: np.ndarray
    """Index of the first bond of each molecule, and B, shape (G + 1,), int64."""
    positions: np.ndarray | None = None
    """Positions of the atoms [Å], shape (A, 3), float32; None for graphs without geometry."""

    def __len__(self) -> int:
        return len(self.atom_offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of atoms of each molecule, shape (G,)."""
        return np.diff(self.atom_offsets)

    def take(self, indices: np.ndarray) -> Self:
        """Select molecules by index, in the given order; an index may be repeated."""
        atoms, atom_offsets = _rows(self.atom_offsets, indices)
        bonds, bond_offsets = _rows(self.bond_offsets, indices)
        return type(self)(
            self.atoms[atoms],
            atom_offsets,
            self.bonds[bonds],
            self.bond_features[bonds],
            bond_offsets,
            None if self.positions is None else self.positions[atoms],
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Concatenate batches of graphs.

        Raises
        ------
        ValueError
            There are no batches, or only some of them have positions.
        """
        if not parts:
            raise ValueError("parts: empty; at least one batch is needed to know the number of feature columns")
        positions = [part.positions for part in parts if part.positions is not None]
        if len(positions) not in (0, len(parts)):
            raise ValueError("parts: some have positions and others do not")
        return cls(
            np.concatenate([part.atoms for part in parts]),
            _offsets(np.concatenate([part.sizes for part in parts])),
            np.concatenate([part.bonds for part in parts]),
            np.concatenate([part.bond_features for part in parts]),
            _offsets(np.concatenate([np.diff(part.bond_offsets) for part in parts])),
            np.concatenate(positions) if positions else None,
        )


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _rows(offsets: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the selected molecules, and the offsets of these molecules among the selected rows."""
    indices = np.asarray(indices, np.int64)
    counts = np.diff(offsets)[indices]
    new_offsets = _offsets(counts)
    rows = np.arange(new_offsets[-1]) + np.repeat(offsets[:-1][indices] - new_offsets[:-1], counts)
    return rows, new_offsets
