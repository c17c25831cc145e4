"""Bond perception for structures that give only the elements and positions of atoms."""

from rdkit import Chem, rdBase
from rdkit.Chem import AllChem, rdDetermineBonds
from rdkit.Geometry import Point3D

from tenfold.pipelines.readers.molecule import MoleculeRecord, UnusableMoleculeError

_CONNECTIVITY_OPTIONS: tuple[dict, ...] = ({}, {"useVdw": True, "covFactor": 1.2})
"""Options of RDKit's connectivity: the default, and a stricter one for bridged rings with a spurious short bond."""


def perceive_bonds(entry: MoleculeRecord) -> Chem.Mol:
    """Perceive the bonds of an XYZ frame: connectivity from distances, bond orders from its SMILES if it has one.

    Without a SMILES, bond orders follow from the valences (doi:10.1002/bkcs.10334) and the total charge.

    Returns
    -------
    Chem.Mol
        Molecule with the atoms in the order of the file and one conformer; stereochemistry from the coordinates.

    Raises
    ------
    UnusableMoleculeError
        An element is unknown, the structure does not match the SMILES, or no bond orders agree with the charge.
    """
    atoms = _atoms(entry)
    if not entry.smiles:
        return _perceive_orders(atoms, entry.charge)
    template = Chem.MolFromSmiles(entry.smiles)
    if template is None:
        raise UnusableMoleculeError(f"RDKit cannot read its SMILES {entry.smiles}")
    template = Chem.AddHs(template)
    if template.GetNumAtoms() != atoms.GetNumAtoms():
        reason = f"{atoms.GetNumAtoms()} atoms, but its SMILES {entry.smiles} has {template.GetNumAtoms()}"
        raise UnusableMoleculeError(reason)
    for options in _CONNECTIVITY_OPTIONS:
        connected = Chem.Mol(atoms)
        rdDetermineBonds.DetermineConnectivity(connected, **options)
        if connected.GetNumBonds() != template.GetNumBonds():
            continue
        try:
            mol = AllChem.AssignBondOrdersFromTemplate(template, connected)
        except ValueError:
            continue
        return _sanitise(mol)
    raise UnusableMoleculeError(f"its geometry does not match the bonds of its SMILES {entry.smiles}")


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


def _perceive_orders(atoms: Chem.Mol, charge: int) -> Chem.Mol:
    reason = ""
    for options in _CONNECTIVITY_OPTIONS:
        mol = Chem.Mol(atoms)
        try:
            rdDetermineBonds.DetermineBonds(mol, charge=charge, **options)
            return _sanitise(mol)
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
    raise UnusableMoleculeError(f"no bond orders agree with charge {charge} ({reason})")


def _sanitise(mol: Chem.Mol) -> Chem.Mol:
    with rdBase.BlockLogs():
        Chem.SanitizeMol(mol)
        Chem.AssignStereochemistryFrom3D(mol)
    return mol
