"""Atom and bond features: their definition, and the codes computed from RDKit molecules."""

from array import array
from collections.abc import Sequence
from itertools import repeat

import numpy as np
from rdkit import Chem
from rdkit.Chem import Lipinski, rdCIPLabeler

from tenfold.emulators.graphs import Feature, FeatureLayout, Graphs

RICH_ELEMENTS = (*range(1, 37), 53)
"""Atomic numbers of the element codes of the rich features: hydrogen to krypton, and iodine."""
GILMER_ELEMENTS = (1, 6, 7, 8, 9, 5, 14, 15, 16, 17, 35, 53)
"""Atomic numbers of the element codes of the gilmer features: arXiv:1704.01212, table 1, and seven more."""
_BOND_TYPES = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}
"""Code of each bond order, as RDKit's `GetBondTypeAsDouble` returns it."""
_OTHER_BOND = 4
_CHIRALITY = {"R": 1, "S": 2, "r": 3, "s": 4}
_OTHER_CHIRALITY = 5
_CIP_ITERATIONS = 100_000
"""Iteration limit of the full CIP rules, about 25 ms. Beyond it, unresolved stereocentres keep the code "other"."""
_STEREO_CHARACTERS, _ISOTOPE_CHARACTER = frozenset("@/\\|"), "["
"""A SMILES without any of these characters specifies no stereochemistry, or no isotopes."""

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
"""Rich features. Degree includes hydrogens, 0 to 5 and more; charge -2 to 2 and other; hydrogens 0 to 4 and more; mass
in u. Chirality: none, R, S, r, s and other. Stereo of double bonds: none, unknown, Z, E, and 6 for axial chirality."""

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
"""Features of arXiv:1704.01212, table 1; hybridisation sp, sp2, sp3 and other. Distances follow from the positions."""


def _element_codes(elements: tuple[int, ...]) -> np.ndarray:
    codes = np.full(256, len(elements), np.uint8)
    codes[list(elements)] = np.arange(len(elements))
    return codes


_RICH_ELEMENT, _GILMER_ELEMENT = _element_codes(RICH_ELEMENTS), _element_codes(GILMER_ELEMENTS)
_NATURAL = -1.0
_MASS = np.array([Chem.GetPeriodicTable().GetAtomicWeight(z) for z in range(119)])
_HYDROGEN_HYBRIDISATION = int(Chem.HybridizationType.S)
"""RDKit leaves the hybridisation of the hydrogens that it adds unspecified."""
_GILMER_HYBRIDISATION = np.full(256, 3, np.uint8)
_GILMER_HYBRIDISATION[[2, 3, 4]] = 0, 1, 2  # RDKit's HybridizationType SP, SP2, SP3


_STEREO = np.full(256, 6, np.uint8)
_STEREO[:6] = 0, 1, 2, 3, 1, 1  # CIS and TRANS depend on the order of the atoms


