"""Molecules as graphs: ragged arrays of atoms and bonds, and what their codes mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Feature:
    """One column of codes: what a network makes of it."""

    name: str
    width: int
    """Codes run from 0 to width - 1."""
    scale: float | None = None
    """None: the code is one-hot. Otherwise it is a number: the code times the scale."""

    @property
    def columns(self) -> int:
        """Numbers that it becomes."""
        return self.width if self.scale is None else 1


@dataclass(frozen=True)
class FeatureLayout:
    """What the columns of atoms and bonds are; the first of an atom is its element, one-hot."""

    atoms: tuple[Feature, ...]
    bonds: tuple[Feature, ...]


@dataclass(frozen=True)
class Graphs:
    """G molecules, one after the other."""

    atoms: np.ndarray
    """Codes of the A atoms of all molecules, shape (A, K), uint8."""
    atom_offsets: np.ndarray
    """Where each molecule's atoms begin, and the end, shape (G + 1,), int64."""
    bonds: np.ndarray
    """The two atoms of each bond, numbered within their molecule, each bond once, shape (B, 2), int32."""
    bond_features: np.ndarray
    """Codes of the bonds, shape (B, L), uint8."""
    bond_offsets: np.ndarray
    """Where each molecule's bonds begin, and the end, shape (G + 1,), int64."""
    positions: np.ndarray | None = None
    """Of the atoms [Å], shape (A, 3), float32; None for graphs without geometry."""

    def __len__(self) -> int:
        return len(self.atom_offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """Atoms of each molecule, shape (G,)."""
        return np.diff(self.atom_offsets)

    def take(self, indices: np.ndarray) -> Self:
        """Return some of the molecules, in the order asked for, repeated or not."""
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
        """Return the molecules of several, one after the other.

        Raises
        ------
        ValueError
            There are none, or some have positions and some have not.
        """
        if not parts:
            raise ValueError("parts: none; at least one is needed, to know how wide its codes are")
        positions = [part.positions for part in parts if part.positions is not None]
        if len(positions) not in (0, len(parts)):
            raise ValueError("parts: some have positions and some have not")
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
    """Rows of the molecules asked for, and where each begins among them."""
    indices = np.asarray(indices, np.int64)
    counts = np.diff(offsets)[indices]
    begins = _offsets(counts)
    rows = np.arange(begins[-1]) + np.repeat(offsets[:-1][indices] - begins[:-1], counts)
    return rows, begins
