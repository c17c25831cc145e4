"""Molecules drawn for a page: atoms and bonds coloured by what they account for."""

import base64
from collections.abc import Iterable, Iterator

import matplotlib
import numpy as np
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from tenfold.hpc.isolated import Died, isolated
from tenfold.pipelines.reports.figures import Picture

Task = tuple[Chem.Mol, str, np.ndarray | None, np.ndarray | None]
"""Arguments of `drawing`."""
SIZE = (260, 200)
UP, DOWN = "#D55E00", "#0072B2"
"""Raises the answer, lowers it."""
_MOST_MEMORY = 8 * 2**30


def drawings(tasks: Iterable[Task], seconds: float) -> Iterator[Picture | str]:
    """Draw molecules, each in bounded time and memory: placing many rings on paper may never end.

    Parameters
    ----------
    tasks
        Arguments of `drawing` for each picture.
    seconds
        Longest time for one [s].

    Yields
    ------
    Picture or str
        For every task: the picture, or why there is none.
    """
    for found in isolated(_drawn, tasks, seconds, _MOST_MEMORY):
        yield f"the drawing {found.reason}" if isinstance(found, Died) else found


def _drawn(task: Task) -> Picture | str:
    try:
        return drawing(*task)
    except (RuntimeError, ValueError, MemoryError) as error:
        return f"RDKit cannot draw it ({str(error).strip().splitlines()[0] if str(error).strip() else repr(error)})"


def drawing(
    molecule: Chem.Mol, words: str, atoms: np.ndarray | None = None, bonds: np.ndarray | None = None
) -> Picture:
    """Draw a molecule.

    Parameters
    ----------
    molecule
        Hydrogens that are atoms of their own are folded into their neighbours, their shares added to these.
    words
        What it is, for who cannot see it.
    atoms, bonds
        Shares to colour by, shapes (A,) and (B,); the strongest has the full colour.
    """
    drawer = rdMolDraw2D.MolDraw2DSVG(*SIZE)
    drawer.drawOptions().clearBackground = False
    flat = Chem.Mol(molecule)
    flat.RemoveAllConformers()
    atoms, bonds, flat = _folded(flat, atoms, bonds)
    colours: dict[int, tuple[float, ...]] = {}
    lines: dict[int, tuple[float, ...]] = {}
    if atoms is not None:
        strongest = max(np.abs(atoms).max(initial=0), np.abs(bonds).max(initial=0), 1e-12) if bonds is not None else 1.0
        colours = {i: _colour(value / strongest) for i, value in enumerate(atoms)}
        lines = {} if bonds is None else {i: _colour(value / strongest) for i, value in enumerate(bonds)}
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawer, flat, highlightAtoms=list(colours), highlightAtomColors=colours, highlightBonds=list(lines),
        highlightBondColors=lines,
    )  # fmt: skip
    drawer.FinishDrawing()
    source = base64.b64encode(drawer.GetDrawingText().encode()).decode()
    return Picture(f"data:image/svg+xml;base64,{source}", words)


def _folded(molecule: Chem.Mol, atoms: np.ndarray | None, bonds: np.ndarray | None):
    """Fold hydrogens, and their shares, into the atoms they are bound to."""
    if atoms is None or bonds is None:
        return None, None, Chem.RemoveHs(molecule)
    atoms, bonds = atoms.copy(), bonds.copy()
    keep = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() != 1 or not atom.GetDegree()]
    for atom in molecule.GetAtoms():
        if atom.GetIdx() not in keep:
            bond = atom.GetBonds()[0]
            atoms[bond.GetOtherAtomIdx(atom.GetIdx())] += atoms[atom.GetIdx()] + bonds[bond.GetIdx()]
    left = [
        bond.GetIdx() for bond in molecule.GetBonds() if {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} <= set(keep)
    ]
    flat = Chem.RemoveHs(molecule)
    if flat.GetNumAtoms() != len(keep):  # RDKit keeps some hydrogens: draw all as they are
        return atoms, bonds, molecule
    return atoms[keep], bonds[left], flat


def _colour(share: float) -> tuple[float, ...]:
    """White for 0, the full colour for -1 and 1."""
    full = np.array(matplotlib.colors.to_rgb(UP if share > 0 else DOWN))
    return tuple((1 - abs(share)) * np.ones(3) + abs(share) * full)
