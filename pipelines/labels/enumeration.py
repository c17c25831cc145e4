"""Enumeration of molecules from fragments: small molecules as in QM9, and drug-like molecules."""

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
"""Intended frequency of each number of heavy atoms among QM9-like molecules."""
DRUGLIKE_FRACTION = 0.25
"""Fraction of drug-like molecules in a mixed set."""
MAX_DRUGLIKE_HEAVY_ATOMS = 24
"""Largest number of heavy atoms of a drug-like molecule."""

_MAX_FAILURES = 20_000
"""Consecutive attempts without a new molecule after which the chemical space counts as exhausted."""
_T = TypeVar("_T")


def enumerate_molecules(count: int, seed: int, kind: Kind = "qm9") -> list[str]:
    """Enumerate molecules by combining fragments.

    Every molecule is neutral, closed-shell and free of the groups of `tenfold.pipelines.labels.stability`. No two share
    the first block of their InChIKey, which excludes tautomers. Stereocentres are unspecified. The molecules of a
    smaller count are the first of a larger one.

    Parameters
    ----------
    count
        Number of molecules.
    seed
        The same seed gives the same molecules.
    kind
        "qm9": up to nine heavy atoms of C, N, O and F, grown from small rings and chains by substitution, exchange of
        atoms, unsaturation and ring closure. "druglike": two or three substituted ring systems joined by linkers,
        within Lipinski's and Veber's rules, at most 24 heavy atoms, also with S, Cl and Br. "mixed": a quarter
        drug-like, the rest as in QM9.

    Returns
    -------
    list of str
        Canonical SMILES.

    Raises
    ------
    ValueError
        The kind is unknown, or the fragments do not yield so many molecules.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: found {kind!r}, must be one of {', '.join(KINDS)}")
    molecules = list(islice(_stream(seed, kind), count))
    if len(molecules) < count:
        raise ValueError(
            f"count: found {count}, but only {len(molecules)} molecules of kind {kind} could be enumerated"
        )
    return molecules


def _stream(seed: int, kind: Kind) -> Iterator[str]:
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    seen: set[str] = set()
    failures = 0
    with rdBase.BlockLogs():
        while failures < _MAX_FAILURES:
            druglike = kind == "druglike" or (kind == "mixed" and rng.random() < DRUGLIKE_FRACTION)
            failures += 1
            mol = _druglike(rng) if druglike else _qm9like(rng)
            if mol is None or find_instability(mol) is not None:
                continue
            skeleton = Chem.MolToInchiKey(mol)[:14]
            if skeleton and skeleton not in seen:
                seen.add(skeleton)
                failures = 0
                yield Chem.MolToSmiles(mol)


# ---- small molecules -------------------------------------------------------------------------------------------


def _qm9like(rng: np.random.Generator) -> Chem.Mol | None:
    sizes = np.array(list(HEAVY_ATOM_FREQUENCIES))
    size = rng.choice(sizes, p=np.array(list(HEAVY_ATOM_FREQUENCIES.values())))
    mol = _fragment(_choose(rng, CORES))
    if mol.GetNumAtoms() > size:
        return None
    for _ in range(12):
        n_free = int(size) - mol.GetNumAtoms()
        if n_free == 0 and rng.random() < 0.6:
            break
        change = _choose(rng, _GROWTH_STEPS if n_free else _CHANGES)
        mol = _sanitise(change(mol, rng, n_free)) or mol
    rings = rdMolDescriptors.CalcNumRings(mol)
    return mol if mol.GetNumAtoms() == size and rings <= 4 and _has_carbon(mol) else None


def _substitute(mol: Chem.Mol, rng: np.random.Generator, n_free: int) -> Chem.Mol | None:
    """Replace a hydrogen by a substituent."""
    substituent = _fragment(_choose(rng, SUBSTITUENTS))
    return _join(mol, _draw_atom(mol, rng), substituent, 0) if substituent.GetNumAtoms() <= n_free else None


def _exchange(mol: Chem.Mol, rng: np.random.Generator, n_free: int) -> Chem.Mol | None:
    """Replace a carbon by N or O: CH3, CH2 and CH as the valences allow, aromatic CH by N."""
    del n_free
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
        element = _choose(rng, choices)
    changed = Chem.RWMol(mol)
    changed.GetAtomWithIdx(atom.GetIdx()).SetAtomicNum(element)
    return changed


def _unsaturate(mol: Chem.Mol, rng: np.random.Generator, n_free: int) -> Chem.Mol | None:
    """Make a single bond double, or a double bond triple, where both atoms have a hydrogen."""
    del n_free
    bonds = [
        bond
        for bond in mol.GetBonds()
        if bond.GetBondType() in (Chem.BondType.SINGLE, Chem.BondType.DOUBLE)
        and bond.GetBeginAtom().GetTotalNumHs() > 0
        and bond.GetEndAtom().GetTotalNumHs() > 0
    ]
    if not bonds:
        return None
    bond = _choose(rng, bonds)
    changed = Chem.RWMol(mol)
    double = bond.GetBondType() == Chem.BondType.SINGLE
    changed.GetBondWithIdx(bond.GetIdx()).SetBondType(Chem.BondType.DOUBLE if double else Chem.BondType.TRIPLE)
    return changed


def _double(mol: Chem.Mol, rng: np.random.Generator, n_free: int) -> Chem.Mol | None:
    """Turn a CH2 or CH3 into C=O, C=CH2 or C=N-OH."""
    carbons = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetSymbol() == "C" and atom.GetTotalNumHs() > 1]
    substituent = _fragment(_choose(rng, ("O", "O", "O", "C", "NO")))
    if not carbons or substituent.GetNumAtoms() > n_free:
        return None
    return _join(mol, _choose(rng, carbons), substituent, 0, Chem.BondType.DOUBLE)


def _close(mol: Chem.Mol, rng: np.random.Generator, n_free: int) -> Chem.Mol | None:
    """Bond two atoms with hydrogens to each other, closing a ring of three to six atoms."""
    del n_free
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() and not atom.GetIsAromatic()]
    distance = Chem.GetDistanceMatrix(mol)
    pairs = [(a, b) for a in free for b in free if a < b and 2 <= distance[a, b] <= 5]
    if not pairs:
        return None
    changed = Chem.RWMol(mol)
    changed.AddBond(*_choose(rng, pairs), Chem.BondType.SINGLE)
    return changed


_GROWTH_STEPS = (*(_substitute,) * 4, _exchange, _exchange, _unsaturate, _double, _close)
_CHANGES = (_exchange, _exchange, _unsaturate, _close)


def _has_carbon(mol: Chem.Mol) -> bool:
    return any(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms())


# ---- drug-like molecules ---------------------------------------------------------------------------------------


def _druglike(rng: np.random.Generator) -> Chem.Mol | None:
    mol = _fragment(_choose(rng, RING_SYSTEMS))
    for _ in range(1 if rng.random() < 0.7 else 2):
        linker, ring = _choose(rng, LINKERS), _fragment(_choose(rng, RING_SYSTEMS))
        mol = _sanitise(_link(mol, rng, linker, ring)) or mol
    for _ in range(int(rng.integers(4))):
        substituent = _fragment(_choose(rng, DECORATIONS))
        mol = _sanitise(_join(mol, _draw_atom(mol, rng, carbons=True), substituent, 0)) or mol
    return mol if _is_druglike(mol) else None


def _link(mol: Chem.Mol, rng: np.random.Generator, linker: str, ring: Chem.Mol) -> Chem.Mol | None:
    atom, ring_atom = _draw_atom(mol, rng), _draw_atom(ring, rng)
    if linker == DIRECT_BOND:
        return _join(mol, atom, ring, ring_atom)
    chain, offset = _fragment(linker), mol.GetNumAtoms()
    dummies = [dummy for dummy in chain.GetAtoms() if dummy.GetAtomicNum() == 0]
    first, last = (dummy.GetNeighbors()[0].GetIdx() for dummy in dummies)
    joined = _join(_join(mol, atom, chain, first), offset + last, ring, ring_atom)
    if joined is None:
        return None
    for dummy in reversed(dummies):
        joined.RemoveAtom(offset + dummy.GetIdx())
    return joined


def _is_druglike(mol: Chem.Mol) -> bool:
    """Check the rules of Lipinski (doi:10.1016/S0169-409X(00)00129-0) and Veber (doi:10.1021/jm020017n)."""
    return (
        10 <= mol.GetNumAtoms() <= MAX_DRUGLIKE_HEAVY_ATOMS
        and rdMolDescriptors.CalcNumHBD(mol) <= 5
        and rdMolDescriptors.CalcNumHBA(mol) <= 10
        and rdMolDescriptors.CalcNumRotatableBonds(mol) <= 10
        and rdMolDescriptors.CalcTPSA(mol) <= 140
        and Descriptors.MolWt(mol) <= 500
        and Crippen.MolLogP(mol) <= 5
    )


# ---- fragments -------------------------------------------------------------------------------------------------


@cache
def _fragment(smiles: str) -> Chem.Mol:
    return Chem.MolFromSmiles(smiles)


def _choose(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    return items[int(rng.integers(len(items)))]


def _sanitise(mol: Chem.Mol | None) -> Chem.Mol | None:
    """Sanitise a molecule; None if its valences are invalid."""
    if mol is None or Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    return mol.GetMol() if isinstance(mol, Chem.RWMol) else mol


def _join(
    mol: Chem.Mol | None,
    atom: int | None,
    fragment: Chem.Mol,
    fragment_atom: int | None,
    bond: Chem.BondType = Chem.BondType.SINGLE,
) -> Chem.RWMol | None:
    """Bond a fragment to a molecule, between an atom of each; the result is not sanitised."""
    if mol is None or atom is None or fragment_atom is None:
        return None
    joined = Chem.RWMol(Chem.CombineMols(mol, fragment))
    for index in (atom, mol.GetNumAtoms() + fragment_atom):
        end = joined.GetAtomWithIdx(index)
        end.SetNumExplicitHs(max(0, end.GetNumExplicitHs() - 1))
    joined.AddBond(atom, mol.GetNumAtoms() + fragment_atom, bond)
    return joined


def _draw_atom(mol: Chem.Mol, rng: np.random.Generator, carbons: bool = False) -> int | None:
    """Draw an atom that has a hydrogen; None if there is none."""
    atoms = [
        atom.GetIdx()
        for atom in mol.GetAtoms()
        if atom.GetTotalNumHs() > 0 and (not carbons or atom.GetAtomicNum() == 6)
    ]
    return _choose(rng, atoms) if atoms else None
