"""Input arrays of each network: batches of molecules padded to a small set of shapes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tenfold.emulators.environments import find_environments
from tenfold.emulators.graphs import Graphs
from tenfold.emulators.mpnn import MPNN

SIZES_PER_OCTAVE = 8
"""Axes are padded to 8, 9, … 16, 18, 20, … rows: 6 % of padding on average, and few shapes to compile."""
MIN_DISTANCE_ANGSTROM = 1e-3
"""Smallest distance [Å]: some files hold coincident atoms, and 1/r must stay finite."""


def padded_size(rows: int) -> int:
    """Smallest padded size that holds ``rows``, with `SIZES_PER_OCTAVE` sizes per factor of two."""
    step = 1 << max(0, (rows - 1).bit_length() - SIZES_PER_OCTAVE.bit_length())
    return max(SIZES_PER_OCTAVE, -(-rows // step) * step)


@dataclass
class PaddedArrays:
    """Arrays over named axes, each axis padded to a common size; index arrays point into an axis."""

    used: dict[str, int] = field(default_factory=dict)
    """Rows in use, by axis."""
    size: dict[str, int] = field(default_factory=dict)
    """Padded size, by axis."""
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    """Arrays by name."""

    def add(self, name: str, axis: str, values: np.ndarray, target: str = "", dtype=None) -> None:
        """Add an array over an axis. If ``target`` is the name of an axis, the values are indices into it."""
        self.axis(axis, len(values))
        array = np.zeros((self.size[axis], *values.shape[1:]), dtype or (np.int32 if target else values.dtype))
        array[: len(values)] = values
        if target:  # the last row of an axis is always padding
            array[len(values) :] = self.size[target] - 1
        self.arrays[name] = array

    def axis(self, name: str, used: int) -> None:
        """Set the number of used rows of an axis, if it is new."""
        if name not in self.used:
            self.used[name], self.size[name] = used, padded_size(used + 1)

    @property
    def padding_fraction(self) -> float:
        """Fraction of the rows of all axes that are padding."""
        return 1 - sum(self.used.values()) / sum(self.size[axis] for axis in self.used)


def directed_bonds(rows: PaddedArrays, graphs: Graphs, architecture: MPNN, deduplicate: bool) -> None:
    """Classes of directed bonds and of atoms, and the senders and receivers of each step (D-MPNN)."""
    first = np.repeat(graphs.atom_offsets[:-1], np.diff(graphs.bond_offsets))
    bonds = graphs.bonds + first[:, None]
    environments = find_environments(graphs.atoms, bonds, graphs.bond_features, architecture.depth - 1, deduplicate)
    rows.add("atom_type_codes", "type", environments.atom_types)
    rows.add("bond_atom_type", "edge_0", environments.bond_atom_type, "type")
    rows.add("directed_bond_codes", "edge_0", environments.bond_codes)
    for step, level in enumerate(environments.levels, 1):
        rows.axis(f"edge_{step}", len(level.initial))
        rows.add(f"initial_{step}", f"edge_{step}", level.initial, "edge_0")
        rows.add(f"senders_{step}", f"link_{step}", level.senders, f"edge_{step - 1}")
        rows.add(f"receivers_{step}", f"link_{step}", level.receivers, f"edge_{step}")
    rows.axis("class", len(environments.atoms.initial))
    rows.add("atom_type", "class", environments.atoms.initial, "type")
    rows.add("atom_senders", "atom_link", environments.atoms.senders, f"edge_{architecture.depth - 1}")
    rows.add("atom_receivers", "atom_link", environments.atoms.receivers, "class")
    rows.add("atom", "atom", environments.atom_class, "class")


def neighbour_list(rows: PaddedArrays, graphs: Graphs, architecture: MPNN, deduplicate: bool) -> None:
    """Neighbour list within the cutoff, each pair in both directions, sorted by receiver (PaiNN).

    Edges carry distances [Å] and unit vectors from sender to receiver. Padding edges have the distance of the cutoff
    and a zero vector. Positions are relative to the centroid of the molecule [Å].
    """
    first, second = atom_pairs(graphs)
    positions = positions_float64(graphs)
    step = positions[first] - positions[second]
    distance = np.sqrt(np.einsum("ij,ij->i", step, step))
    near = distance < architecture.cutoff_angstrom
    first, second, step = first[near], second[near], step[near]
    distance = np.maximum(distance[near], MIN_DISTANCE_ANGSTROM)
    centroids = np.add.reduceat(positions, graphs.atom_offsets[:-1]) / graphs.sizes[:, None]
    rows.add("codes", "atom", graphs.atoms)
    rows.add("position", "atom", positions - np.repeat(centroids, graphs.sizes, axis=0), dtype=np.float32)
    rows.add("receivers", "edge", first, "atom")
    rows.add("senders", "edge", second, "atom")
    # the opposite of a pair has the rank in the order (first, second) that the pair has in the order (second, first)
    rows.add("reverse", "edge", np.lexsort((first, second)), "edge")
    rows.add("distance", "edge", distance, dtype=np.float32)
    rows.arrays["distance"][len(distance) :] = architecture.cutoff_angstrom
    rows.add("direction", "edge", step / distance[:, None], dtype=np.float32)


def dense_pairs(rows: PaddedArrays, graphs: Graphs, architecture: MPNN, deduplicate: bool) -> None:
    """All pairs of atoms as dense blocks, every molecule padded to the largest (enn-s2s).

    The slot of an atom is molecule · slots + its number in the molecule; the index of a pair is slot · slots + the
    number of the other atom. Only the first axis of each array depends on the molecules. The distance of two atoms is
    never 0; that of padding always is.
    """
    count, slots = rows.size["graph"], padded_size(int(graphs.sizes.max()))
    owner = np.repeat(np.arange(len(graphs)), graphs.sizes)
    number = np.arange(len(graphs.atoms)) - graphs.atom_offsets[owner]
    slot = owner * slots + number
    codes = np.zeros((count * slots, graphs.atoms.shape[1]), np.uint8)
    codes[slot] = graphs.atoms
    first, second = atom_pairs(graphs)
    positions = positions_float64(graphs)
    distance = np.zeros(count * slots**2, np.float32)
    step = positions[first] - positions[second]
    separation = np.sqrt(np.einsum("ij,ij->i", step, step))
    distance[slot[first] * slots + number[second]] = np.maximum(separation, MIN_DISTANCE_ANGSTROM)
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


def atom_pairs(graphs: Graphs) -> tuple[np.ndarray, np.ndarray]:
    """All ordered pairs of distinct atoms of a molecule, numbered through the batch, sorted by the first atom."""
    sizes = np.repeat(graphs.sizes, graphs.sizes)  # of each atom's molecule
    first = np.repeat(np.arange(len(sizes)), sizes)
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    second = np.arange(len(first)) - start + np.repeat(np.repeat(graphs.atom_offsets[:-1], graphs.sizes), sizes)
    distinct = first != second
    return first[distinct], second[distinct]


def positions_float64(graphs: Graphs) -> np.ndarray:
    """Positions [Å] in double precision, so that distances do not depend on where the molecule lies in space."""
    assert graphs.positions is not None  # checked by `collate`
    return graphs.positions.astype(np.float64)


LAYOUTS: dict[str, Callable[[PaddedArrays, Graphs, MPNN, bool], None]] = {
    "dmpnn": directed_bonds,
    "enn-s2s": dense_pairs,
    "painn": neighbour_list,
}
