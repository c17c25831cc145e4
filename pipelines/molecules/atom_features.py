"""What networks are told of atoms and bonds, as codes: the tables, and how RDKit's answers become them."""

from array import array
from collections.abc import Sequence
from itertools import repeat

import numpy as np
from rdkit import Chem
from rdkit.Chem import Lipinski, rdCIPLabeler

from tenfold.emulators.graphs import Feature, FeatureLayout, Graphs

RICH_ELEMENTS = (*range(1, 37), 53)
"""Atomic numbers with a code of their own: hydrogen to krypton, and iodine."""
GILMER_ELEMENTS = (1, 6, 7, 8, 9, 5, 14, 15, 16, 17, 35, 53)
"""Those of arXiv:1704.01212, table 1, and seven more that molecules are made of."""
_BOND_TYPES = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}
_OTHER_BOND = 4
_CHIRALITY = {"R": 1, "S": 2, "r": 3, "s": 4}
_OTHER_CHIRALITY = 5
_CIP_ITERATIONS = 100_000
"""Of the full CIP rules: about 25 ms. Beyond, what is left open keeps the code of other stereocentres."""
_MARKS_STEREO, _MARKS_ISOTOPES = frozenset("@/\\|"), "["
"""Characters without one of which a SMILES sets none."""

RICH_LAYOUT = FeatureLayout(
    atoms=(
        Feature("element", len(RICH_ELEMENTS) + 1),
        Feature("degree", 7),
        Feature("charge", 6),
        Feature("chirality", 6),
        Feature("hydrogens", 6),
        Feature("hybridisation", 9),
        Feature("aromatic", 2, 1.0),
        Feature("mass", 256, 0.01),
    ),
    bonds=(
        Feature("type", 5),
        Feature("conjugated", 2, 1.0),
        Feature("ring", 2, 1.0),
        Feature("stereo", 7),
    ),
)
"""Degree counts hydrogens, 0 to 5 and more; charge -2 to 2 and other; hydrogens 0 to 4 and more; mass in u. Chirality
is none, R, S, r, s and other; stereo of double bonds is none, unknown, Z, E, and 6 for that of an axis."""

GILMER_LAYOUT = FeatureLayout(
    atoms=(
        Feature("element", len(GILMER_ELEMENTS) + 1),
        Feature("atomic_number", 128, 1.0),
        Feature("acceptor", 2, 1.0),
        Feature("donor", 2, 1.0),
        Feature("aromatic", 2, 1.0),
        Feature("hybridisation", 4),
        Feature("hydrogens", 9, 1.0),
    ),
    bonds=(Feature("type", 5),),
)
"""Table 1 of arXiv:1704.01212; hybridisation sp, sp2, sp3 and other. Distances come with the positions."""


def _element_codes(elements: tuple[int, ...]) -> np.ndarray:
    codes = np.full(256, len(elements), np.uint8)
    codes[list(elements)] = np.arange(len(elements))
    return codes


_RICH_ELEMENT, _GILMER_ELEMENT = _element_codes(RICH_ELEMENTS), _element_codes(GILMER_ELEMENTS)
_NATURAL = -1.0
_MASS = np.array([Chem.GetPeriodicTable().GetAtomicWeight(z) for z in range(119)])
_S = int(Chem.HybridizationType.S)
"""Of hydrogens: RDKit leaves it open for those that it adds itself."""
_GILMER_HYBRIDISATION = np.full(256, 3, np.uint8)
_GILMER_HYBRIDISATION[[2, 3, 4]] = 0, 1, 2  # RDKit's HybridizationType SP, SP2, SP3


_STEREO = np.full(256, 6, np.uint8)
_STEREO[:6] = 0, 1, 2, 3, 1, 1  # CIS and TRANS are relative to neighbours that RDKit chose by the order of the atoms


