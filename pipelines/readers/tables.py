"""Tables of parameters that stand beside files which do not carry their own."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.parameters import Densities, canonical, convention
from tenfold.pipelines.readers.volume import UnusableFileError

_NOT_PARAMETERS = ("file", "simulation")


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """What a table says of one file."""

    simulation: str
    parameters: dict[str, float]


def read_table(path: Path, densities: Densities | None = None) -> dict[str, ParameterRow]:
    """Read a CSV table: a column `file`, parameters by name, and perhaps `simulation`.

    Parameters
    ----------
    path
        Files of one simulation have the same `simulation`, and then never part at the splitting.
    densities
        What lower-case densities stand for, where their values do not tell.

    Returns
    -------
    dict
        By file, as the table has it: its name, or the end of its path.

    Raises
    ------
    InputError
        The table cannot be read, has no column `file`, an unknown parameter, a column or file twice, a line that is
        longer or shorter than the header, or a value that is no number.
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
    values = [_numbers([each[name] for name in names], path, f"line {line}") for line, each in files]
    meant = _convention(names, values, path, densities)
    table: dict[str, ParameterRow] = {}
    for (line, each), row in zip(files, values, strict=True):
        if each["file"] in table:
            raise InputError(f"{path}, line {line}: {each['file']} stands there twice")
        try:
            parameters = canonical(names, row, path, f"line {line}", meant)
        except UnusableFileError as error:
            raise InputError(str(error)) from error
        table[each["file"]] = ParameterRow(simulation=each.get("simulation", ""), parameters=parameters)
    return table


def matching_key(file: Path, table: dict[str, ParameterRow]) -> str | None:
    """The key of a file's row: the longest end of its path that the table has; None where there is none."""
    parts = file.parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in table), None)


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Numbers separated by blanks, a row per simulation."""

    names: tuple[str, ...]
    """Of the columns, from the last comment above the numbers; empty where it does not name them."""
    lines: tuple[int, ...]
    """Line of each row in the file, from 1."""
    cells: tuple[tuple[str, ...], ...]


def read_text_table(path: Path) -> TextTable:
    """Read a table as `numpy.savetxt` and CAMELS write it: columns by blanks, comments after ``#``.

    Raises
    ------
    InputError
        The file cannot be read, holds no rows, or rows of different length.
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
    """Parameters of each row, by canonical name.

    Parameters
    ----------
    names
        Of all columns.
    skipped
        Those of them that are no parameters.

    Raises
    ------
    InputError
        A name is not known, or a value is no number or none of a cosmology; the line is said.
    """
    kept = [n for n, name in enumerate(names) if name not in skipped]
    chosen = [names[n] for n in kept]
    rows = [
        _numbers([cells[n] for n in kept], path, f"line {line}")
        for line, cells in zip(table.lines, table.cells, strict=True)
    ]
    meant = _convention(chosen, rows, path, None)
    try:
        return [
            canonical(chosen, row, path, f"line {line}", meant) for line, row in zip(table.lines, rows, strict=True)
        ]
    except UnusableFileError as error:
        raise InputError(str(error)) from error


def _check_columns(columns: Sequence[str], path: Path) -> None:
    if "file" not in columns:
        found = ", ".join(columns) or "nothing"
        remedy = ""
        if len(columns) == 1 and len(columns[0].split()) > 1:
            remedy = ". Its columns are separated by blanks: write them with commas, and the file of each row"
        raise InputError(f"{path}: a table of parameters needs a column 'file'; found {found}{remedy}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"{path}: column {twice[0]} stands there twice")


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
    names: Sequence[str], rows: Sequence[Sequence[float]], path: Path, densities: Densities | None
) -> Densities | None:
    """What the lower-case densities of a table stand for, from all of its rows."""
    if not rows:
        return densities
    try:
        return convention({name: [row[n] for row in rows] for n, name in enumerate(names)}, densities)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
