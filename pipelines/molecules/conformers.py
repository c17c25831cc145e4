"""Coordinates for molecules that come without: ETKDGv3, then MMFF94."""

from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from tenfold.pipelines.readers.molecule import UnusableMoleculeError

_ATTEMPTS = 20
_ITERATIONS = 500


def embedded(mol: Chem.Mol, seed: int) -> Chem.Mol:
    """Give a molecule one conformer.

    ETKDGv3 (doi:10.1021/acs.jcim.0c00025) from the seed, relaxed by MMFF94 (doi:10.1002/(SICI)1096-987X(199604)17:5/6),
    by UFF where MMFF94 does not know an atom, and left as embedded where neither does.

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
    mol = Chem.Mol(mol)
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
        mol.GetConformer().SetPositions(relaxed.GetConformer().GetPositions())
    return mol
