"""Plain and extended XYZ: the comment is a list of key=value, and Properties says what the columns of atoms are.

https://github.com/libAtoms/extxyz
"""

import re
from functools import lru_cache

from tenfold.pipelines.readers.molecule import Entry

_PAIR = re.compile(r"""([A-Za-z_][\w.\-]*)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|\{[^}]*\}|\S+)""")
_WIDTHS = "SRIL"


def entry(line: int, comment: str, atoms: list[list[str]]) -> Entry:
    """One frame.

    Raises
    ------
    ValueError
        Properties promises columns that the atoms do not have, there are no positions, or one is no number.
    """
    fields = {
        key: value.strip("\"'{}").replace('\\"', '"').replace("\\\\", "\\") for key, value in _PAIR.findall(comment)
    }
    symbol, position = _columns(fields.pop("Properties", "species:S:1:pos:R:3"))
    for name, value in fields.items():
        if name.lower() == "pbc" and "T" in value.upper():
            raise ValueError("periodic: it is a crystal, not a molecule")
    smiles = next((fields[key] for key in fields if key.lower() == "smiles"), "")
    charge = fields.get("charge", "0")
    return Entry(
        line=line,
        text=smiles or comment.strip()[:80],
        smiles=smiles,
        symbols=tuple(symbol_of(each[symbol]) for each in atoms),
        positions=tuple(position_of(each[position : position + 3]) for each in atoms),
        charge=round(float(charge)),
        fields=fields,
    )


@lru_cache(maxsize=1024)
def symbol_of(text: str) -> str:
    """An element's symbol, also where a file shouts it or adds a number to it."""
    letters = re.match(r"[A-Za-z]{1,2}", text)
    if letters is None:
        raise ValueError(f"no element: {text[:20]!r}")
    return letters[0].capitalize()


def position_of(texts: list[str]) -> tuple[float, float, float]:
    """Three coordinates [Å]."""
    if len(texts) != 3:
        raise ValueError(f"{len(texts)} coordinates where three are meant")
    x, y, z = (float(text.replace("*^", "e")) for text in texts)
    return x, y, z


def _columns(properties: str) -> tuple[int, int]:
    """Where an atom's species and positions stand."""
    parts = properties.split(":")
    names, widths = parts[::3], [int(each) for each in parts[2::3]]
    if len(parts) % 3 or any(kind not in _WIDTHS for kind in parts[1::3]):
        raise ValueError(f"Properties={properties[:60]} is not a list of name:type:columns")
    starts = {name: sum(widths[:n]) for n, name in enumerate(names)}
    if "species" not in starts or "pos" not in starts:
        raise ValueError(f"Properties={properties[:60]} names no species or no pos")
    return starts["species"], starts["pos"]
