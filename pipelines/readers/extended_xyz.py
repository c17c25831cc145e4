"""Plain and extended XYZ: the comment holds key=value pairs, and Properties defines the columns of the atom lines.

https://github.com/libAtoms/extxyz
"""

import re
from functools import lru_cache

from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.numbers import parse_number

_ELEMENTS = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca",
    "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",
    "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce",
    "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir",
    "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm",
    "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc",
    "Lv", "Ts", "Og",
)  # fmt: skip
_PAIR = re.compile(r"""([A-Za-z_][\w.\-]*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|\{[^}]*\}|\S+)""")
_WIDTHS = "SRIL"


def parse_frame(line: int, comment: str, atoms: list[list[str]]) -> MoleculeRecord:
    """Parse one frame.

    Parameters
    ----------
    line
        Line number of the header.
    comment
        Comment line.
    atoms
        Words of each atom line.

    Raises
    ------
    ValueError
        Properties does not match the atom lines, positions are missing or not numbers, the cell is periodic, or the
        charge is not an integer.
    """
    fields = {
        key: value.strip("\"'{}").replace('\\"', '"').replace("\\\\", "\\") for key, value in _PAIR.findall(comment)
    }
    symbol, position = _columns(fields.pop("Properties", "species:S:1:pos:R:3"))
    _check_periodicity({name.lower(): value for name, value in fields.items()})
    smiles = next((fields[key] for key in fields if key.lower() == "smiles"), "")
    charge = next((fields[key] for key in fields if key.lower() in ("charge", "total_charge")), "0")
    if not parse_number(charge).is_integer():
        raise ValueError(f"charge {charge} is not an integer")
    return MoleculeRecord(
        line=line,
        text=smiles or comment.strip(),
        smiles=smiles,
        symbols=tuple(element_symbol(words[symbol]) for words in atoms),
        positions=tuple(parse_position(words[position : position + 3]) for words in atoms),
        charge=round(parse_number(charge)),
        fields=fields,
    )


@lru_cache(maxsize=1024)
def element_symbol(text: str) -> str:
    """Return the symbol of an element, also from capital letters, a numbered label, or an atomic number."""
    if text.isascii() and text.isdecimal():
        if not 1 <= int(text[:4]) <= len(_ELEMENTS):
            raise ValueError(f"no element has the atomic number {text[:20]}")
        return _ELEMENTS[int(text) - 1]
    letters = re.match(r"[A-Za-z]{1,2}", text)
    if letters is None:
        raise ValueError(f"not an element: {text[:20]!r}")
    return letters[0].capitalize()


def parse_position(texts: list[str]) -> tuple[float, float, float]:
    """Parse the three coordinates of an atom [Å]."""
    if len(texts) != 3:
        raise ValueError(f"{len(texts)} coordinates, expected three")
    x, y, z = texts
    return parse_number(x.replace("*^", "e")), parse_number(y.replace("*^", "e")), parse_number(z.replace("*^", "e"))


def _check_periodicity(fields: dict[str, str]) -> None:
    """Check that the cell is not periodic: by definition, a Lattice without pbc is."""
    if "pbc" not in fields:
        if "lattice" in fields:
            raise ValueError(
                'periodic: a crystal, not a molecule (a Lattice without pbc implies pbc="T T T"; a molecule in a box '
                'has pbc="F F F")'
            )
        return
    flags = re.findall(r"\w+", fields["pbc"])
    periodic = [
        {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}.get(f.lower()) for f in flags
    ]
    if not flags or None in periodic:
        raise ValueError(f"pbc={fields['pbc'][:40]!r} is not T or F for each direction")
    if any(periodic):
        raise ValueError(f'periodic: a crystal, not a molecule (pbc="{fields["pbc"][:40]}")')


def _columns(properties: str) -> tuple[int, int]:
    """Return the column of the species, and the first column of the positions."""
    parts = properties.split(":")
    names, widths = parts[::3], [int(width) for width in parts[2::3]]
    if len(parts) % 3 or any(kind not in _WIDTHS for kind in parts[1::3]):
        raise ValueError(f"Properties={properties[:60]} is not a list of name:type:columns")
    starts = {name: sum(widths[:n]) for n, name in enumerate(names)}
    species = next((starts[name] for name in ("species", "Z", "numbers") if name in starts), None)
    if species is None or "pos" not in starts:
        raise ValueError(f"Properties={properties[:60]} lacks species (or Z) or pos")
    return species, starts["pos"]
