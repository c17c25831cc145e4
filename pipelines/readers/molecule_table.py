"""Tables of molecules: CSV, TSV, semicolons between the columns, or lists of SMILES and names (``.smi``)."""

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord

MISSING_VALUES = frozenset({"", "na", "n/a", "nan", "none", "null"})
"""What stands in a table where nothing was measured, in lower case."""
WHITESPACE = ""
"""Delimiter of a list of SMILES: what follows the first blanks is the name."""
_MOST_LINES = 1000
"""Lines of one row, at most: a quote that stays open longer is not believed."""


@dataclass(frozen=True, kw_only=True)
class TableHeader:
    """What a table's header says."""

    header: tuple[str, ...]
    """Names of the columns as they stand in the file: some may be empty, or equal."""
    columns: tuple[str, ...]
    """Names by which the columns are known, each a different one: `column_3` for the third if it has no name, and
    `y_2`, `y_5` for the second and the fifth if both are called y."""
    delimiter: str

    def smiles_column(self, wanted: str, source: str) -> str:
        """The column of the SMILES: the one named, or `smiles` in any case.

        Raises
        ------
        InputError
            There is none: the message names the columns that there are.
        """
        if wanted and wanted in self.columns:
            return wanted
        found = [column for column in self.columns if column.lower() == "smiles"]
        if wanted or not found:
            raise InputError(f"{source}: {self.missing(wanted or 'smiles')} Set smiles_column.")
        return found[0]

    def missing(self, *names: str) -> str:
        """Say that there are no columns of some names, and which there are."""
        several = [name for name in names if self.header.count(name) > 1 and name]
        if several:
            renamed = [own for own, name in zip(self.columns, self.header, strict=True) if name == several[0]]
            return f"{len(renamed)} columns are called {several[0]!r}; they are read as {', '.join(renamed)}."
        quoted = ", ".join(map(repr, names)) if names != ("smiles",) else "smiles"
        return f"no column {quoted}; its columns are {', '.join(self.columns)}."


def read_header(lines: LineReader, source: str) -> TableHeader:
    """Read the header row.

    Raises
    ------
    InputError
        The file is empty, or its header is not one row of a table.
    """
    first = next(lines, "")
    if not first.strip():
        raise InputError(f"{source}: empty; a table of molecules begins with a row of column names")
    delimiter = max(",\t;", key=first.count)
    row, reason = _row(first, lines, delimiter, 0)
    if reason:
        raise InputError(f"{source}, line 1: {reason}; a table of molecules begins with a row of column names")
    names = tuple(name.strip() for name in row)
    return TableHeader(header=names, columns=unique_names(names), delimiter=delimiter)


def smiles_list_header(first: str) -> tuple[TableHeader | None, bool]:
    """The columns of a list of SMILES, from its first line, and whether that is a header; None for another table.

    A list has a SMILES in each line and perhaps a name behind it. If there are tabs, more columns may follow.
    """
    pair = TableHeader(header=("smiles", "name"), columns=("smiles", "name"), delimiter=WHITESPACE)
    words = first.replace(",", " ").replace(";", " ").split()
    if any(word.strip('"').lower() == "smiles" for word in words):
        blanks = not any(delimiter in first.strip() for delimiter in ",\t;") and words[0].lower() == "smiles"
        return (pair if blanks else None), True
    if "\t" not in first:
        return pair, False
    names = ("smiles", "name", *(f"column_{n}" for n in range(3, first.count("\t") + 2)))
    return TableHeader(header=names, columns=names, delimiter="\t"), False


