"""How each network wants a batch of molecules laid out: arrays over axes that are filled up to sizes which repeat."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tenfold.emulators.environments import environments
from tenfold.emulators.graphs import Graphs
from tenfold.emulators.mpnn import MPNN

SIZES_PER_OCTAVE = 8
"""Arrays are filled up to 8, 9, … 16, 18, 20, … rows: 6 % of padding on average, and few shapes to compile for."""
NEAREST_ANGSTROM = 1e-3
"""Atoms nearer than this count as so far apart: files have atoms twice, and 1/r must stay finite."""


def filled(rows: int) -> int:
    """Return the next size, of `SIZES_PER_OCTAVE` to each power of two, that holds so many rows."""
    step = 1 << max(0, (rows - 1).bit_length() - SIZES_PER_OCTAVE.bit_length())
    return max(SIZES_PER_OCTAVE, -(-rows // step) * step)


@dataclass
class Rows:
    """Arrays over named axes, each axis filled up to a size it has room in; indices point into an axis."""

    used: dict[str, int] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, axis: str, values: np.ndarray, target: str = "", dtype=None) -> None:
        """Add an array over an axis; where ``target`` names an axis, the values are indices into it."""
        self.axis(axis, len(values))
        array = np.zeros((self.size[axis], *values.shape[1:]), dtype or (np.int32 if target else values.dtype))
        array[: len(values)] = values
        if target:  # the last row of an axis is padding always
            array[len(values) :] = self.size[target] - 1
        self.arrays[name] = array

    def axis(self, name: str, used: int) -> None:
        """State how much of an axis is used."""
        if name not in self.used:
            self.used[name], self.size[name] = used, filled(used + 1)

    @property
    def waste(self) -> float:
        """Share of all axes' rows that only fill the shape."""
        return 1 - sum(self.used.values()) / sum(self.size[axis] for axis in self.used)


def directed(rows: Rows, graphs: Graphs, shape: MPNN, share: bool) -> None:
    """Classes of directed bonds and of atoms, and what each gathers from."""
    first = np.repeat(graphs.atom_offsets[:-1], np.diff(graphs.bond_offsets))
    bonds = graphs.bonds + first[:, None]
    found = environments(graphs.atoms, bonds, graphs.bond_features, shape.depth - 1, share)
    rows.add("type_codes", "type", found.types)
    rows.add("edge_type", "edge_0", found.edge_type, "type")
    rows.add("edge_codes", "edge_0", found.edge_codes)
    for step, level in enumerate(found.levels, 1):
        rows.axis(f"edge_{step}", len(level.root))
        rows.add(f"root_{step}", f"edge_{step}", level.root, "edge_0")
        rows.add(f"child_{step}", f"link_{step}", level.child, f"edge_{step - 1}")
        rows.add(f"parent_{step}", f"link_{step}", level.parent, f"edge_{step}")
    rows.axis("class", len(found.atoms.root))
    rows.add("atom_type", "class", found.atoms.root, "type")
    rows.add("atom_child", "atom_link", found.atoms.child, f"edge_{shape.depth - 1}")
    rows.add("atom_parent", "atom_link", found.atoms.parent, "class")
    rows.add("atom", "atom", found.atom, "class")


def neighbours(rows: Rows, graphs: Graphs, shape: MPNN, share: bool) -> None:
    """Pairs of atoms nearer than the cutoff, each in both directions, sorted by the atom that hears.

    Distances [Å] and unit vectors from the speaking atom to the hearing one are in the arrays, not positions: padding
    has the distance of the cutoff and no direction. Positions are given from each molecule's centroid [Å].
    """
    first, second = pairs(graphs)
    positions = positions_of(graphs)
    step = positions[first] - positions[second]
    distance = np.sqrt(np.einsum("ij,ij->i", step, step))
    near = distance < shape.cutoff_angstrom
    first, second, step = first[near], second[near], step[near]
    distance = np.maximum(distance[near], NEAREST_ANGSTROM)
    centroids = np.add.reduceat(positions, graphs.atom_offsets[:-1]) / graphs.sizes[:, None]
    rows.add("codes", "atom", graphs.atoms)
    rows.add("position", "atom", positions - np.repeat(centroids, graphs.sizes, axis=0), dtype=np.float32)
    rows.add("hears", "edge", first, "atom")
    rows.add("speaks", "edge", second, "atom")
    # sorted by (second, first), the pairs stand as their other directions do sorted by (first, second)
    rows.add("back", "edge", np.lexsort((first, second)), "edge")
    rows.add("distance", "edge", distance, dtype=np.float32)
    rows.arrays["distance"][len(distance) :] = shape.cutoff_angstrom
    rows.add("direction", "edge", step / distance[:, None], dtype=np.float32)


def blocks(rows: Rows, graphs: Graphs, shape: MPNN, share: bool) -> None:
    """Every pair of a molecule's atoms as a dense block, all molecules filled up to the largest.

    An atom's slot is molecule · slots + its number there, a pair's is slot · slots + the other's number: only the first
    axis of any array depends on the molecules. Two atoms are never at distance 0; all else is.
    """
    count, slots = rows.size["graph"], filled(int(graphs.sizes.max()))
    owner = np.repeat(np.arange(len(graphs)), graphs.sizes)
    number = np.arange(len(graphs.atoms)) - graphs.atom_offsets[owner]
    slot = owner * slots + number
    codes = np.zeros((count * slots, graphs.atoms.shape[1]), np.uint8)
    codes[slot] = graphs.atoms
    first, second = pairs(graphs)
    positions = positions_of(graphs)
    distance = np.zeros(count * slots**2, np.float32)
    step = positions[first] - positions[second]
    apart = np.sqrt(np.einsum("ij,ij->i", step, step))
    distance[slot[first] * slots + number[second]] = np.maximum(apart, NEAREST_ANGSTROM)
    bonded = np.zeros(count * slots**2, np.float32)
    bond_codes = np.zeros((count * slots**2, graphs.bond_features.shape[1]), np.uint8)
    molecule = np.repeat(np.arange(len(graphs)), np.diff(graphs.bond_offsets))
    for one, other in (graphs.bonds.T, graphs.bonds.T[::-1]):
        pair = (molecule * slots + one) * slots + other
        bonded[pair] = 1
        bond_codes[pair] = graphs.bond_features
    rows.arrays |= {"codes": codes, "distance": distance, "bonded": bonded, "bond_codes": bond_codes}
    rows.used["pair"], rows.size["pair"] = len(first), len(distance)
    rows.size["slot"] = count * slots
    rows.add("atom", "atom", slot, "slot")


def pairs(graphs: Graphs) -> tuple[np.ndarray, np.ndarray]:
    """Every ordered pair of two atoms of one molecule, numbered through the batch, sorted by the first."""
    sizes = np.repeat(graphs.sizes, graphs.sizes)  # of each atom's molecule
    first = np.repeat(np.arange(len(sizes)), sizes)
    begin = np.repeat(np.cumsum(sizes) - sizes, sizes)
    second = np.arange(len(first)) - begin + np.repeat(np.repeat(graphs.atom_offsets[:-1], graphs.sizes), sizes)
    other = first != second
    return first[other], second[other]


def positions_of(graphs: Graphs) -> np.ndarray:
    """Positions [Å] in double precision, so that distances do not depend on where in space a molecule lies."""
    assert graphs.positions is not None  # `batch` has looked
    return graphs.positions.astype(np.float64)


LAYOUTS: dict[str, Callable[[Rows, Graphs, MPNN, bool], None]] = {
    "dmpnn": directed,
    "enn-s2s": blocks,
    "painn": neighbours,
}
