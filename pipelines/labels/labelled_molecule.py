"""A molecule with its quantum labels: made from a SMILES, written as extended XYZ."""

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from rdkit import Chem

from tenfold.pipelines.labels.electronic_structure import CalculationError, MolecularProperties
from tenfold.pipelines.molecules.conformers import embed_conformer

Level = Literal["gfn2", "dft"]


@dataclass(frozen=True, kw_only=True)
class LabelledMolecule:
    """A molecule with what was calculated of it."""

    smiles: str
    """With the stereochemistry of the geometry; its atoms, then their hydrogens, are in the order of the positions."""
    symbols: tuple[str, ...]
    """Of the elements, one per atom."""
    positions: np.ndarray
    """Shape (A, 3) [Å]."""
    properties: MolecularProperties
    geometry_s: float
    """CPU time of the geometry [s]."""
    quantum_s: float
    """CPU time of the properties [s]."""

    @property
    def frame(self) -> str:
        """Extended XYZ (https://github.com/libAtoms/extxyz): energies in eV, dipole in D."""
        values = " ".join(f"{name}={value:.6f}" for name, value in vars(self.properties).items())
        comment = f'Properties=species:S:1:pos:R:3 smiles="{self.smiles}" {values} pbc="F F F"'
        atoms = (
            f"{symbol} {x:.6f} {y:.6f} {z:.6f}" for symbol, (x, y, z) in zip(self.symbols, self.positions, strict=True)
        )
        return "\n".join([str(len(self.symbols)), comment, *atoms, ""])


@dataclass(frozen=True, kw_only=True)
class UnlabelledMolecule:
    """A molecule that got no label."""

    smiles: str
    reason: str


def label_molecule(smiles: str, *, level: Level, relax: bool, seed: int) -> LabelledMolecule | UnlabelledMolecule:
    """Give a molecule a geometry and calculate it, in this process.

    Parameters
    ----------
    smiles
        Where it leaves stereochemistry open, the geometry decides.
    level
        GFN2-xTB or B3LYP/6-31G(2df,p).
    relax
        Whether the nuclei are moved to the minimum of GFN2's energy, from that of the force field.
    seed
        Of the conformer.
    """
    from tenfold.pipelines.labels.gfn2 import calculate_gfn2, relax_geometry

    begin = time.process_time()
    try:
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
        positions = embed_conformer(mol, seed).GetConformer().GetPositions()
        if relax:
            positions = relax_geometry(numbers, positions)
        mol.AddConformer(_conformer(positions))
        _whole(mol)
        middle = time.process_time()
        if level == "dft":
            from tenfold.pipelines.labels.b3lyp import calculate_b3lyp  # PySCF takes a second to import

            found = calculate_b3lyp(numbers, positions)
        else:
            found = calculate_gfn2(numbers, positions)
        quantum_s = time.process_time() - middle
        spelt, mol = _as_spelt(mol)
    except (ValueError, RuntimeError) as error:  # ours, RDKit's and PySCF's
        return UnlabelledMolecule(smiles=smiles, reason=str(error))
    return LabelledMolecule(
        smiles=spelt,
        symbols=tuple(atom.GetSymbol() for atom in mol.GetAtoms()),
        positions=mol.GetConformer().GetPositions(),
        properties=found,
        geometry_s=middle - begin,
        quantum_s=quantum_s,
    )


def _conformer(positions: np.ndarray) -> Chem.Conformer:
    conformer = Chem.Conformer(len(positions))
    conformer.SetPositions(np.ascontiguousarray(positions, np.float64))
    return conformer


def _whole(mol: Chem.Mol) -> None:
    """Be sure that the nuclei stand where the bonds say: bound ones near, others not."""
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(atom.GetAtomicNum()) for atom in mol.GetAtoms()])
    ratio = Chem.Get3DDistanceMatrix(mol) / (radii[:, None] + radii)
    bound = Chem.GetAdjacencyMatrix(mol).astype(bool)
    apart = ~bound & ~np.eye(len(bound), dtype=bool)
    if bound.any() and ratio[bound].max() > 1.3:
        raise CalculationError("a bond is broken in the geometry")
    if apart.any() and ratio[apart].min() < 1.1:
        raise CalculationError("atoms that are not bound touch in the geometry")


def _as_spelt(mol: Chem.Mol) -> tuple[str, Chem.Mol]:
    """The SMILES of the geometry's own stereochemistry, and the molecule with its atoms in the order of that SMILES.

    Readers of extended XYZ differ over backslashes within quotes: a spelling with fewest is chosen.
    """
    Chem.AssignStereochemistryFrom3D(mol)
    bare = Chem.RemoveHs(mol)
    spellings = [Chem.MolToSmiles(bare, rootedAtAtom=first) for first in range(-1, bare.GetNumAtoms())]
    smiles = min(spellings, key=lambda each: each.count("\\"))
    order = mol.GetSubstructMatch(Chem.AddHs(Chem.MolFromSmiles(smiles)), useChirality=True)
    if not order:
        raise CalculationError(f"{smiles} does not say its geometry's stereochemistry")
    return smiles, Chem.RenumberAtoms(mol, list(order))
