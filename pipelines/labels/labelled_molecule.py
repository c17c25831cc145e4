"""A molecule with quantum-chemical labels: from a SMILES string to a frame of extended XYZ."""

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
    """A molecule with a geometry and calculated properties."""

    smiles: str
    """SMILES with the stereochemistry of the geometry. Its heavy atoms, then their hydrogens, are in the order of the
    positions."""
    symbols: tuple[str, ...]
    """Element symbol of each atom."""
    positions: np.ndarray
    """Positions of the nuclei, shape (A, 3) [Å]."""
    properties: MolecularProperties
    geometry_s: float
    """CPU time of the geometry [s]."""
    quantum_s: float
    """CPU time of the property calculation [s]."""

    @property
    def frame(self) -> str:
        """Frame of extended XYZ (https://github.com/libAtoms/extxyz): energies in eV, dipole moment in D."""
        values = " ".join(f"{name}={value:.6f}" for name, value in vars(self.properties).items())
        comment = f'Properties=species:S:1:pos:R:3 smiles="{self.smiles}" {values} pbc="F F F"'
        atoms = (
            f"{symbol} {x:.6f} {y:.6f} {z:.6f}" for symbol, (x, y, z) in zip(self.symbols, self.positions, strict=True)
        )
        return "\n".join([str(len(self.symbols)), comment, *atoms, ""])


@dataclass(frozen=True, kw_only=True)
class UnlabelledMolecule:
    """A molecule without labels, and the reason."""

    smiles: str
    reason: str


def label_molecule(smiles: str, *, level: Level, relax: bool, seed: int) -> LabelledMolecule | UnlabelledMolecule:
    """Generate a geometry of a molecule and calculate its properties, in this process.

    Parameters
    ----------
    smiles
        SMILES; unspecified stereocentres take the configuration of the geometry.
    level
        Level of theory: GFN2-xTB or B3LYP/6-31G(2df,p).
    relax
        Whether the force-field geometry is relaxed with GFN2.
    seed
        Seed of the conformer.
    """
    from tenfold.pipelines.labels.gfn2 import calculate_gfn2, relax_geometry

    start = time.process_time()
    try:
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
        positions = embed_conformer(mol, seed).GetConformer().GetPositions()
        if relax:
            positions = relax_geometry(numbers, positions)
        mol.AddConformer(_conformer(positions))
        _check_connectivity(mol)
        relaxed = time.process_time()
        if level == "dft":
            from tenfold.pipelines.labels.b3lyp import calculate_b3lyp  # PySCF takes a second to import

            properties = calculate_b3lyp(numbers, positions)
        else:
            properties = calculate_gfn2(numbers, positions)
        quantum_s = time.process_time() - relaxed
        canonical, mol = _ordered_by_smiles(mol)
    except (ValueError, RuntimeError) as error:  # of tenfold, RDKit and PySCF
        return UnlabelledMolecule(smiles=smiles, reason=str(error))
    return LabelledMolecule(
        smiles=canonical,
        symbols=tuple(atom.GetSymbol() for atom in mol.GetAtoms()),
        positions=mol.GetConformer().GetPositions(),
        properties=properties,
        geometry_s=relaxed - start,
        quantum_s=quantum_s,
    )


def _conformer(positions: np.ndarray) -> Chem.Conformer:
    conformer = Chem.Conformer(len(positions))
    conformer.SetPositions(np.ascontiguousarray(positions, np.float64))
    return conformer


def _check_connectivity(mol: Chem.Mol) -> None:
    """Check that the geometry agrees with the bonds: bonded atoms are close, other atoms are not."""
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(atom.GetAtomicNum()) for atom in mol.GetAtoms()])
    ratio = Chem.Get3DDistanceMatrix(mol) / (radii[:, None] + radii)
    bonded = Chem.GetAdjacencyMatrix(mol).astype(bool)
    nonbonded = ~bonded & ~np.eye(len(bonded), dtype=bool)
    if bonded.any() and ratio[bonded].max() > 1.3:
        raise CalculationError("a bond is broken in the geometry")
    if nonbonded.any() and ratio[nonbonded].min() < 1.1:
        raise CalculationError("non-bonded atoms are in contact in the geometry")


def _ordered_by_smiles(mol: Chem.Mol) -> tuple[str, Chem.Mol]:
    """SMILES with the stereochemistry of the geometry, and the molecule with its atoms in the order of that SMILES.

    Readers of extended XYZ treat backslashes within quotes differently: the SMILES with the fewest is chosen.
    """
    Chem.AssignStereochemistryFrom3D(mol)
    heavy = Chem.RemoveHs(mol)
    candidates = [Chem.MolToSmiles(heavy, rootedAtAtom=root) for root in range(-1, heavy.GetNumAtoms())]
    smiles = min(candidates, key=lambda candidate: candidate.count("\\"))
    order = mol.GetSubstructMatch(Chem.AddHs(Chem.MolFromSmiles(smiles)), useChirality=True)
    if not order:
        raise CalculationError(f"{smiles} does not express the stereochemistry of the geometry")
    return smiles, Chem.RenumberAtoms(mol, list(order))