class GraphBuilder:
    """Builder of molecular graphs, which collects the atoms and bonds of many molecules.

    Calls to RDKit dominate the run time. Each property is therefore read for all atoms at once, and only if it does not
    follow from the others. Code tables are applied to the whole batch.
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
        """Add a sanitised molecule.

        Parameters
        ----------
        mol
            Sanitised molecule; with a conformer if the graphs have positions.
        smiles
            SMILES from which it was read, if any: properties that its characters cannot specify are not computed.
        """
        stereo = not smiles or not _STEREO_CHARACTERS.isdisjoint(smiles)
        isotopes = not smiles or _ISOTOPE_CHARACTER in smiles
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
            for matching, pattern in ((self._acceptor, Lipinski.HAcceptorSmarts), (self._donor, Lipinski.HDonorSmarts)):
                matches = mol.GetSubstructMatches(pattern, maxMatches=max(1000, count))
                matching.extend(first + atom for (atom,) in matches)
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
        """Return the graphs of all added molecules, in that order."""
        atoms = np.concatenate([[0], np.cumsum(self._atoms, dtype=np.int64)]).astype(np.int64)
        bonds = np.concatenate([[0], np.cumsum(self._bonds, dtype=np.int64)]).astype(np.int64)
        ends = np.stack([np.frombuffer(column, np.int32) for column in (self._begin, self._end)], axis=1)
        joined = ends + np.repeat(atoms[:-1], self._bonds)[:, None]
        kind = np.full(len(ends), _OTHER_BOND, np.uint8)
        for order, code in _BOND_TYPES.items():
            kind[np.frombuffer(self._type, np.float64) == order] = code
        aromatic = np.zeros(atoms[-1], np.uint8)
        aromatic[joined[kind == _BOND_TYPES[1.5]]] = 1
        element = np.frombuffer(self._element, np.uint8)
        implicit = np.frombuffer(self._hydrogens, np.uint8)
        hydrogens = implicit + np.bincount(joined[element[joined[:, ::-1]] == 1], minlength=atoms[-1])
        conjugated, ring, stereo = (
            np.frombuffer(column, np.uint8) for column in (self._conjugated, self._ring, self._stereo)
        )
        if self._rich:
            charge, mass = np.frombuffer(self._charge, np.int8), np.frombuffer(self._mass)
            atom_columns = (
                _RICH_ELEMENT[element],
                np.minimum(np.bincount(joined.reshape(-1), minlength=atoms[-1]) + implicit, 6),
                np.where(abs(charge) <= 2, charge + 2, 5),
                np.frombuffer(self._chirality, np.uint8),
                np.minimum(hydrogens, 5),
                np.where(element == 1, _HYDROGEN_HYBRIDISATION, np.frombuffer(self._hybridisation, np.uint8)),
                aromatic,
                np.minimum(np.rint(np.where(mass == _NATURAL, _MASS[element], mass)), 255),
            )
            bond_columns = (kind, conjugated, ring, _STEREO[stereo])
        else:
            atom_columns = (
                _GILMER_ELEMENT[element],
                np.minimum(element, 127),
                _mask(self._acceptor, atoms[-1]),
                _mask(self._donor, atoms[-1]),
                aromatic,
                _GILMER_HYBRIDISATION[np.frombuffer(self._hybridisation, np.uint8)],
                np.minimum(hydrogens, 8),
            )
            bond_columns = (kind,)
        positions = None
        if self._positions is not None:
            positions = np.concatenate([np.empty((0, 3)), *self._positions]).astype(np.float32)
        return Graphs(
            atoms=np.stack(atom_columns, axis=1).astype(np.uint8),
            atom_offsets=atoms,
            bonds=ends.astype(np.int32),
            bond_features=np.stack(bond_columns, axis=1).astype(np.uint8),
            bond_offsets=bonds,
            positions=positions,
        )


def chirality_codes(mol: Chem.Mol, atoms: Sequence[Chem.Atom] | None = None) -> bytearray:
    """Chirality codes of atoms from their CIP labels, which do not depend on the order of atoms and bonds.

    R and S are assigned by RDKit when it reads the molecule. Stereocentres that this leaves open, such as the
    pseudoasymmetric ones of 1,4-dimethylcyclohexane, are labelled by the full rules (doi:10.1021/acs.jcim.8b00324).

    Parameters
    ----------
    mol
        Sanitised molecule with stereochemistry assigned.
    atoms
        All its atoms, if already at hand.

    Returns
    -------
    bytearray
        Code of each atom: 0 none, 1 R, 2 S, 3 r, 4 s, 5 other.
    """
    if atoms is None:
        atoms = list(mol.GetAtoms())
    codes = bytearray(map(Chem.Atom.GetChiralTag, atoms))
    if not any(codes):
        return codes
    unresolved = []
    for n in [n for n, tag in enumerate(codes) if tag]:
        codes[n] = _cip_code(atoms[n])
        if codes[n] == _OTHER_CHIRALITY:
            unresolved.append(n)
    if unresolved:
        copy = Chem.Mol(mol)
        try:
            rdCIPLabeler.AssignCIPLabels(copy, unresolved, [], _CIP_ITERATIONS)
        except RuntimeError:  # iteration limit: the labels assigned until then depend on the order of the atoms
            return codes
        for n in unresolved:
            codes[n] = _cip_code(copy.GetAtomWithIdx(n))
    return codes


def _cip_code(atom: Chem.Atom) -> int:
    return _CHIRALITY.get(atom.GetProp("_CIPCode"), _OTHER_CHIRALITY) if atom.HasProp("_CIPCode") else _OTHER_CHIRALITY


def _mask(indices: array, length: int) -> np.ndarray:
    mask = np.zeros(length, np.uint8)
    mask[np.frombuffer(indices, np.int64)] = 1
    return mask
