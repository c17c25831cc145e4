"""XYZ files of QM9: fifteen properties in the comment, partial charges, frequencies, SMILES and InChI.

Layout and units: doi:10.1038/sdata.2014.22, table 3. Atomisation energies, to which published errors refer, are the
energies minus those of the free atoms in ``atomref.txt`` of the same archive; in kcal/mol, as in ``gdb9.sdf.csv``.
"""

from collections import Counter

from tenfold.pipelines.readers.extended_xyz import element_symbol, parse_position
from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.numbers import parse_number

PROPERTY_NAMES = ("A", "B", "C", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "u0", "u298", "h298", "g298", "cv")
UNITS = {
    "A": "GHz", "B": "GHz", "C": "GHz", "mu": "D", "alpha": "a0^3", "homo": "Ha", "lumo": "Ha", "gap": "Ha",
    "r2": "a0^2", "zpve": "Ha", "u0": "Ha", "u298": "Ha", "h298": "Ha", "g298": "Ha", "cv": "cal/mol/K",
    "u0_atom": "kcal/mol", "u298_atom": "kcal/mol", "h298_atom": "kcal/mol", "g298_atom": "kcal/mol", "omega1": "cm^-1",
}  # fmt: skip
"""Units of the properties, here and in ``gdb9.sdf.csv``; omega1, only in the XYZ files, is the highest frequency."""
SIGNATURE_COLUMNS = frozenset({"mol_id", "u0_atom", "r2", "zpve", "cv"})
"""Columns that identify a table as QM9."""
FREE_ATOM_ENERGIES = {
    "u0": {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730},
    "u298": {"H": -0.498857, "C": -37.845355, "N": -54.582445, "O": -75.063163, "F": -99.717314},
    "h298": {"H": -0.497912, "C": -37.844411, "N": -54.581501, "O": -75.062219, "F": -99.716370},
    "g298": {"H": -0.510927, "C": -37.861317, "N": -54.598897, "O": -75.079532, "F": -99.733544},
}
"""Energies of the free atoms [Ha]."""
_HARTREE_KCAL_MOL = 627.5094738898777


def is_qm9_comment(comment: str) -> bool:
    """Whether a comment line is that of a QM9 file."""
    return comment.startswith("gdb ") and len(comment.split()) >= 2 + len(PROPERTY_NAMES)


def parse_frame(line: int, comment: str, atoms: list[list[str]], below: list[str]) -> MoleculeRecord:
    """Parse one molecule.

    Parameters
    ----------
    line, comment, atoms
        As for `tenfold.pipelines.readers.extended_xyz.parse_frame`.
    below
        The three lines after the atoms: frequencies, SMILES, InChI.

    Raises
    ------
    ValueError
        A value is not a number, or an element does not occur in QM9.
    """
    _, index, *values = comment.split()
    symbols = tuple(element_symbol(words[0]) for words in atoms)
    fields: dict[str, str] = dict(zip(PROPERTY_NAMES, (value.replace("*^", "e") for value in values), strict=False))
    counts = Counter(symbols)
    if set(counts) - set(FREE_ATOM_ENERGIES["u0"]):
        raise ValueError(
            f"element {sorted(set(counts) - set(FREE_ATOM_ENERGIES['u0']))[0]}, which does not occur in QM9"
        )
    for name, free in FREE_ATOM_ENERGIES.items():
        atomisation = parse_number(fields[name]) - sum(free[symbol] * count for symbol, count in counts.items())
        fields[f"{name}_atom"] = repr(atomisation * _HARTREE_KCAL_MOL)
    if below[0].split():
        fields["omega1"] = repr(max(map(parse_number, below[0].replace("*^", "e").split())))
    smiles = below[1].split()
    return MoleculeRecord(
        line=line,
        text=smiles[-1] if smiles else f"gdb_{index}",
        smiles=smiles[-1] if smiles else "",
        symbols=symbols,
        positions=tuple(parse_position(words[1:4]) for words in atoms),
        fields={"mol_id": f"gdb_{index}", **fields},
    )
