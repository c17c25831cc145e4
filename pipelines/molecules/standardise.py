"""Standardisation of salts and mixtures: the largest fragment, neutralised."""

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize


def standardise_molecule(mol: Chem.Mol) -> Chem.Mol:
    """Return the largest organic fragment, neutralised by adding or removing hydrogens where possible.

    Parameters
    ----------
    mol
        Molecule with implicit hydrogens. It is not modified.

    Returns
    -------
    Chem.Mol
        Standardised molecule: sodium benzoate becomes benzoic acid. A charge that hydrogens cannot balance, as in
        N(CH3)4+, is kept.
    """
    with rdBase.BlockLogs():
        largest = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(mol)
        neutral = rdMolStandardize.Uncharger(canonicalOrder=True).uncharge(largest)
        Chem.SanitizeMol(neutral)
        Chem.AssignStereochemistry(neutral, cleanIt=True, force=True)  # labels of the remaining fragment
        return neutral
