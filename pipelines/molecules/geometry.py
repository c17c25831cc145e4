"""Plausibility checks of the coordinates that a file gives."""

import numpy as np
from rdkit import Chem

from tenfold.pipelines.readers.molecule import UnusableMoleculeError

_MIN_DISTANCE = 0.4
"""Smallest plausible distance of two atoms [Å]; the shortest bond, that of H2, is 0.74 Å long."""
_BOND_RATIO = (0.7, 1.4)
"""Plausible range of the median bond length over the sum of covalent radii. In bohr it would be 1.9, in nm 0.1."""
_PLANE_TOLERANCE = 0.02
"""Largest root-mean-square distance of coplanar atoms from their plane [Å]."""
_TETRAHEDRAL = frozenset({5, 6, 7, 14, 15})
"""Elements that are never coplanar with four neighbours; metals and xenon may be."""
_RADII = np.array([Chem.GetPeriodicTable().GetRcovalent(z) if z else 1.0 for z in range(119)])


def check_coordinates(mol: Chem.Mol, dimension: str, *, hydrogens: bool) -> None:
    """Check that the coordinates are a 3D structure of the molecule: not a 2D depiction, and complete.

    Planar molecules, such as benzene, pass: they differ from a depiction by their hydrogens, or by the file's 3D flag.

    Parameters
    ----------
    mol
        Molecule with the coordinates of its file [Å].
    dimension
        Dimension that the file states: 2D, 3D, or empty.
    hydrogens
        Whether positions of the hydrogens are required.

    Raises
    ------
    UnusableMoleculeError
        The coordinates fail a check; the message gives the reason.
    """
    if not mol.GetNumConformers():
        raise UnusableMoleculeError("no coordinates given")
    positions = mol.GetConformer().GetPositions()
    if not np.isfinite(positions).all():
        raise UnusableMoleculeError("a coordinate is not finite")
    n_missing = sum(map(Chem.Atom.GetTotalNumHs, mol.GetAtoms()))
    if len(positions) > 1:
        if not positions.any():
            raise UnusableMoleculeError("all its coordinates are 0")
        _check_drawing(mol, positions, dimension, n_missing)
        _check_distances(mol, positions)
    if hydrogens and n_missing:
        raise UnusableMoleculeError(
            f"{n_missing} hydrogens without coordinates: add them to the file, or generate all coordinates "
            "(geometry embed)"
        )


def molfile_dimension(molfile: str) -> str:
    """Dimension of the coordinates that a Molfile states in columns 21-22 of line 2: 2D, 3D, or empty."""
    dimension = molfile.split("\n", 2)[1][20:22].upper() if molfile.count("\n") > 1 else ""
    return dimension if dimension in ("2D", "3D") else ""


def _check_drawing(mol: Chem.Mol, positions: np.ndarray, dimension: str, n_missing: int) -> None:
    flat = not positions[:, 2].any()
    remedy = "generate coordinates (geometry embed)"
    if flat and dimension == "2D":
        raise UnusableMoleculeError(f"a 2D depiction: its coordinates are flagged 2D; {remedy}")
    if flat and n_missing and dimension != "3D":
        raise UnusableMoleculeError(f"a 2D depiction: all z are 0 and hydrogens are missing; {remedy}")
    if len(positions) < 4 or (not flat and not _in_one_plane(positions)):
        return
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() in _TETRAHEDRAL and atom.GetTotalDegree() == 4 and atom.GetDegree() > 2:
            which = f"atom {atom.GetIdx() + 1} ({atom.GetSymbol()}) has four neighbours"
            raise UnusableMoleculeError(f"a 2D depiction: {which}, but all atoms are coplanar; {remedy}")


def _in_one_plane(positions: np.ndarray) -> bool:
    spread = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
    return bool(spread[2] <= _PLANE_TOLERANCE * np.sqrt(len(positions)))


def _check_distances(mol: Chem.Mol, positions: np.ndarray) -> None:
    distances = Chem.Get3DDistanceMatrix(mol)
    np.fill_diagonal(distances, np.inf)
    first, second = divmod(int(distances.argmin()), len(distances))
    nearest = float(distances[first, second])
    numbers = np.fromiter(map(Chem.Atom.GetAtomicNum, mol.GetAtoms()), np.int64, len(positions))
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]).reshape(-1, 2)
    if len(ends):
        ratio = float(np.median(distances[ends[:, 0], ends[:, 1]] / _RADII[numbers[ends]].sum(axis=1)))
        if not _BOND_RATIO[0] <= ratio <= _BOND_RATIO[1] and nearest > 0:
            raise UnusableMoleculeError(
                f"its bonds are {ratio:.2g} times as long as expected: are its coordinates in Å?"
            )
    if nearest < _MIN_DISTANCE:
        raise UnusableMoleculeError(f"atoms {first + 1} and {second + 1} are {nearest:.2g} Å apart")
