"""Tables of molecules: CSV, TSV, semicolon-separated, or lists of SMILES and names (``.smi``)."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord

MISSING_VALUES = frozenset({"", "na", "n/a", "nan", "none", "null"})
"""Cells that denote a missing value, in lower case."""
WHITESPACE = ""
"""Delimiter of a list of SMILES: the name follows the first whitespace."""
_MAX_LINES = 1000
"""Largest number of lines of a row: a quote that stays open longer counts as stray."""


@dataclass(frozen=True, kw_only=True)
class TableHeader:
    """Columns and delimiter of a table."""

    header: tuple[str, ...]
    """Names of the columns in the file; they may be empty or repeated."""
    columns: tuple[str, ...]
    """Unique names of the columns: `column_3` for the third if it has no name, `y_2` and `y_5` for the second and fifth
    if both are called y."""
    delimiter: str

    def smiles_column(self, requested: str, source: str) -> str:
        """Return the column of the SMILES: the requested one, or `smiles` in any case.

        Raises
        ------
        InputError
            There is no such column; the message lists the columns.
        """
        if requested and requested in self.columns:
            return requested
        candidates = [column for column in self.columns if column.lower() == "smiles"]
        if requested or not candidates:
            raise InputError(f"{source}: {self.missing(requested or 'smiles')} Set smiles_column.")
        return candidates[0]

    def missing(self, *names: str) -> str:
        """Message that columns are missing, with the list of those that exist."""
        repeated = [name for name in names if self.header.count(name) > 1 and name]
        if repeated:
            renamed = [unique for unique, name in zip(self.columns, self.header, strict=True) if name == repeated[0]]
            return f"{len(renamed)} columns are called {repeated[0]!r}; they are read as {', '.join(renamed)}."
        quoted = ", ".join(map(repr, names)) if names != ("smiles",) else "smiles"
        return f"no column {quoted}; its columns are {', '.join(self.columns)}."


def read_header(lines: LineReader, source: str) -> TableHeader:
    """Read the header row.

    Raises
    ------
    InputError
        The file is empty, or its first line is not a header.
    """
    first = next(lines, "")
    if not first.strip():
        raise InputError(f"{source}: empty; a table of molecules starts with a row of column names")
    delimiter = max(",\t;", key=first.count)
    row, reason = _row(first, lines, delimiter, 0)
    if reason:
        raise InputError(f"{source}, line 1: {reason}; a table of molecules starts with a row of column names")
    names = tuple(name.strip() for name in row)
    return TableHeader(header=names, columns=unique_names(names), delimiter=delimiter)


def smiles_list_header(first: str) -> tuple[TableHeader | None, bool]:
    """Columns of a list of SMILES, from its first line, and whether that is a header; None for another table.

    Each line of a list holds a SMILES and optionally a name. Tab-separated lists may have more columns.
    """
    pair = TableHeader(header=("smiles", "name"), columns=("smiles", "name"), delimiter=WHITESPACE)
    words = first.replace(",", " ").replace(";", " ").split()
    if any(word.strip('"').lower() == "smiles" for word in words):
        whitespace = not any(delimiter in first.strip() for delimiter in ",\t;") and words[0].lower() == "smiles"
        return (pair if whitespace else None), True
    if "\t" not in first:
        return pair, False
    names = ("smiles", "name", *(f"column_{n}" for n in range(3, first.count("\t") + 2)))
    return TableHeader(header=names, columns=names, delimiter="\t"), False


def unique_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return unique names of columns: the position is appended to empty and repeated names."""
    counts = Counter(names)
    taken = set(names)
    unique = []
    for position, name in enumerate(names, 1):
        if not name or counts[name] > 1:
            name = f"{name or 'column'}_{position}"
            while name in taken:
                name += "_"
            taken.add(name)
        unique.append(name)
    return tuple(unique)