class GraphBuilder:
    """Collects molecules' atoms and bonds, and makes graphs of all of them at once.

    Asking RDKit is what takes the time: every property is asked for all atoms in one go, and nothing is asked that
    follows from the rest. Tables are applied to whole batches.
    """

    def __init__(self, layout: FeatureLayout, *, positions: bool):
        self._layout = layout
        self._rich = layout == RICH_LAYOUT
        self._atoms, self._bonds = array("q"), array("q")
        self._element, self._hybridisation, self._hydrogens = bytearray(), bytearray(), bytearray()
        self._charge, self._mass, self._chirality = array("b"), array("d"), bytearray()
        self._acceptor, self._donor = array("q"), array("q")
        self._begin, self._end, self._type = array("i"), array("i"), array("d")
        self._conjugated, self._ring, self._stereo = bytearray(), bytearray(), bytearray()
        self._positions: list[np.ndarray] | None = [] if positions else None

    def add(self, mol: Chem.Mol, smiles: str = "") -> None:
        """Take in a sanitised molecule.

        Parameters
        ----------
        smiles
            What it was read from, if that was a SMILES: what its characters cannot set is not asked for.
        """
        stereo = not smiles or not _MARKS_STEREO.isdisjoint(smiles)
        isotopes = not smiles or _MARKS_ISOTOPES in smiles
        count, first = mol.GetNumAtoms(), len(self._element)
        atoms = list(map(mol.GetAtomWithIdx, range(count)))
        bonds = list(map(mol.GetBondWithIdx, range(mol.GetNumBonds())))
        if self._positions is not None:
            self._positions.append(mol.GetConformer().GetPositions())
        self._atoms.append(count)
        self._bonds.append(len(bonds))
        self._element.extend(map(Chem.Atom.GetAtomicNum, atoms))
        self._hybridisation.extend(map(Chem.Atom.GetHybridization, atoms))
        self._hydrogens.extend(map(Chem.Atom.GetTotalNumHs, atoms))
        self._begin.extend(map(Chem.Bond.GetBeginAtomIdx, bonds))
        self._end.extend(map(Chem.Bond.GetEndAtomIdx, bonds))
        self._type.extend(map(Chem.Bond.GetBondTypeAsDouble, bonds))
        if not self._rich:
            for found, pattern in ((self._acceptor, Lipinski.HAcceptorSmarts), (self._donor, Lipinski.HDonorSmarts)):
                matches = mol.GetSubstructMatches(pattern, maxMatches=max(1000, count))
                found.extend(first + atom for (atom,) in matches)
            return
        self._charge.extend(map(Chem.Atom.GetFormalCharge, atoms))
        self._mass.extend(map(Chem.Atom.GetMass, atoms) if isotopes else repeat(_NATURAL, count))
        self._conjugated.extend(map(Chem.Bond.GetIsConjugated, bonds))
        self._ring.extend(map(Chem.Bond.IsInRing, bonds))
        if stereo:
            self._chirality.extend(chirality_codes(mol, atoms))
            self._stereo.extend(map(Chem.Bond.GetStereo, bonds))
        else:
            self._chirality.extend(bytes(count))
            self._stereo.extend(bytes(len(bonds)))

    def graphs(self) -> Graphs:
        """All molecules taken in, in that order."""
        atoms = np.concatenate([[0], np.cumsum(self._atoms, dtype=np.int64)]).astype(np.int64)
        bonds = np.concatenate([[0], np.cumsum(self._bonds, dtype=np.int64)]).astype(np.int64)
        ends = np.stack([np.frombuffer(each, np.int32) for each in (self._begin, self._end)], axis=1)
        joined = ends + np.repeat(atoms[:-1], self._bonds)[:, None]
        kind = np.full(len(ends), _OTHER_BOND, np.uint8)
        for order, code in _BOND_TYPES.items():
            kind[np.frombuffer(self._type, np.float64) == order] = code
        aromatic = np.zeros(atoms[-1], np.uint8)
        aromatic[joined[kind == _BOND_TYPES[1.5]]] = 1
        element = np.frombuffer(self._element, np.uint8)
        implicit = np.frombuffer(self._hydrogens, np.uint8)
        hydrogens = implicit + np.bincount(joined[element[joined[:, ::-1]] == 1], minlength=atoms[-1])
        bytes_of = [np.frombuffer(each, np.uint8) for each in (self._conjugated, self._ring, self._stereo)]
        if self._rich:
            charge, mass = np.frombuffer(self._charge, np.int8), np.frombuffer(self._mass)
            columns = (
                _RICH_ELEMENT[element],
                np.minimum(np.bincount(joined.reshape(-1), minlength=atoms[-1]) + implicit, 6),
                np.where(abs(charge) <= 2, charge + 2, 5),
                np.frombuffer(self._chirality, np.uint8),
                np.minimum(hydrogens, 5),
                np.where(element == 1, _S, np.frombuffer(self._hybridisation, np.uint8)),
                aromatic,
                np.minimum(np.rint(np.where(mass == _NATURAL, _MASS[element], mass)), 255),
            )
            of_bonds = (kind, bytes_of[0], bytes_of[1], _STEREO[bytes_of[2]])
        else:
            columns = (
                _GILMER_ELEMENT[element],
                np.minimum(element, 127),
                _at(self._acceptor, atoms[-1]),
                _at(self._donor, atoms[-1]),
                aromatic,
                _GILMER_HYBRIDISATION[np.frombuffer(self._hybridisation, np.uint8)],
                np.minimum(hydrogens, 8),
            )
            of_bonds = (kind,)
        positions = None
        if self._positions is not None:
            positions = np.concatenate([np.empty((0, 3)), *self._positions]).astype(np.float32)
        return Graphs(
            atoms=np.stack(columns, axis=1).astype(np.uint8),
            atom_offsets=atoms,
            bonds=ends.astype(np.int32),
            bond_features=np.stack(of_bonds, axis=1).astype(np.uint8),
            bond_offsets=bonds,
            positions=positions,
        )


