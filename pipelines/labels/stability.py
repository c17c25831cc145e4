"""Structural filters for unstable functional groups and strained rings."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Any

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

UNSTABLE_GROUPS = {
    "peroxide": "[OX2]-[OX2]",
    "hydrazine or chain of nitrogens": "[NX3;!$([N+])]-[N;!$([N+])]",
    "hydroxylamine": "[NX3;!$([N+])]-[OX2]",
    "sulphur bound to nitrogen or oxygen by a single bond": "[SX2]-[N,O,S]",
    "halogen bound to nitrogen, oxygen or sulphur": "[N,n,O,S]-[F,Cl,Br,I]",
    "hemiacetal or hemiaminal": "[CX4]([OX2H])[O,N,n,S,F,Cl,Br,I]",
    "aminal with a free NH": "[CX4]([NX3;H1,H2;!$(N-C=[O,N])])[O,N,n,S,F,Cl,Br,I]",
    "α-halogenated ether or amine": "[CX4;!$(C(F)F)]([O,N,S])[F,Cl,Br,I]",
    "α-halogenated amine": "[CX4]([NX3])[F,Cl,Br,I]",
    "orthoester": "[CX4]([O,N,S])([O,N,S])[O,N,S]",
    "enol": "[C;!a]=[C;!a]-[OX2H]",
    "enamine with a free NH": "[C;!a]=[C;!a]-[NX3;H1,H2;!$(N-C=O)]",
    "nitroso": "C-[NX2]=O",
    "imidic acid": "[C;!a](=[N;!a])-[OX2H]",
    "imine with a free NH": "[C;!a]=[NX2;H1]",
    "acyl halide": "[CX3](=O)[F,Cl,Br,I]",
    "carbonic or carbamic acid": "[OX2H][CX3](=O)[O,N]",
    "anhydride": "[CX3](=O)[OX2][CX3]=O",
    "ynol, ynamine or their like": "C#C-[O,N,S,F]",
    "cyanate": "N#C-[O,F]",
    "acyl cyanide": "N#C-[CX3]=O",
    "vicinal tricarbonyl": "O=[CX3][CX3](=O)[CX3]=O",
    "cumulene": "*=C=*",
    "triple bond in a ring": "[R]#[R]",
    "double bond in a ring of three": "[r3]=,:;@[r3]",
    "double bond at the seam of a small ring": "[R2;r3,r4]=,:*",
    "neighbouring double bonds out of a ring of three": "[r3](=*)[r3]=*",
    "aromatic ring of three or four": "[a;r3,a;r4]",
    "three nitrogens in a row in a ring of six": "[n;r6]:[n;r6]:[n;r6]",
    "hydroxyl on an aromatic ring of five": "[OX2H][c;r5]",
    "carbonyl in a ring of three": "[C;r3]=[O,N]",
    "diene in a ring of four": "[r4]=[*;r4]-[*;r4]=[r4]",
    "two heteroatoms in a ring of three": "[N,O,S;r3]~[N,O,S;r3]",
    "ring of four with two heteroatoms": "[N,O,S;r4]-;@[N,O,S;r4]",
    "divinyl ether": "[C;!a]=[C;!a]-O-[C;!a]=[C;!a]",
    "three heteroatoms in a row": "[N,O;+0;!a]-[N,O;+0;!a]-,=[N,O;+0;!a]",
}  # fmt: skip
"""SMARTS patterns of excluded groups, by name."""

_MAX_FUSED_SIZE = 7
"""Two fused rings must have more atoms together than this, which excludes bicyclobutane and housane."""


@cache
def _patterns() -> tuple[tuple[str, Chem.Mol], ...]:
    return tuple((name, Chem.MolFromSmarts(smarts)) for name, smarts in UNSTABLE_GROUPS.items())


def find_instability(mol: Chem.Mol) -> str | None:
    """Name an unstable group or strained ring of a molecule; None if there is none.

    The rules are fewer and stricter than those of GDB-17 (doi:10.1021/ci300415d), which keeps some of these groups.

    Parameters
    ----------
    mol
        Sanitised molecule with implicit hydrogens.
    """
    for name, pattern in _patterns():
        if mol.HasSubstructMatch(pattern):
            return name
    rings = [set(ring) for ring in mol.GetRingInfo().AtomRings()]
    return _strained(mol, rings) if len(rings) > 1 else None


def _strained(mol: Chem.Mol, rings: Sequence[set[int]]) -> str | None:
    small = [ring for ring in rings if len(ring) <= 4]
    if len(small) > 2:
        return "more than two rings of three or four"
    for first, second in combinations(rings, 2):
        if len(first & second) > 1 and len(first) + len(second) <= _MAX_FUSED_SIZE:
            return "two small rings that share a bond"
        if len(first & second) > 1 and min(len(first), len(second)) == 3 and _aromatic(mol, first | second):
            return "a ring of three fused to an aromatic ring"
    bridgeheads: Any = []
    rdMolDescriptors.CalcNumBridgeheadAtoms(mol, atoms=bridgeheads)
    for index in bridgeheads:
        if mol.GetAtomWithIdx(index).GetHybridization() != Chem.HybridizationType.SP3:
            return "a flat atom at a bridgehead (Bredt's rule)"
    return None


def _aromatic(mol: Chem.Mol, atoms: set[int]) -> bool:
    return any(mol.GetAtomWithIdx(index).GetIsAromatic() for index in atoms)