def read_records(lines: LineReader, table: TableHeader, smiles_column: str) -> Iterator[MoleculeRecord]:
    """Yield the rows from the current position of `lines` on; blank lines are skipped.

    An unreadable row is a record with a `problem`. If its quote is never closed, the row is that line alone, and the
    next line is the next row.
    """
    columns, delimiter, width = table.columns, table.delimiter, len(table.columns)
    smiles_index = columns.index(smiles_column)
    while True:
        line = lines.line
        text = next(lines, "")
        if not text:
            return
        if delimiter == WHITESPACE:
            if not text.strip():
                continue
            row, problem = _smiles_and_name(text), ""
        elif '"' in text or "\0" in text or len(text) >= LineReader.MAX_LINE_BYTES:
            row, problem = _row(text, lines, delimiter, width)
        else:
            row, problem = text.rstrip("\r\n").split(delimiter), ""
        if len(row) == width and not problem:
            smiles = row[smiles_index]
            if smiles or width > 1:
                yield MoleculeRecord(line=line, text=smiles, smiles=smiles, fields=dict(zip(columns, row, strict=True)))
        elif problem or text.strip():
            problem = problem or f"{len(row)} fields where the header has {width}"
            shown = row[smiles_index] if smiles_index < len(row) else delimiter.join(row)
            yield MoleculeRecord(line=line, text=shown, problem=problem, cells=tuple(row))


def _smiles_and_name(text: str) -> list[str]:
    """Return the SMILES, with a CXSMILES extension if there is one, and the name."""
    words = text.split(None, 1)
    if len(words) == 2 and words[1].startswith("|"):
        extension, bar, name = words[1][1:].partition("|")
        if bar:
            return [f"{words[0]} |{extension}|", name.strip()]
    return [words[0], words[1].strip() if len(words) == 2 else ""]


def _row(text: str, lines: LineReader, delimiter: str, width: int) -> tuple[list[str], str]:
    """Return the cells of the row that starts with `text`, and why it is invalid; `lines` is then behind the row."""
    if len(text) >= LineReader.MAX_LINE_BYTES:
        return [text[:100]], f"a line of more than {LineReader.MAX_LINE_BYTES:,} bytes"
    if "\0" in text:
        return text.replace("\0", "").rstrip("\r\n").split(delimiter), "contains NUL bytes: damaged, or not a text file"
    try:
        reader = csv.reader([text, ""], delimiter=delimiter)
        row = next(reader)
        if reader.line_num == 1:
            return row, ""
        single = text.rstrip("\r\n").split(delimiter)
        bookmark = lines.bookmark()
        cells, problem = _multiline_row(text, lines, delimiter, width)
        if cells is None:
            lines.return_to(bookmark)
            return single, problem
    except csv.Error as error:
        return [text[:100]], f"not a row of a table ({error})"
    return cells, ""


def _multiline_row(text: str, lines: LineReader, delimiter: str, width: int) -> tuple[list[str] | None, str]:
    """Return the cells of a row with line breaks between quotes; None and a reason if its quote is stray.

    A stray quote is closed by the next quote of the file, however far below, and the rows between would be lost. It is
    recognised by text behind the closing quote, by a wrong number of cells, or by complete rows between the quotes.
    """
    first, n_lines, parts = lines.line - 1, 0, [text]
    unclosed = "a quote opens in this line and is not closed"
    for more in lines:
        n_lines += 1
        parts.append(more)
        if '"' in more:
            reader = csv.reader(['"' + more, ""], delimiter=delimiter)  # continues within the quotes
            next(reader)
            if reader.line_num == 1:
                break
        if n_lines >= _MAX_LINES or len(more) >= LineReader.MAX_LINE_BYTES:
            return None, f"{unclosed} within {n_lines:,} lines"
    else:
        return None, f"{unclosed} before the end of the file"
    closed = f"a quote opens in this line and is closed in line {first + n_lines}"
    try:
        (row,) = csv.reader(parts, delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None, f"{closed}, followed by text: a stray quote?"
    if width and len(row) != width:
        return None, f"{closed}: {len(row)} fields where the header has {width}"
    for number, inner in enumerate(parts[1:-1], first + 1):
        if width > 1 and len(inner.split(delimiter)) == width:
            return None, f"{closed}, but line {number} in between is a complete row: a stray quote?"
    if width > 1 and len(text.split(delimiter)) == len(parts[-1].split(delimiter)) == width:
        return None, f"{closed}, but both are complete rows: a stray quote?"
    return row, ""
