"""Tables with a row per file or simulation: CSV, whitespace-separated text, FITS, HDF5 and NPY, by content."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.parameters import DensityConvention, canonical_parameters, density_convention
from tenfold.pipelines.readers.volume import UnusableFileError

LARGEST_BYTES = 2**28
"""Size above which a file is not a table of parameters."""
_DELIMITERS = ",;\t"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells of a table, as text."""

    path: Path
    names: tuple[str, ...]
    """Names of the columns; empty if the file does not name them."""
    positions: tuple[str, ...]
    """Position of each row in the file, for messages: "line 3", or "row 0" of a binary table."""
    cells: tuple[tuple[str, ...], ...]
    """Cells of each row; numbers of binary tables to full precision."""
    shape: tuple[int, ...] = ()
    """Shape of the rows: (rows,), or the leading axes of an array of more than two."""

    def __post_init__(self):
        """Check that it has rows, of equal length, and no two columns of one name."""
        if not self.cells:
            raise InputError(f"{self.path}: not a table of parameters: it holds no row")
        columns = len(self.names or self.cells[0])
        for position, cells in zip(self.positions, self.cells, strict=True):
            if len(cells) != columns:
                raise InputError(
                    f"{self.path}, {position}: {len(cells)} cells, where "
                    + (f"the header has {columns} columns" if self.names else f"others have {columns}")
                )
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise InputError(f"{self.path}: column {repeated[0]} occurs twice")

    def column(self, name: str) -> tuple[str, ...]:
        """Return the cells of a column."""
        number = self.names.index(name)
        return tuple(cells[number] for cells in self.cells)


def read_text_table(path: Path) -> Table:
    """Read a table as text: CSV, or separated by whitespace as by `numpy.savetxt`.

    The separator is the comma, semicolon or tab where the first row has one, else whitespace. The names of the columns
    are in the last comment (``#``) above the numbers, or in a first row that is not all numbers.

    Raises
    ------
    InputError
        The file cannot be read, has no rows, or has rows of different lengths.
    """
    try:
        text = path.read_bytes()[: LARGEST_BYTES + 1].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the table of parameters cannot be read ({error})") from error
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if line.partition("#")[0].strip()), len(lines))
    delimiter = next((mark for mark in _DELIMITERS if first < len(lines) and mark in lines[first]), "")
    comment = next((line for line in reversed(lines[:first]) if line.strip()), "").strip().lstrip("#")
    words = comment.split(delimiter or None) if comment else []
    names = tuple(word.strip() for word in words)
    rows = _delimited(path, text, delimiter) if delimiter else _spaced(lines)
    if not names and rows and not all(map(_is_number, rows[0][1])):
        names, rows = rows[0][1], rows[1:]
    if rows and len(names) != len(rows[0][1]) and comment:
        names = ()  # a comment, not the names of the columns
    return Table(
        path=path,
        names=names,
        positions=tuple(f"line {line}" for line, _ in rows),
        cells=tuple(row for _, row in rows),
        shape=(len(rows),),
    )


def _delimited(path: Path, text: str, delimiter: str) -> list[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(io.StringIO(text), strict=True, delimiter=delimiter)
    try:
        return [
            (reader.line_num, tuple(map(str.strip, cells)))
            for cells in reader
            if cells and not cells[0].lstrip().startswith("#")
        ]
    except csv.Error as error:
        raise InputError(f"{path}: the table of parameters cannot be read ({error})") from error


def _spaced(lines: Sequence[str]) -> list[tuple[int, tuple[str, ...]]]:
    cells = ((number, tuple(line.partition("#")[0].split())) for number, line in enumerate(lines, start=1))
    return [(number, row) for number, row in cells if row]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def parameters_by_row(
    table: Table, names: Sequence[str], skipped: Sequence[str] = (), densities: DensityConvention | None = None
) -> list[dict[str, float]]:
    """Return the parameters of each row, by canonical name; names that are not cosmological are kept as they are.

    Parameters
    ----------
    table
        Table to interpret.
    names
        Names of all columns.
    skipped
        Names of columns that are not parameters.
    densities
        Meaning of lower-case density names, if their values do not determine it.

    Raises
    ------
    InputError
        A value is not a number, or not that of a cosmology; the message gives its position.
    """
    columns = [n for n, name in enumerate(names) if name not in skipped]
    parameters = [names[n] for n in columns]
    rows = [
        [_number(cells[n], names[n], table.path, position) for n in columns]
        for position, cells in zip(table.positions, table.cells, strict=True)
    ]
    try:
        values = {name: [row[n] for row in rows] for n, name in enumerate(parameters)}
        convention = density_convention(values, densities)
    except ValueError as error:
        raise InputError(f"{table.path}: {error}") from error
    try:
        return [
            canonical_parameters(parameters, row, table.path, position, convention, others=True)
            for position, row in zip(table.positions, rows, strict=True)
        ]
    except UnusableFileError as error:
        raise InputError(str(error)) from error


def _number(cell: str, column: str, path: Path, position: str) -> float:
    if "_" not in cell:  # Python reads 1_0 as 10
        try:
            return float(cell)
        except ValueError:
            pass
    raise InputError(
        f"{path}, {position}: could not convert {cell!r} in column {column!r} to a number; columns other than file, "
        "simulation, name and seed are parameters, or list those to use: --set ingest.parameters=[…]"
    )
