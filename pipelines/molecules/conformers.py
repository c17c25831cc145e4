"""Conformers of molecules without coordinates: ETKDGv3 embedding, MMFF94 optimisation."""

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from tenfold.pipelines.molecules.atom_features import chirality_codes
from tenfold.pipelines.readers.molecule import UnusableMoleculeError

_MAX_ATTEMPTS = 20
_MAX_ITERATIONS = 500


def embed_conformer(mol: Chem.Mol, seed: int) -> Chem.Mol:
    """Embed one conformer of a molecule.

    The conformer is embedded by ETKDGv3 (doi:10.1021/acs.jcim.0c00025) and optimised with MMFF94
    (doi:10.1002/(SICI)1096-987X(199604)17:5/6), or with UFF if MMFF94 has no parameters for an atom. If UFF has none
    either, it is not optimised.

    An embedding depends on the order of the atoms. The canonical order is used, so that all SMILES of a molecule give
    the same coordinates.

    Parameters
    ----------
    mol
        Molecule with explicit hydrogens. It is not modified.
    seed
        Seed of the embedding; equal seeds give equal coordinates.

    Returns
    -------
    Chem.Mol
        Copy with one conformer [Å].

    Raises
    ------
    UnusableMoleculeError
        No coordinates satisfy the distance bounds.
    """
    original, (mol, order) = mol, _canonical(mol)
    parameters = rdDistGeom.ETKDGv3()
    parameters.randomSeed = seed
    parameters.maxIterations = _MAX_ATTEMPTS
    with rdBase.BlockLogs():
        conformer_id = rdDistGeom.EmbedMolecule(mol, parameters)
        if conformer_id < 0:
            parameters.useRandomCoords = True
            conformer_id = rdDistGeom.EmbedMolecule(mol, parameters)
        if conformer_id < 0:
            raise UnusableMoleculeError(f"no conformer found in {2 * _MAX_ATTEMPTS} attempts")
        relaxed = Chem.Mol(mol)  # a copy, because MMFF94 overwrites the aromaticity of the molecule
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(relaxed):
            rdForceFieldHelpers.MMFFOptimizeMolecule(relaxed, maxIters=_MAX_ITERATIONS)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(relaxed):
            rdForceFieldHelpers.UFFOptimizeMolecule(relaxed, maxIters=_MAX_ITERATIONS)
    positions = np.empty((mol.GetNumAtoms(), 3))
    positions[order] = relaxed.GetConformer().GetPositions()
    embedded = Chem.Mol(original)
    embedded.RemoveAllConformers()
    conformer = Chem.Conformer(len(order))
    conformer.SetPositions(positions)
    embedded.AddConformer(conformer)
    return embedded


def _canonical(mol: Chem.Mol) -> tuple[Chem.Mol, list[int]]:
    """The molecule read back from its canonical SMILES, and the index in `mol` of each of its atoms.

    For some highly symmetric molecules, such as α-hexachlorocyclohexane, RDKit writes the SMILES of the enantiomer, or
    one that it cannot read. Their atoms are put in canonical order instead, and their bonds keep theirs.
    """
    text = Chem.MolToSmiles(mol)
    order = list(mol.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])
    as_written = Chem.SmilesParserParams()
    as_written.removeHs = False
    with rdBase.BlockLogs():
        canonical = Chem.MolFromSmiles(text, as_written)
    if canonical is not None and canonical.GetNumAtoms() == len(order):
        chirality = chirality_codes(mol)
        if [chirality[n] for n in order] == list(chirality_codes(canonical)):
            return canonical, order
    ranks = list(Chem.CanonicalRankAtoms(mol))
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    return Chem.RenumberAtoms(mol, order), order