def unique_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names for columns, each a different one: those without a name, or with an equal one, are told by their place."""
    counts = Counter(names)
    taken = set(names)
    found = []
    for place, name in enumerate(names, 1):
        if not name or counts[name] > 1:
            name = f"{name or 'column'}_{place}"
            while name in taken:
                name += "_"
            taken.add(name)
        found.append(name)
    return tuple(found)


def read_records(lines: LineReader, table: TableHeader, smiles_column: str) -> Iterator[MoleculeRecord]:
    """The rows below the header, from wherever `lines` stands; blank lines are passed over.

    A row that cannot be read is an entry with a `problem`. Where a quote stays open, that is its own line alone: the
    next line is the next row.
    """
    columns, delimiter, width = table.columns, table.delimiter, len(table.columns)
    place = columns.index(smiles_column)
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
            smiles = row[place]
            if smiles or width > 1:
                yield MoleculeRecord(line=line, text=smiles, smiles=smiles, fields=dict(zip(columns, row, strict=True)))
        elif problem or text.strip():
            problem = problem or f"{len(row)} fields where the header has {width}"
            shown = row[place] if place < len(row) else delimiter.join(row)
            yield MoleculeRecord(line=line, text=shown, problem=problem, cells=tuple(row))


def _smiles_and_name(text: str) -> list[str]:
    """SMILES, with the CXSMILES extension between bars if there is one, and name."""
    words = text.split(None, 1)
    if len(words) == 2 and words[1].startswith("|"):
        extension, bar, name = words[1][1:].partition("|")
        if bar:
            return [f"{words[0]} |{extension}|", name.strip()]
    return [words[0], words[1].strip() if len(words) == 2 else ""]


def _row(text: str, lines: LineReader, delimiter: str, width: int) -> tuple[list[str], str]:
    """The cells of the row that begins with `text`, and why it is none; `lines` stands behind it afterwards."""
    if len(text) >= LineReader.MAX_LINE_BYTES:
        return [text[:100]], f"a line of more than {LineReader.MAX_LINE_BYTES:,} bytes"
    if "\0" in text:
        return text.replace("\0", "").rstrip("\r\n").split(delimiter), "holds NUL bytes: damaged, or not a text"
    try:
        reader = csv.reader([text, ""], delimiter=delimiter)
        row = next(reader)
        if reader.line_num == 1:
            return row, ""
        alone = text.rstrip("\r\n").split(delimiter)
        behind = lines.bookmark()
        whole, problem = _over_lines(text, lines, delimiter, width)
        if whole is None:
            lines.return_to(behind)
            return alone, problem
    except csv.Error as error:
        return [text[:100]], f"not a row of a table ({error})"
    return whole, ""


def _over_lines(text: str, lines: LineReader, delimiter: str, width: int) -> tuple[list[str] | None, str]:
    """The cells of a row with line breaks between quotes; None and a reason where its quote was never meant to open.

    A quote left open in one row is closed by the next quote of the file, however far below, and what lies between is
    swallowed. That is told by text behind the closing quote, by a wrong number of cells, or by lines between that are
    whole rows themselves.
    """
    first, taken, parts = lines.line - 1, 0, [text]
    opened = "a quote opens in this line and is not closed"
    for more in lines:
        taken += 1
        parts.append(more)
        if '"' in more:
            reader = csv.reader(['"' + more, ""], delimiter=delimiter)  # goes on within the quotes
            next(reader)
            if reader.line_num == 1:
                break
        if taken >= _MOST_LINES or len(more) >= LineReader.MAX_LINE_BYTES:
            return None, f"{opened} within {taken:,} lines"
    else:
        return None, f"{opened} before the end of the file"
    closed = f"a quote opens in this line and is closed in line {first + taken}"
    try:
        (row,) = csv.reader(parts, delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None, f"{closed} with text behind it: one quote too many?"
    if width and len(row) != width:
        return None, f"{closed}: {len(row)} fields where the header has {width}"
    for number, inner in enumerate(parts[1:-1], first + 1):
        if width > 1 and len(inner.split(delimiter)) == width:
            return None, f"{closed}, and line {number} between is a row itself: one quote too many?"
    if width > 1 and len(text.split(delimiter)) == len(parts[-1].split(delimiter)) == width:
        return None, f"{closed}, and both are rows by themselves: one quote too many?"
    return row, ""
