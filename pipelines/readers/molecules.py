"""Files of molecules: detection of the format from the content, and reading of records from any position."""

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
"""Extensions of files that are read in folders and archives, optionally followed by that of a compression."""
_COMPRESSED = re.compile(r"\.(gz|bz2|xz|zip)$")


@dataclass(frozen=True, kw_only=True)
class MoleculeFile:
    """File of molecules with its format, so that it can be read from any position."""

    data: DataFile
    """Plain file that holds the data."""
    format: Format
    table: TableHeader | None = None
    """Header, if the file is a table."""
    smiles_column: str = ""
    """Column of the SMILES, if the file is a table."""
    labels: DataFile | None = None
    """Separate table of labels."""
    start: FilePosition = FILE_START
    """Position of the first record."""
    split: str = ""
    """Published split of all its molecules; empty if the file name gives none."""


def inspect_file(data: DataFile, smiles_column: str, labels: DataFile | None) -> MoleculeFile:
    """Detect the format of a file from its first lines, or else from its name.

    Raises
    ------
    InputError
        The file is a table without a column of SMILES, or not text in the stated encoding.
    """
    if not data.bytes:
        return MoleculeFile(data=data, format="empty")
    with data.lines() as lines:
        head = [line for _, line in zip(range(4), lines, strict=False)]
    extension = _COMPRESSED.sub("", data.name.lower())
    if (head and head[0].strip().isdecimal()) or extension.endswith(_XYZ):
        return MoleculeFile(data=data, format="xyz", labels=labels)
    if any(version in line for line in head[3:] for version in ("V2000", "V3000")) or extension.endswith(_SDF):
        return MoleculeFile(data=data, format="sdf", labels=labels)
    header, has_header = molecule_table.smiles_list_header(head[0]) if extension.endswith(_LIST) else (None, True)
    with data.lines() as lines:
        if header is not None:
            start = FILE_START if not has_header or not next(lines) else lines.position
            return MoleculeFile(
                data=data, format="table", table=header, smiles_column="smiles", labels=labels, start=start
            )
        table = molecule_table.read_header(lines, data.name)
        column = table.smiles_column(smiles_column, data.name)
        return MoleculeFile(
            data=data, format="table", table=table, smiles_column=column, labels=labels, start=lines.position
        )


@dataclass(frozen=True, kw_only=True)
class RecordRange:
    """Consecutive records of a file."""

    file: MoleculeFile
    start: FilePosition
    """Position of the first record."""
    count: int
    """Number of records."""
    digest: str
    """Hexadecimal digest of their bytes."""
    first_row: int = 0
    """Index of the first record among all records with labels in the same table."""


def read_records(file: MoleculeFile, lines: LineReader) -> Iterator[MoleculeRecord]:
    """Yield the records from the current position of `lines` on."""
    match file.format:
        case "table":
            assert file.table is not None
            yield from molecule_table.read_records(lines, file.table, file.smiles_column)
        case "sdf":
            yield from sdf.read_records(lines)
        case "xyz":
            yield from xyz.read_records(lines)
        case "empty":
            yield MoleculeRecord(line=1, text="", problem="empty file")


def read_range(records: RecordRange) -> Iterator[MoleculeRecord]:
    """Yield the records of a range."""
    with records.file.data.lines(records.start) as lines:
        for _, entry in zip(range(records.count), read_records(records.file, lines), strict=False):
            yield entry
