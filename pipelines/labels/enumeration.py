"""Molecules put together from fragments: small ones as in QM9, and drug-like ones."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Literal, TypeVar, get_args

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from tenfold.pipelines.labels.fragments import CORES, DECORATIONS, DIRECT_BOND, LINKERS, RING_SYSTEMS, SUBSTITUENTS
from tenfold.pipelines.labels.stability import find_instability

Kind = Literal["qm9", "druglike", "mixed"]
KINDS: tuple[str, ...] = get_args(Kind)

HEAVY_ATOM_FREQUENCIES = {4: 0.02, 5: 0.05, 6: 0.1, 7: 0.17, 8: 0.26, 9: 0.4}
"""How often a QM9-like molecule is meant to have so many heavy atoms."""
DRUGLIKE_FRACTION = 0.25
"""Part of a mixed set that is drug-like."""
MAX_DRUGLIKE_HEAVY_ATOMS = 24
"""Most heavy atoms of a drug-like molecule."""

_FRUITLESS = 20_000
"""Tries in a row without a new molecule after which a space is taken to be exhausted."""
_T = TypeVar("_T")


def enumerate_molecules(count: int, seed: int, kind: Kind = "qm9") -> list[str]:
    """Put molecules together from fragments.

    Every one is neutral, closed-shell, free of the groups that `stability.unstable` knows, and a substance of its own:
    no two share the first block of their InChIKey, tautomers included. Stereocentres are left open. A larger count
    begins with the molecules of a smaller one.

    Parameters
    ----------
    count
        Number of molecules.
    seed
        The same seed gives the same molecules.
    kind
        "qm9": up to nine heavy atoms of C, N, O and F, grown from small rings and chains by substitution, exchange of
        atoms, unsaturation and closing of rings. "druglike": two or three ring systems joined by linkers and decorated,
        within Lipinski's and Veber's rules, 24 heavy atoms at most, with S, Cl and Br too. "mixed": a quarter of those.

    Returns
    -------
    list of str
        Canonical SMILES.

    Raises
    ------
    ValueError
        The kind is unknown, or has not so many molecules.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: found {kind!r}, must be one of {', '.join(KINDS)}")
    found = list(islice(_stream(seed, kind), count))
    if len(found) < count:
        raise ValueError(f"count: found {count}, but only {len(found)} molecules of kind {kind} could be made")
    return found


def _stream(seed: int, kind: Kind) -> Iterator[str]:
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    seen: set[str] = set()
    fruitless = 0
    with rdBase.BlockLogs():
        while fruitless < _FRUITLESS:
            druglike = kind == "druglike" or (kind == "mixed" and rng.random() < DRUGLIKE_FRACTION)
            fruitless += 1
            mol = _druglike(rng) if druglike else _qm9like(rng)
            if mol is None or find_instability(mol) is not None:
                continue
            substance = Chem.MolToInchiKey(mol)[:14]
            if substance and substance not in seen:
                seen.add(substance)
                fruitless = 0
                yield Chem.MolToSmiles(mol)


# ---- small molecules -------------------------------------------------------------------------------------------


def _qm9like(rng: np.random.Generator) -> Chem.Mol | None:
    sizes = np.array(list(HEAVY_ATOM_FREQUENCIES))
    size = rng.choice(sizes, p=np.array(list(HEAVY_ATOM_FREQUENCIES.values())))
    mol = _fragment(_any(rng, CORES))
    if mol.GetNumAtoms() > size:
        return None
    for _ in range(12):
        left = int(size) - mol.GetNumAtoms()
        if left == 0 and rng.random() < 0.6:
            break
        change = _any(rng, _GROWING if left else _TURNING)
        mol = _sane(change(mol, rng, left)) or mol
    rings = rdMolDescriptors.CalcNumRings(mol)
    return mol if mol.GetNumAtoms() == size and rings <= 4 and _has_carbon(mol) else None


def _substitute(mol: Chem.Mol, rng: np.random.Generator, left: int) -> Chem.Mol | None:
    """A hydrogen gives way to a substituent."""
    piece = _fragment(_any(rng, SUBSTITUENTS))
    return _joined(mol, _open(mol, rng), piece, 0) if piece.GetNumAtoms() <= left else None


def _exchange(mol: Chem.Mol, rng: np.random.Generator, left: int) -> Chem.Mol | None:
    """A carbon gives way to N or O: CH3, CH2 and CH as their valences allow, aromatic CH to N."""
    del left
    atom = mol.GetAtomWithIdx(int(rng.integers(mol.GetNumAtoms())))
    if atom.GetSymbol() != "C":
        return None
    if atom.GetIsAromatic():
        element = 7
        if atom.GetTotalNumHs() == 0:
            return None
    else:
        used = 4 - atom.GetTotalNumHs()
        choices = [7] * (used <= 3) + [8] * (used <= 2)
        if not choices:
            return None
        element = _any(rng, choices)
    changed = Chem.RWMol(mol)
    changed.GetAtomWithIdx(atom.GetIdx()).SetAtomicNum(element)
    return changed


def _unsaturate(mol: Chem.Mol, rng: np.random.Generator, left: int) -> Chem.Mol | None:
    """A single bond becomes double, or a double one triple, where both ends have a hydrogen to give."""
    del left
    bonds = [
        bond
        for bond in mol.GetBonds()
        if bond.GetBondType() in (Chem.BondType.SINGLE, Chem.BondType.DOUBLE)
        and bond.GetBeginAtom().GetTotalNumHs() > 0
        and bond.GetEndAtom().GetTotalNumHs() > 0
    ]
    if not bonds:
        return None
    bond = _any(rng, bonds)
    changed = Chem.RWMol(mol)
    double = bond.GetBondType() == Chem.BondType.SINGLE
    changed.GetBondWithIdx(bond.GetIdx()).SetBondType(Chem.BondType.DOUBLE if double else Chem.BondType.TRIPLE)
    return changed


