"""Drawings of molecules for a report, with atoms and bonds coloured by their attribution."""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import matplotlib
import numpy as np
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from tenfold.hpc.isolated import ProcessDied, run_isolated
from tenfold.pipelines.reports.figures import EmbeddedFigure

DrawingTask = tuple[Chem.Mol, str, np.ndarray | None, np.ndarray | None]
"""Arguments of `draw_molecule`."""
DRAWING_SIZE = (260, 200)
RAISES, LOWERS = "#D55E00", "#0072B2"
"""Colours of atoms and bonds that raise and lower the prediction."""
_MAX_MEMORY = 8 * 2**30


def draw_molecules(tasks: Iterable[DrawingTask], seconds: float) -> Iterator[EmbeddedFigure | str]:
    """Draw molecules in bounded time and memory, since the layout of a molecule with many rings may not terminate.

    Parameters
    ----------
    tasks
        Arguments of `draw_molecule` for each drawing.
    seconds
        Time limit of one drawing [s].

    Yields
    ------
    EmbeddedFigure or str
        The drawing of each task, or the reason for its failure.
    """
    for result in run_isolated(_try_to_draw, tasks, seconds, _MAX_MEMORY):
        yield f"the drawing {result.reason}" if isinstance(result, ProcessDied) else result


def _try_to_draw(task: DrawingTask) -> EmbeddedFigure | str:
    try:
        return draw_molecule(*task)
    except (RuntimeError, ValueError, MemoryError) as error:
        return f"RDKit cannot draw it ({str(error).strip().splitlines()[0] if str(error).strip() else repr(error)})"


def draw_molecule(
    molecule: Chem.Mol, description: str, atoms: np.ndarray | None = None, bonds: np.ndarray | None = None
) -> EmbeddedFigure:
    """Draw a molecule.

    Parameters
    ----------
    molecule
        The molecule. Explicit hydrogens are merged into their neighbours, and their attributions added.
    description
        Alternative text of the image.
    atoms, bonds
        Attributions to colour by, shapes (A,) and (B,); the largest absolute value has the full colour.
    """
    drawer = rdMolDraw2D.MolDraw2DSVG(*DRAWING_SIZE)
    drawer.drawOptions().clearBackground = False
    drawn, colours = highlights(molecule, atoms, bonds)
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, drawn, **colours)
    drawer.FinishDrawing()
    source = base64.b64encode(drawer.GetDrawingText().encode()).decode()
    return EmbeddedFigure(f"data:image/svg+xml;base64,{source}", description)


def highlights(
    molecule: Chem.Mol, atoms: np.ndarray | None, bonds: np.ndarray | None
) -> tuple[Chem.Mol, dict[str, Any]]:
    """Colour atoms and bonds by their attributions.

    Parameters
    ----------
    molecule, atoms, bonds
        As for `draw_molecule`.

    Returns
    -------
    tuple
        The molecule to draw, in two dimensions, and RDKit's highlighting arguments of ``PrepareAndDrawMolecule``.
    """
    drawn = Chem.Mol(molecule)
    drawn.RemoveAllConformers()
    atoms, bonds, drawn = _merge_hydrogens(drawn, atoms, bonds)
    atom_colours: dict[int, tuple[float, ...]] = {}
    bond_colours: dict[int, tuple[float, ...]] = {}
    if atoms is not None:
        largest = max(np.abs(atoms).max(initial=0), np.abs(bonds).max(initial=0), 1e-12) if bonds is not None else 1.0
        atom_colours = {i: _colour(value / largest) for i, value in enumerate(atoms)}
        bond_colours = {} if bonds is None else {i: _colour(value / largest) for i, value in enumerate(bonds)}
    return drawn, {
        "highlightAtoms": list(atom_colours), "highlightAtomColors": atom_colours,
        "highlightBonds": list(bond_colours), "highlightBondColors": bond_colours,
    }  # fmt: skip


def _merge_hydrogens(molecule: Chem.Mol, atoms: np.ndarray | None, bonds: np.ndarray | None):
    """Remove explicit hydrogens, and add their attributions to the atoms that they are bonded to."""
    if atoms is None or bonds is None:
        return None, None, Chem.RemoveHs(molecule)
    atoms, bonds = atoms.copy(), bonds.copy()
    heavy = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() != 1 or not atom.GetDegree()]
    for atom in molecule.GetAtoms():
        if atom.GetIdx() not in heavy:
            bond = atom.GetBonds()[0]
            atoms[bond.GetOtherAtomIdx(atom.GetIdx())] += atoms[atom.GetIdx()] + bonds[bond.GetIdx()]
    remaining = [
        bond.GetIdx() for bond in molecule.GetBonds() if {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} <= set(heavy)
    ]
    without_hydrogens = Chem.RemoveHs(molecule)
    if without_hydrogens.GetNumAtoms() != len(heavy):  # RDKit keeps some hydrogens: draw the molecule unchanged
        return atoms, bonds, molecule
    return atoms[heavy], bonds[remaining], without_hydrogens


def _colour(value: float) -> tuple[float, ...]:
    """Return white for 0 and the full colour for −1 and 1."""
    full = np.array(matplotlib.colors.to_rgb(RAISES if value > 0 else LOWERS))
    return tuple((1 - abs(value)) * np.ones(3) + abs(value) * full)
