"""Whether coordinates that a file gives can be those of a molecule in space."""

import numpy as np
from rdkit import Chem

from tenfold.pipelines.readers.molecule import UnusableMoleculeError

_NEAREST = 0.4
"""Atoms that are nearer to each other stand in one place [Å]; the shortest bond, that of H2, has 0.74."""
_BOND_RATIO = (0.7, 1.4)
"""Between which multiples of the sum of covalent radii the median bond lies; in bohr it has 1.9, in nm 0.1."""
_PLANE = 0.02
"""Root mean square distance from a plane up to which atoms lie in it [Å]."""
_TETRAHEDRAL = frozenset({5, 6, 7, 14, 15})
"""Elements whose four neighbours never lie in one plane with them; metals' and xenon's may."""
_RADII = np.array([Chem.GetPeriodicTable().GetRcovalent(z) if z else 1.0 for z in range(119)])


def check_coordinates(mol: Chem.Mol, dimension: str, *, hydrogens: bool) -> None:
    """Check that a molecule's coordinates are those of its atoms in space: not of a drawing, and none left out.

    A flat molecule, such as benzene, is one; it is told from a drawing by its hydrogens, or by its file.

    Parameters
    ----------
    mol
        With the coordinates of its file [Å].
    dimension
        What the file says of them: 2D, 3D, or nothing.
    hydrogens
        Whether those of hydrogens are needed.

    Raises
    ------
    UnusableMoleculeError
        They are not: it says why.
    """
    if not mol.GetNumConformers():
        raise UnusableMoleculeError("no coordinates given")
    positions = mol.GetConformer().GetPositions()
    if not np.isfinite(positions).all():
        raise UnusableMoleculeError("a coordinate is no finite number")
    left_out = sum(map(Chem.Atom.GetTotalNumHs, mol.GetAtoms()))
    if len(positions) > 1:
        if not positions.any():
            raise UnusableMoleculeError("all its coordinates are 0")
        _check_drawing(mol, positions, dimension, left_out)
        _check_distances(mol, positions)
    if hydrogens and left_out:
        raise UnusableMoleculeError(
            f"{left_out} hydrogens without coordinates: the file must place them, or all coordinates be made "
            "(geometry embed)"
        )


def molfile_dimension(molfile: str) -> str:
    """What a Molfile says of its coordinates, in columns 21 and 22 of its second line: 2D, 3D, or nothing."""
    found = molfile.split("\n", 2)[1][20:22].upper() if molfile.count("\n") > 1 else ""
    return found if found in ("2D", "3D") else ""


def _check_drawing(mol: Chem.Mol, positions: np.ndarray, dimension: str, left_out: int) -> None:
    flat = not positions[:, 2].any()
    remedy = "coordinates must be made (geometry embed)"
    if flat and dimension == "2D":
        raise UnusableMoleculeError(f"a drawing: its coordinates are 2D; {remedy}")
    if flat and left_out and dimension != "3D":
        raise UnusableMoleculeError(f"a drawing: all z are 0, and hydrogens are left out; {remedy}")
    if len(positions) < 4 or (not flat and not _in_one_plane(positions)):
        return
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() in _TETRAHEDRAL and atom.GetTotalDegree() == 4 and atom.GetDegree() > 2:
            where = f"atom {atom.GetIdx() + 1} ({atom.GetSymbol()}) has four neighbours, and all atoms lie in one plane"
            raise UnusableMoleculeError(f"a drawing: {where}; {remedy}")


def _in_one_plane(positions: np.ndarray) -> bool:
    spread = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
    return bool(spread[2] <= _PLANE * np.sqrt(len(positions)))


def _check_distances(mol: Chem.Mol, positions: np.ndarray) -> None:
    apart = Chem.Get3DDistanceMatrix(mol)
    np.fill_diagonal(apart, np.inf)
    first, second = divmod(int(apart.argmin()), len(apart))
    nearest = float(apart[first, second])
    numbers = np.fromiter(map(Chem.Atom.GetAtomicNum, mol.GetAtoms()), np.int64, len(positions))
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()]).reshape(-1, 2)
    if len(ends):
        ratio = float(np.median(apart[ends[:, 0], ends[:, 1]] / _RADII[numbers[ends]].sum(axis=1)))
        if not _BOND_RATIO[0] <= ratio <= _BOND_RATIO[1] and nearest > 0:
            raise UnusableMoleculeError(f"its bonds are {ratio:.2g} times as long as such bonds are: is it in Å?")
    if nearest < _NEAREST:
        raise UnusableMoleculeError(f"atoms {first + 1} and {second + 1} stand {nearest:.2g} Å apart")
