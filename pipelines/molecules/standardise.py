"""One molecule where a record holds a salt or a mixture: its largest fragment, neutral."""

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize


def standardise_molecule(mol: Chem.Mol) -> Chem.Mol:
    """Return the largest organic fragment, with charges taken away where hydrogens can be given or taken.

    Parameters
    ----------
    mol
        Hydrogens implicit. It is not changed.

    Returns
    -------
    Chem.Mol
        Sodium benzoate becomes benzoic acid. A charge that no hydrogen can balance, as of N(CH3)4+, stays.
    """
    with rdBase.BlockLogs():
        largest = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(mol)
        neutral = rdMolStandardize.Uncharger(canonicalOrder=True).uncharge(largest)
        Chem.SanitizeMol(neutral)
        Chem.AssignStereochemistry(neutral, cleanIt=True, force=True)  # labels of what is left
        return neutral
