"""Bonds for atoms that come as points in space."""

from rdkit import Chem, rdBase
from rdkit.Chem import AllChem, rdDetermineBonds
from rdkit.Geometry import Point3D

from tenfold.pipelines.readers.molecule import MoleculeRecord, UnusableMoleculeError

_NEAR: tuple[dict, ...] = ({}, {"useVdw": True, "covFactor": 1.2})
"""Which atoms are neighbours: RDKit's own way, and a stricter one for the small bridges that it closes by mistake."""


def perceive_bonds(entry: MoleculeRecord) -> Chem.Mol:
    """Return the molecule of an XYZ frame: bonds from distances, their orders from the SMILES if there is one.

    Without a SMILES the orders follow from valences (doi:10.1002/bkcs.10334) and the frame's charge.

    Returns
    -------
    Chem.Mol
        Atoms in the file's order, with one conformer; stereochemistry from the coordinates.

    Raises
    ------
    UnusableMoleculeError
        An element is unknown, the atoms are not those of the SMILES, or no bond orders agree with the charge.
    """
    atoms = _atoms(entry)
    if not entry.smiles:
        return _perceived(atoms, entry.charge)
    template = Chem.MolFromSmiles(entry.smiles)
    if template is None:
        raise UnusableMoleculeError(f"RDKit cannot read its SMILES {entry.smiles}")
    template = Chem.AddHs(template)
    if template.GetNumAtoms() != atoms.GetNumAtoms():
        reason = f"{atoms.GetNumAtoms()} atoms where its SMILES {entry.smiles} has {template.GetNumAtoms()}"
        raise UnusableMoleculeError(reason)
    for near in _NEAR:
        joined = Chem.Mol(atoms)
        rdDetermineBonds.DetermineConnectivity(joined, **near)
        if joined.GetNumBonds() != template.GetNumBonds():
            continue
        try:
            found = AllChem.AssignBondOrdersFromTemplate(template, joined)
        except ValueError:
            continue
        return _whole(found)
    raise UnusableMoleculeError(f"its atoms are not placed as its SMILES {entry.smiles} joins them")


def _atoms(entry: MoleculeRecord) -> Chem.Mol:
    mol = Chem.RWMol()
    conformer = Chem.Conformer(len(entry.symbols))
    try:
        for n, (symbol, position) in enumerate(zip(entry.symbols, entry.positions, strict=True)):
            mol.AddAtom(Chem.Atom(symbol))
            conformer.SetAtomPosition(n, Point3D(*position))
    except RuntimeError as error:
        raise UnusableMoleculeError(f"unknown element {symbol!r}") from error
    conformer.Set3D(True)
    mol.AddConformer(conformer)
    for atom in mol.GetAtoms():
        atom.SetNoImplicit(True)
    return mol.GetMol()


def _perceived(atoms: Chem.Mol, charge: int) -> Chem.Mol:
    reason = ""
    for near in _NEAR:
        found = Chem.Mol(atoms)
        try:
            rdDetermineBonds.DetermineBonds(found, charge=charge, **near)
            return _whole(found)
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
    raise UnusableMoleculeError(f"no bond orders agree with charge {charge} ({reason})")


def _whole(mol: Chem.Mol) -> Chem.Mol:
    with rdBase.BlockLogs():
        Chem.SanitizeMol(mol)
        Chem.AssignStereochemistryFrom3D(mol)
    return mol