def _double(mol: Chem.Mol, rng: np.random.Generator, left: int) -> Chem.Mol | None:
    """A CH2 or CH3 becomes C=O, C=CH2 or C=N-OH."""
    carbons = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetSymbol() == "C" and atom.GetTotalNumHs() > 1]
    piece = _fragment(_any(rng, ("O", "O", "O", "C", "NO")))
    if not carbons or piece.GetNumAtoms() > left:
        return None
    return _joined(mol, _any(rng, carbons), piece, 0, Chem.BondType.DOUBLE)


def _close(mol: Chem.Mol, rng: np.random.Generator, left: int) -> Chem.Mol | None:
    """Two atoms with hydrogens are bound to each other, closing a ring of three to six."""
    del left
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() and not atom.GetIsAromatic()]
    distance = Chem.GetDistanceMatrix(mol)
    pairs = [(a, b) for a in free for b in free if a < b and 2 <= distance[a, b] <= 5]
    if not pairs:
        return None
    changed = Chem.RWMol(mol)
    changed.AddBond(*_any(rng, pairs), Chem.BondType.SINGLE)
    return changed


_GROWING = (*(_substitute,) * 4, _exchange, _exchange, _unsaturate, _double, _close)
_TURNING = (_exchange, _exchange, _unsaturate, _close)


def _has_carbon(mol: Chem.Mol) -> bool:
    return any(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms())


# ---- drug-like molecules ---------------------------------------------------------------------------------------


def _druglike(rng: np.random.Generator) -> Chem.Mol | None:
    mol = _fragment(_any(rng, RING_SYSTEMS))
    for _ in range(1 if rng.random() < 0.7 else 2):
        linker, ring = _any(rng, LINKERS), _fragment(_any(rng, RING_SYSTEMS))
        mol = _sane(_linked(mol, rng, linker, ring)) or mol
    for _ in range(int(rng.integers(4))):
        piece = _fragment(_any(rng, DECORATIONS))
        mol = _sane(_joined(mol, _open(mol, rng, carbons=True), piece, 0)) or mol
    return mol if _reads_as_drug(mol) else None


def _linked(mol: Chem.Mol, rng: np.random.Generator, linker: str, ring: Chem.Mol) -> Chem.Mol | None:
    here, there = _open(mol, rng), _open(ring, rng)
    if linker == DIRECT_BOND:
        return _joined(mol, here, ring, there)
    chain, begun = _fragment(linker), mol.GetNumAtoms()
    marks = [atom for atom in chain.GetAtoms() if atom.GetAtomicNum() == 0]
    first, last = (mark.GetNeighbors()[0].GetIdx() for mark in marks)
    both = _joined(_joined(mol, here, chain, first), begun + last, ring, there)
    if both is None:
        return None
    for mark in reversed(marks):
        both.RemoveAtom(begun + mark.GetIdx())
    return both


def _reads_as_drug(mol: Chem.Mol) -> bool:
    """Within Lipinski's rules (doi:10.1016/S0169-409X(00)00129-0) and Veber's (doi:10.1021/jm020017n)."""
    return (
        10 <= mol.GetNumAtoms() <= MAX_DRUGLIKE_HEAVY_ATOMS
        and rdMolDescriptors.CalcNumHBD(mol) <= 5
        and rdMolDescriptors.CalcNumHBA(mol) <= 10
        and rdMolDescriptors.CalcNumRotatableBonds(mol) <= 10
        and rdMolDescriptors.CalcTPSA(mol) <= 140
        and Descriptors.MolWt(mol) <= 500
        and Crippen.MolLogP(mol) <= 5
    )


# ---- pieces ----------------------------------------------------------------------------------------------------


@cache
def _fragment(smiles: str) -> Chem.Mol:
    return Chem.MolFromSmiles(smiles)


def _any(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    return items[int(rng.integers(len(items)))]


def _sane(mol: Chem.Mol | None) -> Chem.Mol | None:
    """The molecule with its valences checked and its aromaticity told anew; None where it cannot be."""
    if mol is None or Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    return mol.GetMol() if isinstance(mol, Chem.RWMol) else mol


def _joined(
    mol: Chem.Mol | None,
    here: int | None,
    piece: Chem.Mol,
    there: int | None,
    bond: Chem.BondType = Chem.BondType.SINGLE,
) -> Chem.RWMol | None:
    """A molecule and a piece with a bond between an atom of each, not sanitised."""
    if mol is None or here is None or there is None:
        return None
    both = Chem.RWMol(Chem.CombineMols(mol, piece))
    for end in (here, mol.GetNumAtoms() + there):
        atom = both.GetAtomWithIdx(end)
        atom.SetNumExplicitHs(max(0, atom.GetNumExplicitHs() - 1))
    both.AddBond(here, mol.GetNumAtoms() + there, bond)
    return both


def _open(mol: Chem.Mol, rng: np.random.Generator, carbons: bool = False) -> int | None:
    """An atom that has a hydrogen to give."""
    atoms = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetTotalNumHs() > 0 and (not carbons or atom.GetAtomicNum() == 6)
    ]
    return _any(rng, atoms) if atoms else None