def chirality_codes(mol: Chem.Mol, atoms: Sequence[Chem.Atom] | None = None) -> bytearray:
    """Codes of the chirality of atoms by their CIP labels, which do not depend on the order of atoms and bonds.

    R and S are what RDKit has assigned when it read the molecule. Where that leaves a stereocentre open, as the
    pseudoasymmetric ones of 1,4-dimethylcyclohexane, the full rules (doi:10.1021/acs.jcim.8b00324) decide.

    Parameters
    ----------
    mol
        Sanitised, with stereochemistry assigned.
    atoms
        All its atoms, where they are at hand.

    Returns
    -------
    bytearray
        0 none, 1 R, 2 S, 3 r, 4 s, 5 other, of each atom.
    """
    if atoms is None:
        atoms = list(mol.GetAtoms())
    found = bytearray(map(Chem.Atom.GetChiralTag, atoms))
    if not any(found):
        return found
    left = []
    for n in [n for n, tag in enumerate(found) if tag]:
        found[n] = _label(atoms[n])
        if found[n] == _OTHER_CHIRALITY:
            left.append(n)
    if left:
        copy = Chem.Mol(mol)
        try:
            rdCIPLabeler.AssignCIPLabels(copy, left, [], _CIP_ITERATIONS)
        except RuntimeError:  # too many iterations: what was labelled until then depends on the order of the atoms
            return found
        for n in left:
            found[n] = _label(copy.GetAtomWithIdx(n))
    return found


def _label(atom: Chem.Atom) -> int:
    return _CHIRALITY.get(atom.GetProp("_CIPCode"), _OTHER_CHIRALITY) if atom.HasProp("_CIPCode") else _OTHER_CHIRALITY


def _at(places: array, length: int) -> np.ndarray:
    found = np.zeros(length, np.uint8)
    found[np.frombuffer(places, np.int64)] = 1
    return found
