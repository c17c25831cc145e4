"""Tables of cosmological parameters for files that do not contain their own."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.parameters import DensityConvention, canonical_parameters, density_convention
from tenfold.pipelines.readers.volume import UnusableFileError

_NOT_PARAMETERS = ("file", "simulation")


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """Simulation and parameters of one file."""

    simulation: str
    parameters: dict[str, float]


def read_table(path: Path, densities: DensityConvention | None = None) -> dict[str, ParameterRow]:
    """Read a CSV table with a column `file`, columns of parameters, and optionally `simulation`.

    Parameters
    ----------
    path
        CSV file. Files with equal `simulation` are always in the same split.
    densities
        Meaning of lower-case density names, if their values do not determine it.

    Returns
    -------
    dict
        Row by file as written in the table: its name, or the end of its path.

    Raises
    ------
    InputError
        The table cannot be read, has no column `file`, has an unknown parameter, a repeated column or file, a line that
        does not match the header, or a value that is not a number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as opened:
            lines = csv.reader(opened, strict=True)
            columns = [name.strip() for name in next(lines, [])]
            _check_columns(columns, path)
            rows = [(lines.line_num, cells) for cells in lines if cells]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the table of parameters cannot be read ({error})") from error
    names = [name for name in columns if name not in _NOT_PARAMETERS]
    files: list[tuple[int, dict[str, str]]] = []
    for line, cells in rows:
        if len(cells) != len(columns):
            raise InputError(f"{path}, line {line}: {len(cells)} cells, where the header has {len(columns)} columns")
        files.append((line, dict(zip(columns, map(str.strip, cells), strict=True))))
    values = [_numbers([row[name] for name in names], path, f"line {line}") for line, row in files]
    resolved = _convention(names, values, path, densities)
    table: dict[str, ParameterRow] = {}
    for (line, cells), row in zip(files, values, strict=True):
        if cells["file"] in table:
            raise InputError(f"{path}, line {line}: {cells['file']} occurs twice")
        try:
            parameters = canonical_parameters(names, row, path, f"line {line}", resolved)
        except UnusableFileError as error:
            raise InputError(str(error)) from error
        table[cells["file"]] = ParameterRow(simulation=cells.get("simulation", ""), parameters=parameters)
    return table


def matching_key(file: Path, table: dict[str, ParameterRow]) -> str | None:
    """Return the key of a file in the table: the longest end of its path that the table holds, or None."""
    parts = file.parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in table), None)


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Whitespace-separated table with a row per simulation."""

    names: tuple[str, ...]
    """Names of the columns, from the last comment above the numbers; empty if it does not name them."""
    lines: tuple[int, ...]
    """Line of each row in the file, from 1."""
    cells: tuple[tuple[str, ...], ...]
    """Cells of each row."""


def read_text_table(path: Path) -> TextTable:
    """Read a table in the format of `numpy.savetxt` and CAMELS: whitespace-separated, comments after ``#``.

    Raises
    ------
    InputError
        The file cannot be read, has no rows, or has rows of different lengths.
    """
    names: tuple[str, ...] = ()
    lines: list[int] = []
    cells: list[tuple[str, ...]] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table of parameters ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        before, hash_, comment = line.partition("#")
        if not before.strip():
            if hash_ and not cells:
                names = tuple(comment.split())
            continue
        lines.append(number)
        cells.append(tuple(before.split()))
        if len(cells[-1]) != len(cells[0]):
            raise InputError(f"{path}, line {number}: {len(cells[-1])} columns, where others have {len(cells[0])}")
    if not cells:
        raise InputError(f"{path}: not a table of parameters: it holds no row")
    if len(names) != len(cells[0]):
        names = ()
    return TextTable(names=names, lines=tuple(lines), cells=tuple(cells))


def parameters_by_row(table: TextTable, names: Sequence[str], path: Path, skipped: Sequence[str] = ()) -> list[dict]:
    """Return the parameters of each row, by canonical name.

    Parameters
    ----------
    table
        Table to interpret.
    names
        Names of all columns.
    path
        File, for messages.
    skipped
        Names of columns that are not parameters.

    Raises
    ------
    InputError
        A name is unknown, or a value is not a number or not that of a cosmology; the message gives the line.
    """
    columns = [n for n, name in enumerate(names) if name not in skipped]
    parameters = [names[n] for n in columns]
    rows = [
        _numbers([cells[n] for n in columns], path, f"line {line}")
        for line, cells in zip(table.lines, table.cells, strict=True)
    ]
    resolved = _convention(parameters, rows, path, None)
    try:
        return [
            canonical_parameters(parameters, row, path, f"line {line}", resolved)
            for line, row in zip(table.lines, rows, strict=True)
        ]
    except UnusableFileError as error:
        raise InputError(str(error)) from error


def _check_columns(columns: Sequence[str], path: Path) -> None:
    if "file" not in columns:
        listed = ", ".join(columns) or "nothing"
        remedy = ""
        if len(columns) == 1 and len(columns[0].split()) > 1:
            remedy = (
                ". Its columns are separated by whitespace: separate them with commas, and add the file of each row"
            )
        raise InputError(f"{path}: a table of parameters needs a column 'file'; found {listed}{remedy}")
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise InputError(f"{path}: column {repeated[0]} occurs twice")


def _numbers(cells: Sequence[str], path: Path, where: str) -> list[float]:
    try:
        return [_number(cell) for cell in cells]
    except ValueError as error:
        raise InputError(f"{path}, {where}: {error}") from error


def _number(cell: str) -> float:
    if "_" in cell:  # Python reads 1_0 as 10
        raise ValueError(f"could not convert {cell!r} to a number")
    return float(cell)


def _convention(
    names: Sequence[str], rows: Sequence[Sequence[float]], path: Path, densities: DensityConvention | None
) -> DensityConvention | None:
    """Infer the meaning of the lower-case density names of a table from all its rows."""
    if not rows:
        return densities
    try:
        return density_convention({name: [row[n] for row in rows] for n, name in enumerate(names)}, densities)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
