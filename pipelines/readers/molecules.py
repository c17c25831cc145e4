"""Which format a file of molecules has, told by what is in it; and its molecules from any place on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tenfold.pipelines.readers import molecule_table, sdf, xyz
from tenfold.pipelines.readers.archives import DataFile
from tenfold.pipelines.readers.molecule import FILE_START, FilePosition, LineReader, MoleculeRecord
from tenfold.pipelines.readers.molecule_table import TableHeader

Format = Literal["table", "sdf", "xyz", "empty"]

_SDF, _XYZ, _LIST = (".sdf", ".sd", ".mol"), (".xyz", ".extxyz"), (".smi", ".smiles", ".ism")
FILE_ENDINGS = (".csv", ".tsv", *_LIST, *_SDF, *_XYZ)
"""Files that are looked at in folders and archives, also with a compression's ending behind."""
_PACKED = re.compile(r"\.(gz|bz2|xz|zip)$")


@dataclass(frozen=True, kw_only=True)
class MoleculeFile:
    """What must be known of a piece to read it from any place on."""

    data: DataFile
    format: Format
    table: TableHeader | None = None
    """Its header, if it is a table."""
    smiles_column: str = ""
    labels: DataFile | None = None
    """Table that has its molecules' labels."""
    start: FilePosition = FILE_START
    """Where its first molecule begins."""
    split: str = ""
    """That a published split puts all its molecules into; empty where its name does not decide."""


def inspect_file(piece: DataFile, smiles_column: str, labels: DataFile | None) -> MoleculeFile:
    """Look at how a piece begins; its name counts where that says nothing.

    Raises
    ------
    InputError
        It is a table without the column of the SMILES, or not a text in the encoding stated.
    """
    if not piece.bytes:
        return MoleculeFile(data=piece, format="empty")
    with piece.lines() as lines:
        head = [line for _, line in zip(range(4), lines, strict=False)]
    ending = _PACKED.sub("", piece.name.lower())
    if (head and head[0].strip().isdecimal()) or ending.endswith(_XYZ):
        return MoleculeFile(data=piece, format="xyz", labels=labels)
    if any(version in line for line in head[3:] for version in ("V2000", "V3000")) or ending.endswith(_SDF):
        return MoleculeFile(data=piece, format="sdf", labels=labels)
    listed, named = molecule_table.smiles_list_header(head[0]) if ending.endswith(_LIST) else (None, True)
    with piece.lines() as lines:
        if listed is not None:
            start = FILE_START if not named or not next(lines) else lines.position
            return MoleculeFile(
                data=piece, format="table", table=listed, smiles_column="smiles", labels=labels, start=start
            )
        table = molecule_table.read_header(lines, piece.name)
        column = table.smiles_column(smiles_column, piece.name)
        return MoleculeFile(
            data=piece, format="table", table=table, smiles_column=column, labels=labels, start=lines.position
        )


@dataclass(frozen=True, kw_only=True)
class RecordRange:
    """Molecules of a piece that follow each other."""

    file: MoleculeFile
    start: FilePosition
    count: int
    digest: str
    """Of the bytes they were read from: hexadecimal."""
    first_row: int = 0
    """Place of the first one among all molecules whose labels stand in the same table."""


def read_records(described: MoleculeFile, lines: LineReader) -> Iterator[MoleculeRecord]:
    """The molecules from wherever `lines` stands."""
    match described.format:
        case "table":
            assert described.table is not None
            yield from molecule_table.read_records(lines, described.table, described.smiles_column)
        case "sdf":
            yield from sdf.read_records(lines)
        case "xyz":
            yield from xyz.read_records(lines)
        case "empty":
            yield MoleculeRecord(line=1, text="", problem="empty file")


def read_range(span: RecordRange) -> Iterator[MoleculeRecord]:
    """The molecules of a span."""
    with span.file.data.lines(span.start) as lines:
        for _, entry in zip(range(span.count), read_records(span.file, lines), strict=False):
            yield entry
