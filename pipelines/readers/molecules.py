"""Which format a file of molecules has, told by what is in it; and its molecules from any place on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tenfold.pipelines.readers import molecule_table, sdf, xyz
from tenfold.pipelines.readers.archives import Piece
from tenfold.pipelines.readers.molecule import BEGINNING, Entry, Lines, Mark
from tenfold.pipelines.readers.molecule_table import Table

Format = Literal["table", "sdf", "xyz", "empty"]

_SDF, _XYZ, _LIST = (".sdf", ".sd", ".mol"), (".xyz", ".extxyz"), (".smi", ".smiles", ".ism")
ENDINGS = (".csv", ".tsv", *_LIST, *_SDF, *_XYZ)
"""Files that are looked at in folders and archives, also with a compression's ending behind."""
_PACKED = re.compile(r"\.(gz|bz2|xz|zip)$")


@dataclass(frozen=True, kw_only=True)
class Described:
    """What must be known of a piece to read it from any place on."""

    piece: Piece
    format: Format
    table: Table | None = None
    """Its header, if it is a table."""
    smiles_column: str = ""
    labels: Piece | None = None
    """Table that has its molecules' labels."""
    start: Mark = BEGINNING
    """Where its first molecule begins."""
    split: str = ""
    """That a published split puts all its molecules into; empty where its name does not decide."""


def describe(piece: Piece, smiles_column: str, labels: Piece | None) -> Described:
    """Look at how a piece begins; its name counts where that says nothing.

    Raises
    ------
    InputError
        It is a table without the column of the SMILES, or not a text in the encoding stated.
    """
    if not piece.bytes:
        return Described(piece=piece, format="empty")
    with piece.lines() as lines:
        head = [line for _, line in zip(range(4), lines, strict=False)]
    ending = _PACKED.sub("", piece.name.lower())
    if (head and head[0].strip().isdecimal()) or ending.endswith(_XYZ):
        return Described(piece=piece, format="xyz", labels=labels)
    if any(version in line for line in head[3:] for version in ("V2000", "V3000")) or ending.endswith(_SDF):
        return Described(piece=piece, format="sdf", labels=labels)
    listed, named = molecule_table.smiles_list(head[0]) if ending.endswith(_LIST) else (None, True)
    with piece.lines() as lines:
        if listed is not None:
            start = BEGINNING if not named or not next(lines) else lines.mark
            return Described(
                piece=piece, format="table", table=listed, smiles_column="smiles", labels=labels, start=start
            )
        table = molecule_table.header(lines, piece.name)
        column = table.smiles_column(smiles_column, piece.name)
        return Described(
            piece=piece, format="table", table=table, smiles_column=column, labels=labels, start=lines.mark
        )


@dataclass(frozen=True, kw_only=True)
class Span:
    """Molecules of a piece that follow each other."""

    described: Described
    mark: Mark
    count: int
    digest: str
    """Of the bytes they were read from: hexadecimal."""
    first: int = 0
    """Place of the first one among all molecules whose labels stand in the same table."""


def entries(described: Described, lines: Lines) -> Iterator[Entry]:
    """The molecules from wherever `lines` stands."""
    match described.format:
        case "table":
            assert described.table is not None
            yield from molecule_table.entries(lines, described.table, described.smiles_column)
        case "sdf":
            yield from sdf.entries(lines)
        case "xyz":
            yield from xyz.entries(lines)
        case "empty":
            yield Entry(line=1, text="", problem="empty file")


def read(span: Span) -> Iterator[Entry]:
    """The molecules of a span."""
    with span.described.piece.lines(span.mark) as lines:
        for _, entry in zip(range(span.count), entries(span.described, lines), strict=False):
            yield entry
