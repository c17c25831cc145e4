"""Tables of molecules: CSV, TSV, or semicolons between the columns; a header row; the SMILES in one column."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import Entry, Lines

MISSING = frozenset({"", "na", "n/a", "nan", "none", "null"})
"""What stands in a table where nothing was measured, in lower case."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a table's header says."""

    columns: tuple[str, ...]
    delimiter: str

    def smiles_column(self, wanted: str, source: str) -> str:
        """The column of the SMILES: the one named, or `smiles` in any case.

        Raises
        ------
        InputError
            There is none: the message names the columns that there are.
        """
        if wanted in self.columns:
            return wanted
        found = [column for column in self.columns if column.lower() == "smiles"]
        if wanted or not found:
            missing = f"no column {wanted!r}" if wanted else "no column smiles"
            raise InputError(f"{source}: {missing}; its columns are {', '.join(self.columns)}. Set smiles_column.")
        return found[0]


def header(lines: Lines, source: str) -> Table:
    """Read the header row.

    Raises
    ------
    InputError
        The file is empty, or names a column twice.
    """
    first = next(lines, "")
    if not first.strip():
        raise InputError(f"{source}: empty; a table of molecules begins with a row of column names")
    delimiter = max(",\t;", key=first.count)
    columns = tuple(name.strip() for name in next(csv.reader([first], delimiter=delimiter)))
    twice = {name for name in columns if name and columns.count(name) > 1}
    if twice:
        raise InputError(f"{source}: column {sorted(twice)[0]!r} stands there twice. Rename one.")
    return Table(columns=columns, delimiter=delimiter)


def entries(lines: Lines, table: Table, smiles_column: str) -> Iterator[Entry]:
    """The rows below the header, from wherever `lines` stands; blank lines are passed over."""
    rows = csv.reader(lines, delimiter=table.delimiter)
    place = table.columns.index(smiles_column)
    while True:
        line = lines.line
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Entry(line=line, text="", problem=f"not a row of a table ({error})")
            continue
        if len(row) == len(table.columns):
            yield Entry(
                line=line, text=row[place], smiles=row[place], fields=dict(zip(table.columns, row, strict=True))
            )
        elif any(row):
            text = row[place] if place < len(row) else table.delimiter.join(row)
            yield Entry(line=line, text=text, problem=f"{len(row)} fields where the header has {len(table.columns)}")
