"""Coordinates for molecules that come without: ETKDGv3, then MMFF94."""

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from tenfold.pipelines.molecules.atom_features import chirality_codes
from tenfold.pipelines.readers.molecule import UnusableMoleculeError

_ATTEMPTS = 20
_ITERATIONS = 500


def embed_conformer(mol: Chem.Mol, seed: int) -> Chem.Mol:
    """Give a molecule one conformer.

    ETKDGv3 (doi:10.1021/acs.jcim.0c00025) from the seed, relaxed by MMFF94 (doi:10.1002/(SICI)1096-987X(199604)17:5/6),
    by UFF where MMFF94 does not know an atom, and left as embedded where neither does.

    It is embedded in the canonical order of its atoms, because an embedding depends on the order: another spelling of
    the molecule has the same coordinates.

    Parameters
    ----------
    mol
        Hydrogens explicit. It is not changed.
    seed
        The same seed gives the same coordinates.

    Raises
    ------
    UnusableMoleculeError
        No coordinates satisfy its distances.
    """
    given, (mol, order) = mol, _canonical(mol)
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.maxIterations = _ATTEMPTS
    with rdBase.BlockLogs():
        found = rdDistGeom.EmbedMolecule(mol, parameters)
        if found < 0:
            parameters.useRandomCoords = True
            found = rdDistGeom.EmbedMolecule(mol, parameters)
        if found < 0:
            raise UnusableMoleculeError(f"no conformer found in {2 * _ATTEMPTS} attempts")
        relaxed = Chem.Mol(mol)  # MMFF94 has an aromaticity of its own, and writes it into the molecule
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(relaxed):
            rdForceFieldHelpers.MMFFOptimizeMolecule(relaxed, maxIters=_ITERATIONS)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(relaxed):
            rdForceFieldHelpers.UFFOptimizeMolecule(relaxed, maxIters=_ITERATIONS)
    positions = np.empty((mol.GetNumAtoms(), 3))
    positions[order] = relaxed.GetConformer().GetPositions()
    placed = Chem.Mol(given)
    placed.RemoveAllConformers()
    conformer = Chem.Conformer(len(order))
    conformer.SetPositions(positions)
    placed.AddConformer(conformer)
    return placed


def _canonical(mol: Chem.Mol) -> tuple[Chem.Mol, list[int]]:
    """The molecule as its canonical SMILES has it, and at which place of `mol` each of its atoms stands.

    Of some molecules with much symmetry, such as α-hexachlorocyclohexane, RDKit writes the enantiomer, and some it
    cannot read again: these are given the canonical order of their atoms and keep that of their bonds.
    """
    text = Chem.MolToSmiles(mol)
    order = list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])
    as_written = Chem.SmilesParserParams()
    as_written.removeHs = False
    with rdBase.BlockLogs():
        again = Chem.MolFromSmiles(text, as_written)
    if again is not None and again.GetNumAtoms() == len(order):
        here, there = chirality_codes(mol), chirality_codes(again)
        if [here[n] for n in order] == list(there):
            return again, order
    ranks = list(Chem.CanonicalRankAtoms(mol))
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    return Chem.RenumberAtoms(mol, order), order
